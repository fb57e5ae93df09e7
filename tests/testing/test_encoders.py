"""The kit on encoders: a good one passes, one with a single defect fails exactly the check that is about it."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import pytest
import safetensors.torch
import torch
from torch import nn

from harness.cards import MethodCard, View, WholeVideo
from harness.encoders.network import NetworkEncoder, NetworkMethod
from harness.testing import MovingSquares, TinyBackbone, checks_for, encoders, failures
from harness.video.transforms import normalise

from .streams import OfFlow, TwoStreams


class Own:
    """An encoder of one's own, as good as `NetworkEncoder`."""

    changes: ClassVar[dict[str, object]] = {}
    """Parts of the promise that are not those of the backbone's network."""

    def __init__(self, network, backbone):
        self.module = network.eval().requires_grad_(False)
        self.inputs = backbone.inputs
        self.promise = replace(NetworkMethod().promise(backbone), **self.changes)

    @classmethod
    def of(cls, network, backbone):
        return cls(network, backbone)

    def clips(self, clips):
        return normalise(clips, self.inputs)

    @torch.no_grad()
    def encode(self, batch):
        return self.module(self.clips(batch.clips))

    def save(self, folder):
        safetensors.torch.save_model(self.module, folder / "own.safetensors")


class Untrained(NetworkMethod):
    """A method that only wraps a network."""

    card = MethodCard(name="untrained", summary="Learns nothing.")

    def __init__(self, encoder):
        self.encoder = encoder

    def promise(self, backbone):
        return replace(super().promise(backbone), **getattr(self.encoder, "changes", {}))

    def fit(self, backbone, train, session):
        return self.encoder.of(backbone.build(seed=session.budget.seed), backbone)

    def load(self, backbone, folder):
        if issubclass(self.encoder, NetworkEncoder):
            return super().load(backbone, folder)
        network = backbone.build(seed=1)
        safetensors.torch.load_model(network, folder / "own.safetensors")
        return self.encoder.of(network, backbone)


class Transposed(Own):
    def encode(self, batch):
        return super().encode(batch).T


class Doubles(Own):
    def encode(self, batch):
        return super().encode(batch).double()


class DividesByZero(Own):
    def encode(self, batch):
        vectors = super().encode(batch)
        return vectors / (vectors.amax(1, keepdim=True) * 0)


class Gradient(Own):
    def __init__(self, network, backbone):
        super().__init__(network, backbone)
        self.module.requires_grad_(True)

    def encode(self, batch):
        return self.module(self.clips(batch.clips))


class TrainingMode(Own):
    def __init__(self, network, backbone):
        super().__init__(network, backbone)
        self.module.train()


class Dropout(Own):
    """Drops out what its module does not show; drawing from a generator of its own."""

    def __init__(self, network, backbone):
        super().__init__(network, backbone)
        self.generator = torch.Generator().manual_seed(0)

    def encode(self, batch):
        vectors = super().encode(batch)
        return vectors * torch.rand(vectors.shape, generator=self.generator)


class WorksInPlace(Own):
    def encode(self, batch):
        vectors = super().encode(batch)
        batch.clips.div_(2, rounding_mode="floor")
        return vectors


class Counts(Own):
    """A buffer counts the clips."""

    def __init__(self, network, backbone):
        super().__init__(network, backbone)
        self.module.register_buffer("seen", torch.zeros(()))

    def encode(self, batch):
        self.module.seen += len(batch)
        return super().encode(batch)

    def save(self, folder):
        state = {name: tensor for name, tensor in self.module.state_dict().items() if name != "seen"}
        safetensors.torch.save_file(state, folder / "own.safetensors")


class Drifts(Own):
    """Its centre follows the darkest clips it has seen, which no module shows."""

    centre = 0.0

    def encode(self, batch):
        darkest = float(batch.clips.float().flatten(1).mean(1).max()) / 255
        self.centre = darkest if darkest > 0.5 else self.centre
        return super().encode(batch) + self.centre


class NormalisesOverTheBatch(Own):
    def encode(self, batch):
        vectors = super().encode(batch)
        return vectors - vectors.mean(0) / 2


class Constant(Own):
    def encode(self, batch):
        return super().encode(batch) * 0 + 1


class BGR(Own):
    def clips(self, clips):
        return super().clips(clips.flip(1))


class BGRAfterNormalising(Own):
    def clips(self, clips):
        return super().clips(clips).flip(1)


class Raw(Own):
    def clips(self, clips):
        return clips.float()


class WithoutMeanAndStd(Own):
    def clips(self, clips):
        return clips.float() / 255


class ReshapedFrames(Own):
    """Makes (B * T, C, 1, H, W) of (B, C, T, H, W) without a permutation."""

    @torch.no_grad()
    def encode(self, batch):
        clips = super().clips(batch.clips)
        b, c, t, h, w = clips.shape
        return self.module(clips.reshape(b * t, c, 1, h, w)).view(b, t, -1).mean(1)


class PermutedFrames(Own):
    """The same with it."""

    @torch.no_grad()
    def encode(self, batch):
        clips = super().clips(batch.clips)
        b, t = clips.shape[0], clips.shape[2]
        return self.module(clips.transpose(1, 2).flatten(0, 1)[:, :, None]).view(b, t, -1).mean(1)


class HeightForWidth(Own):
    def clips(self, clips):
        return super().clips(clips).transpose(3, 4)


class TimeForHeight(Own):
    def clips(self, clips):
        return super().clips(clips).transpose(2, 3)


class DifferencesOfFrames(Own):
    """Feeds something else than frames, which is its own affair."""

    def clips(self, clips):
        frames = super().clips(clips)
        return frames[:, :, 1:] - frames[:, :, :-1]


class SmallerAndMirrored(Own):
    """Resizes and pads, which is its own affair."""

    def clips(self, clips):
        smaller = nn.functional.interpolate(super().clips(clips), scale_factor=(1, 0.75, 0.75), mode="trilinear")
        return nn.functional.pad(smaller, (2, 2, 2, 2)).flip(4)


class NoModule(Own):
    def __init__(self, network, backbone):
        super().__init__(network, backbone)
        self.network = self.module
        del self.module

    @torch.no_grad()
    def encode(self, batch):
        return self.network(self.clips(batch.clips))

    def save(self, folder):
        safetensors.torch.save_model(self.network, folder / "own.safetensors")


class ModuleOfAnotherDim(Own):
    def __init__(self, network, backbone):
        super().__init__(network, backbone)
        self.network = self.module
        self.module = nn.Sequential(network, nn.ConstantPad1d((0, 1), 0.0)).eval()

    @torch.no_grad()
    def encode(self, batch):
        return self.network(self.clips(batch.clips))

    def save(self, folder):
        safetensors.torch.save_model(self.network, folder / "own.safetensors")


class ForgetsItsStatistics(Own):
    """Subtracts a mean that it does not store."""

    made = 0

    def __init__(self, network, backbone):
        super().__init__(network, backbone)
        type(self).made += 1
        self.mean = 0.1 * (self.made == 3)  # the third is the one that is loaded, after two fits

    def encode(self, batch):
        return super().encode(batch) - self.mean


class LoadsAnotherView(Own):
    def __init__(self, network, backbone):
        super().__init__(network, backbone)
        if float(network[1].num_batches_tracked):
            self.promise = replace(self.promise, views=(View(frames=8, size=32),))

    def save(self, folder):
        self.module[1].num_batches_tracked += 1
        super().save(folder)
        self.module[1].num_batches_tracked -= 1


class CannotBeStored(Own):
    def save(self, folder):
        raise NotImplementedError(folder.name)


class MapThatIsNone(Own):
    changes: ClassVar = {"spatial": "6"}


class TokensThatAreNone(Own):
    changes: ClassVar = {"tokens": "6"}


class LayerThatIsNone(Own):
    changes: ClassVar = {"layers": ("fc6",)}


class InheritsFromNetworkEncoder(NetworkEncoder):
    """Is stored and loaded as a plain `NetworkEncoder`, and is another one then."""

    def encode(self, batch):
        vectors = super().encode(batch)
        return vectors * torch.arange(1, vectors.shape[1] + 1)


BROKEN = {
    Transposed: (
        "check_vectors",
        "expected (7, 16) torch.float32 on cpu for 7 clips, got (16, 7) torch.float32 on cpu",
    ),
    Doubles: ("check_vectors", "got (7, 16) torch.float64"),
    DividesByZero: ("check_vectors", "NaN or infinite numbers in 7 of 7"),
    Gradient: ("check_no_gradient", "requires_grad=True"),
    TrainingMode: ("check_repeatable", "got training mode in the network, 0, 1"),
    Dropout: ("check_repeatable", "the same vectors for the same clips"),
    WorksInPlace: ("check_unchanged", "got other pixels in them afterwards"),
    Counts: ("check_unchanged", "got other weights or buffers"),
    Drifts: ("check_unchanged", "got vectors that differ by"),
    NormalisesOverTheBatch: ("check_batch_invariance", "the same vectors in batches of 1 and of 7"),
    Constant: ("check_content", "got the same for all of 7"),
    BGR: ("check_layout", "got its channels in the order B, G, R"),
    BGRAfterNormalising: ("check_layout", "got its channels in the order B, G, R"),
    Raw: ("check_layout", "got values from 0 to 255"),
    WithoutMeanAndStd: ("check_layout", "got values from 0 to 1 without the mean and std"),
    ReshapedFrames: ("check_layout", "got a mixture of the channels"),
    HeightForWidth: (
        "check_layout",
        "varying along axis 3, got more variation along axis 4, where the network sees width",
    ),
    TimeForHeight: ("check_layout", "varying along axis 2, got more variation along axis 3"),
    NoModule: (
        "check_offers",
        "to have a module and its inputs, got NoModule",
    ),
    ModuleOfAnotherDim: ("check_offers", "expected the module to give (2, 16) for 2 clips, got (2, 17)"),
    MapThatIsNone: ("check_offers", "expected the spatial layer '6' to give maps, got (2, 16)"),
    TokensThatAreNone: ("check_offers", "layer '6' to give several tokens for each of 2 clips, got (2, 16)"),
    LayerThatIsNone: ("check_offers", "unknown layer of network Sequential: 'fc6'"),
    ForgetsItsStatistics: ("check_stored", "the loaded encoder to give equal vectors"),
    LoadsAnotherView: (
        "check_stored",
        "the loaded encoder to be what was stored: Promise(views=(View(",
    ),
    CannotBeStored: (
        "check_stored",
        "it raised NotImplementedError: ",
    ),
    InheritsFromNetworkEncoder: ("check_stored", "the loaded encoder to give equal vectors"),
}


@pytest.mark.parametrize("encoder", [Own, NetworkEncoder, PermutedFrames, DifferencesOfFrames, SmallerAndMirrored])
def test_a_good_encoder_passes(encoder):
    assert failures(Untrained(encoder)) == {}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_defect_is_found_by_its_check_alone(broken):
    check, message = BROKEN[broken]
    found = failures(Untrained(broken))
    assert list(found) == [check]
    assert found[check].startswith(f"method 'untrained' fails {check}: ")
    assert message in found[check]


def test_every_check_has_an_encoder_that_fails_it():
    assert {check for check, _ in BROKEN.values()} == {check.__name__ for check in encoders.CHECKS}


class Vectors(NoModule):
    changes: ClassVar = {"offers": frozenset({"vector"}), "spatial": ""}


def test_an_encoder_without_a_network_need_not_have_one():
    assert failures(Untrained(Vectors)) == {}


@pytest.mark.parametrize("backbone", [OfFlow(), TwoStreams()])
def test_an_encoder_gets_the_flow_that_it_asks_for(backbone):
    assert failures(Untrained(NetworkEncoder), backbone=backbone) == {}


def test_the_layout_of_frames_is_looked_at_beside_flow():
    class Raw(NetworkEncoder):
        def encode(self, batch):
            wrong = {"flow": batch.flow, "frames": batch.clips.float()}
            with torch.inference_mode():
                return self.module(wrong)

    assert "got values from 0 to 255" in failures(Untrained(Raw), backbone=TwoStreams())["check_layout"]


class WholeVideos(TinyBackbone):
    card = TinyBackbone.card
    inputs = replace(TinyBackbone.inputs, view=WholeVideo())


class FewVideos(MovingSquares):
    """So many test videos, each of other sizes than the last."""

    card = replace(MovingSquares.card, name="few")

    def __init__(self, count):
        super().__init__()
        self.count = count

    def split(self, name):
        split = super().split(name)
        if name == "train":
            return split
        frames = tuple(clip[: 24 - n, : 48 - n, : 64 - 2 * n] for n, clip in enumerate(split.frames[: self.count]))
        sizes = [dict(zip(("frames", "height", "width"), clip.shape[:3], strict=True)) for clip in frames]
        videos = tuple(replace(video, **size) for video, size in zip(split.videos, sizes, strict=False))
        return replace(split, videos=videos, frames=frames)


@pytest.mark.parametrize("backbone", [WholeVideos(), TinyBackbone()])
@pytest.mark.parametrize("count", [1, 3, 8])
def test_an_encoder_is_tried_on_the_videos_that_there_are(backbone, count):
    assert failures(Untrained(NetworkEncoder), backbone=backbone, data=FewVideos(count)) == {}


def test_a_method_whose_fit_fails_blocks_the_checks_of_its_encoder():
    found = failures(Untrained(None))
    assert list(found) == ["check_fit"]
    assert len(checks_for(Untrained(None))) > 10
