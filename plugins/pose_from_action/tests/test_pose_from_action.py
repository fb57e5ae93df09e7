"""The method: what it learns, keeps, resumes and refuses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from harness.cards import BackboneCard, View, WholeVideo
from harness.datasets.splits import VideoSplit
from harness.encoders.frozen import CachedEncoder
from harness.errors import DataError, UsageError
from harness.system.seeding import seeded
from harness.testing import CountingSplit, MovingSquares, TinyBackbone
from harness.testing.evaluating import values
from harness.training import checkpoints
from harness.training.session import TrainingSession
from harness.values import Budget, Inputs, Video
from harness.video import flow_cache
from harness.video.flow import displacement, flow, quantised
from harness.video.transforms import normalise
from harness.video.write import write_video
from harness_pose_from_action.pose_from_action import BRANCHES, PoseFromAction, PoseFromActionEncoder
from harness_pose_from_action.pretext import PretextAccuracy
from harness_pose_from_action.vgg_m import VggM

TRAIN = MovingSquares().split("train").unlabelled()
METHOD = PoseFromAction(batch_size=8, hidden=16)


def session(steps, folder=None, method=METHOD):
    return TrainingSession(Budget(frames=3 * method.batch_size * steps, seed=0), name="pose", folder=folder)


def weights(encoder):
    return {name: tensor.clone() for name, tensor in encoder.pretext.state_dict().items()}


@pytest.fixture(scope="module")
def fitted():
    return METHOD.fit(TinyBackbone(), TRAIN, session(4))


class TestNetwork:
    def test_vgg_m_is_the_papers(self):
        """A sixteenth of the width: 256 for 4096, three of them for 12,288; flow of 24 maps."""
        network = PoseFromAction(hidden=256).build_network(VggM(width=1 / 16), 0)
        assert network.head[1].weight.shape == (256, 768)
        assert network.head[4].weight.shape == (2, 256)
        assert network.motion.feature_map.conv1.weight.shape == (6, 24, 7, 7)
        assert network.appearance.feature_map.conv1.weight.shape == (6, 3, 7, 7)

    def test_the_branches_start_from_different_weights(self):
        network = METHOD.build_network(VggM(width=1 / 16, size=64), 0)
        assert not torch.equal(network.motion.feature_map.conv2.weight, network.appearance.feature_map.conv2.weight)

    def test_a_step_of_flow_counts_as_much_as_a_step_of_an_image(self):
        """At 0 to 255, displacement of 20 pixels is 127."""
        flow = METHOD.build_network(VggM(width=1 / 16, size=64), 0).inputs["flow"]
        assert 20 * flow.scale / flow.std[0] == pytest.approx(127)
        flow = METHOD.build_network(TinyBackbone(), 0).inputs["flow"]
        assert 20 * flow.scale / flow.std[0] == pytest.approx(127 / 255 / TinyBackbone.inputs.std[0])

    def test_channels_are_the_horizontal_maps_then_the_vertical_ones(self):
        network, seen = METHOD.build_network(TinyBackbone(), 0).eval(), []
        network.motion.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
        flow = torch.randn(2, 2, 12, 32, 32)
        network.encode_pairs({"frames": torch.zeros(4, 3, 1, 32, 32), "flow": flow})
        assert torch.equal(seen[0][:, :12, 0], flow[:, 0])
        assert torch.equal(seen[0][:, 12:, 0], flow[:, 1])

    def test_blocks_of_videos_that_stand_still_are_one_vector_whatever_they_show(self):
        network = METHOD.build_network(VggM(width=1 / 16, size=64), 0).eval()
        pictures = torch.randint(0, 256, (3, 1, 64, 64, 3), generator=torch.Generator().manual_seed(0)).byte()
        videos = [*(one.expand(13, -1, -1, -1) for one in pictures), pictures[0].roll(1, 1).repeat(13, 1, 1, 1)]
        videos[3][::2] = pictures[0]
        blocks = torch.stack([displacement(quantised(flow(one, "tvl1"))) for one in videos])
        flows = normalise(blocks.transpose(1, 2), network.inputs["flow"])
        vectors = network.encode_pairs({"frames": torch.zeros(8, 3, 1, 64, 64), "flow": flows})[2]
        assert torch.equal(vectors[:3], vectors[:1].expand(3, -1))
        assert not torch.equal(vectors[3], vectors[0])


class TestBatch:
    def test_an_epoch_shows_every_video_once(self):
        view, videos = METHOD.view(TinyBackbone.inputs), []

        class Noting(CountingSplit):
            def read(self, index, *arguments, **options):
                videos.append(index)
                return super().read(index, *arguments, **options)

        split = Noting(TRAIN)
        for step in range(len(TRAIN) // 8):
            METHOD.batch(split, view, 8, step, session(1))
        assert sorted(videos) == list(range(len(TRAIN)))

    def test_a_step_is_the_same_whenever_it_is_drawn(self):
        view = METHOD.view(TinyBackbone.inputs)
        one, other = (METHOD.batch(TRAIN, view, 8, 3, session(1)) for _ in range(2))
        assert all(torch.equal(one.inputs[name], other.inputs[name]) for name in ("frames", "flow"))
        assert torch.equal(one.targets, other.targets)
        assert one.frames == 24

    def test_colours_are_jittered_frame_by_frame(self):
        view = METHOD.view(TinyBackbone.inputs)
        plain, jittered = (
            replace(METHOD, frame_colour=strength).batch(TRAIN, view, 8, 0, session(1)) for strength in (0.0, 0.4)
        )
        assert torch.equal(plain.inputs["flow"], jittered.inputs["flow"])
        shift = jittered.inputs["frames"].float().mean((2, 3, 4)) - plain.inputs["frames"].float().mean((2, 3, 4))
        assert (shift[:8] - shift[8:]).abs().amax(1).min() > 0  # other colours for the second frame


class Places:
    """Network that knows where things are, which one with a mean over places does not."""

    card = BackboneCard(name="places", summary="a convolution and a layer over all places", dim=64)
    inputs = Inputs(view=View(frames=1, size=32))

    def build(self, *, seed):
        with seeded(seed):
            return nn.Sequential(
                nn.Conv3d(3, 16, (1, 5, 5), stride=(1, 2, 2), padding=(0, 2, 2)),
                nn.BatchNorm3d(16),
                nn.ReLU(),
                nn.MaxPool3d((1, 2, 2)),
                nn.Flatten(),
                nn.Linear(16 * 64, 64),
                nn.ReLU(),
            )


class TestFit:
    def test_it_tells_the_motions_of_videos_that_it_has_not_seen(self):
        """Squares move in four directions; a wrong block that moves in the right one cannot be told."""
        method = replace(METHOD, batch_size=16, hidden=64, lr=1e-3, dropout=0.0)
        encoder = CachedEncoder(method.fit(Places(), TRAIN, session(200, method=method)), key="x")
        scores = values(PretextAccuracy(pairs=2).evaluate(encoder, MovingSquares(), seed=0))
        assert scores["accuracy"] > 0.78
        assert scores["cross_entropy"] < 0.45
        assert scores["auc"] > 0.8

    def test_it_keeps_the_whole_network(self, fitted, tmp_path):
        fitted.save(tmp_path)
        loaded = METHOD.load(TinyBackbone(), tmp_path)
        assert isinstance(loaded, PoseFromActionEncoder)
        assert all(torch.equal(tensor, weights(fitted)[name]) for name, tensor in weights(loaded).items())
        assert loaded.promise == METHOD.promise(TinyBackbone())
        assert "pretext" in loaded.promise.offers
        assert CachedEncoder(loaded, key="x").pretext().apart == 12

    def test_every_part_learns(self, fitted):
        start = METHOD.build_network(TinyBackbone(), 0).state_dict()
        learnt = fitted.pretext.state_dict()
        for part in ("appearance.0.weight", "motion.0.weight", "motion.3.weight", "head.1.weight", "head.4.weight"):
            assert not torch.equal(start[part], learnt[part]), part

    def test_an_interrupted_fit_ends_with_the_same_bits(self, tmp_path, monkeypatch, one_thread):
        monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
        monkeypatch.setattr("harness.training.loop.EVERY", 1)

        class Killed(Exception):
            pass

        class Dying(CountingSplit):
            times = 0

            def read(self, index, *arguments, **options):
                self.times += 1
                if self.times > 8 * 18:
                    raise Killed
                return super().read(index, *arguments, **options)

        steps = 24
        with pytest.raises(Killed):
            METHOD.fit(TinyBackbone(), Dying(TRAIN), session(steps, tmp_path / "broken"))
        assert list((tmp_path / "broken" / "checkpoints").iterdir())
        again = METHOD.fit(TinyBackbone(), TRAIN, session(steps, tmp_path / "broken"))
        once = METHOD.fit(TinyBackbone(), TRAIN, session(steps))
        assert all(torch.equal(tensor, weights(once)[name]) for name, tensor in weights(again).items())

    def test_a_second_fit_computes_no_flow(self, tmp_path, monkeypatch):
        """Neither the steps nor another fit of the same videos: each is computed once, before the first step."""
        computed = []
        monkeypatch.setattr(flow_cache, "flow", lambda frames, algorithm: computed.append(1) or flow(frames, algorithm))
        videos = []
        for number in range(4):
            clip = torch.randint(0, 256, (16, 48, 64, 3), generator=torch.Generator().manual_seed(number))
            write_video(path := tmp_path / f"{number}.mp4", clip.byte().numpy(), fps=25)
            labels = {"action": 0}
            videos.append(Video(id=path.stem, path=path, frames=16, fps=25.0, width=64, height=48, labels=labels))
        train = VideoSplit("train", tuple(videos), {"action": ("any",)}).unlabelled()
        method = replace(METHOD, batch_size=4)
        for seed, times in ((0, 4), (1, 4)):
            method.fit(TinyBackbone(), train, TrainingSession(Budget(frames=36, seed=seed), name="pose"))
            assert len(computed) == times

    def test_damaged_branches_are_named(self, fitted, tmp_path):
        fitted.save(tmp_path)
        (tmp_path / BRANCHES).write_bytes(b"nothing")
        with pytest.raises(DataError, match="the stored pretext network cannot be read"):
            METHOD.load(TinyBackbone(), tmp_path)


class TestRefusal:
    @pytest.mark.parametrize(
        "options", [{"apart": 0}, {"negatives": 0}, {"hidden": 0}, {"dropout": 1.0}, {"frame_colour": 0.6}]
    )
    def test_of_impossible_options(self, options):
        with pytest.raises(UsageError, match=r"method 'pose_from_action': .* got"):
            PoseFromAction(**options)

    def test_of_videos_that_are_too_short(self):
        with pytest.raises(DataError, match=r"0 of 48 videos are longer than that: choose a smaller `apart`"):
            replace(METHOD, apart=24).fit(TinyBackbone(), TRAIN, session(1))

    def test_short_videos_are_left_out(self):
        short = replace(
            TRAIN,
            videos=tuple(replace(video, frames=12) if index % 2 else video for index, video in enumerate(TRAIN.videos)),
        )
        assert METHOD._eligible(short).tolist() == list(range(0, 48, 2))

    def test_of_whole_videos(self):
        with pytest.raises(UsageError, match="trains on clips"):
            METHOD.view(Inputs(view=WholeVideo()))

    def test_of_networks_without_convolution(self):
        class Flat(TinyBackbone):
            def build(self, *, seed):
                with seeded(seed):
                    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 16))

        with pytest.raises(UsageError, match="expected a network with a convolution, for inputs of 24 channels"):
            METHOD.fit(Flat(), TRAIN, session(1))


def test_the_card_says_where_the_defaults_are_not_the_papers():
    options = PoseFromAction()
    assert (options.hidden, options.dropout) == (1024, 0.0)
    assert sum("1,024 hidden units and no dropout" in one for one in PoseFromAction.card.deviations) == 1
