"""Any `nn.Module` becomes an encoder and is measured by every evaluator, registered nowhere."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import safetensors.torch
import torch
from torch import nn

from harness.backbones.per_frame import PerFrame
from harness.cards import View, WholeVideo
from harness.datasets.mocap_actions.dataset import MocapActions
from harness.encoders.frozen import CachedEncoder, fingerprint
from harness.encoders.network import WEIGHTS, NetworkEncoder, NetworkMethod
from harness.errors import DataError, PluginError, UsageError
from harness.evaluators import finetune
from harness.evaluators.clustering import Clustering
from harness.evaluators.encoding_options import EncodingOptions, WithEncoding
from harness.evaluators.few_shot import FewShot
from harness.evaluators.finetune import Finetune, video_scores
from harness.evaluators.knn import KNN
from harness.evaluators.linear import LinearProbe
from harness.evaluators.pose import head as pose_head
from harness.evaluators.pose.protocol import Pose
from harness.evaluators.throughput import Throughput
from harness.system.seeding import seeded
from harness.testing import MovingSquares
from harness.testing.fixtures import TinyBackbone
from harness.values import Encoding, Inputs, VideoBatch
from harness.video.transforms import normalise

VIEW = View(frames=4, stride=4, size=32)
INPUTS = Inputs(view=VIEW, mean=(0.3, 0.4, 0.5), std=(0.2, 0.25, 0.3))


class PlainViT(nn.Module):
    """Patches of 8 pixels of each frame as tokens, places and times added, two transformer layers, the mean."""

    def __init__(self, width=24, side=4, frames=4):
        super().__init__()
        self.patches = nn.Conv3d(3, width, (1, 8, 8), stride=(1, 8, 8))
        self.places = nn.Parameter(0.1 * torch.randn(width, 1, side, side))
        self.times = nn.Parameter(0.1 * torch.randn(width, frames, 1, 1))
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.1, batch_first=True)
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.maps = nn.Identity()

    def forward(self, clips):
        patches = self.patches(clips)
        tokens = patches + self.places + self.times[:, : clips.shape[2]]
        mixed = self.blocks(tokens.flatten(2).mT).mT
        return self.maps(mixed.unflatten(2, patches.shape[2:])).mean((2, 3, 4))


class Recurrent(nn.Module):
    """A GRU over the rows and columns of small frames; its vector is the last state."""

    def __init__(self, width=20):
        super().__init__()
        self.small = nn.AdaptiveAvgPool3d((None, 8, 8))
        self.states = nn.GRU(3 * 8 * 8, width, batch_first=True)

    def forward(self, clips):
        return self.states(self.small(clips).transpose(1, 2).flatten(2))[0][:, -1]


def vit():
    with seeded(0):
        return NetworkEncoder(PlainViT(), INPUTS, layers=("blocks", "maps"), spatial="maps")


def recurrent():
    with seeded(0):
        return NetworkEncoder(Recurrent(), INPUTS, layers=("small",))


@pytest.fixture(scope="module", params=[vit, recurrent], ids=["vit", "recurrent"])
def encoder(request):
    return request.param()


CLIPS = VideoBatch(torch.randint(256, (5, 3, 4, 32, 32), generator=torch.Generator().manual_seed(0)).to(torch.uint8))


def test_its_dim_is_probed(encoder):
    assert encoder.dim == {PlainViT: 24, Recurrent: 20}[type(encoder.module)]
    assert encoder.promise.shape == (encoder.dim,)
    assert encoder.promise.views == (VIEW,)
    assert encoder.encode(CLIPS).shape == (5, encoder.dim)


def test_what_it_offers_is_what_it_has():
    assert vit().promise.offers == {"vector", "tokens", "trainable", "feature_map"}
    assert vit().promise.spatial == "maps"
    assert recurrent().promise.offers == {"vector", "trainable"}
    assert recurrent().promise.layers == ("small",)


def test_it_encodes_in_evaluation_mode_without_gradient(encoder):
    vectors = encoder.encode(CLIPS)
    assert not vectors.requires_grad
    assert torch.equal(encoder.encode(CLIPS), vectors)  # no dropout
    with torch.no_grad():
        expected = copy.deepcopy(encoder.module).eval()(normalise(CLIPS.clips, INPUTS))
    torch.testing.assert_close(vectors, expected)
    torch.testing.assert_close(encoder.encode(VideoBatch(CLIPS.clips[:2])), vectors[:2])


EVALUATORS = [
    pytest.param(evaluator, metric, id=name)
    for name, evaluator, metric in [
        ("linear_probe", LinearProbe(), "top1"),
        ("knn", KNN(k=5), "top1"),
        ("few_shot", FewShot(shots=[5], draws=2), "top1_5"),
        ("clustering", Clustering(repeats=2), "conditional_entropy"),
        ("clustering of clips", Clustering(repeats=2, clips=2), "conditional_entropy"),
        ("finetune", Finetune(frames=64 * 4, lrs=(1e-3,), mirror=False), "top1"),
        ("throughput", Throughput(batch_size=2, repeats=1), "encode_clips_per_s"),
    ]
]


@pytest.mark.parametrize(("evaluator", "metric"), EVALUATORS)
def test_every_evaluator_measures_it(encoder, evaluator, metric):
    assert evaluator.card.needs <= encoder.promise.offers
    before = fingerprint(encoder)
    evaluation = evaluator.evaluate(CachedEncoder(encoder, key="x"), MovingSquares(), seed=0)
    assert fingerprint(encoder) == before
    values = {score.metric: score.value for score in evaluation.scores}
    assert next(iter(values)) == evaluator.card.primary.id == metric
    low, high = evaluator.card.primary.bounds
    assert low <= values[metric] <= (high if high is not None else float("inf"))
    if isinstance(evaluator, Throughput):
        parameters = sum(parameter.numel() for parameter in encoder.module.parameters())
        assert values["parameters"] == pytest.approx(parameters / 1e6)
        assert values["train_clips_per_s"] > 0
    else:
        assert len(evaluation.predictions.videos) == 32 * (getattr(evaluator, "clips", None) or 1)


class Tokens(PlainViT):
    """The tokens of a ViT, or their maps."""

    def __init__(self, *, as_maps):
        super().__init__()
        self.as_maps = as_maps

    def forward(self, clips):
        patches = self.patches(clips)
        mixed = self.blocks((patches + self.places + self.times).flatten(2).mT)
        return mixed.mT.unflatten(2, patches.shape[2:]) if self.as_maps else mixed


def tokens(*, as_maps):
    with seeded(0):
        return NetworkEncoder(Tokens(as_maps=as_maps), INPUTS)


@pytest.mark.parametrize(("evaluator", "metric"), EVALUATORS)
def test_tokens_and_maps_are_measured_by_their_means(evaluator, metric):
    """By the same numbers as the network that gives the mean of its tokens itself."""
    scores = []
    for encoder in (vit(), tokens(as_maps=False), tokens(as_maps=True)):
        assert evaluator.card.needs <= encoder.promise.offers
        before = fingerprint(encoder)
        scores.append(evaluator.evaluate(CachedEncoder(encoder, key="x"), MovingSquares(), seed=0).scores)
        assert fingerprint(encoder) == before
    assert scores[0][0].metric == metric
    if not isinstance(evaluator, Throughput):
        assert scores[0] == scores[1] == scores[2]


def test_the_shape_of_tokens_and_maps_is_probed():
    assert tokens(as_maps=False).promise.shape == (64, 24)
    assert tokens(as_maps=True).promise.shape == (24, 4, 4, 4)
    assert tokens(as_maps=False).dim == tokens(as_maps=True).dim == 24
    assert tokens(as_maps=True).promise.offers == {"vector", "tokens", "maps", "trainable"}


def test_the_tokens_of_a_layer_are_those_of_the_network():
    expected = tokens(as_maps=False).encode(CLIPS)
    for layer in ("blocks", "maps"):
        torch.testing.assert_close(vit().encode_tokens(CLIPS, layer), expected)
        assert vit().probe(layer, tokens=True) == (64, 24)


def test_the_tokens_of_frames_are_after_each_other():
    """A layer that sees each frame for itself has the tokens of a clip's frames in its batch."""
    with seeded(0):
        frames = NetworkEncoder(PerFrame(nn.Conv2d(3, 7, 8, stride=8), {"pool": nn.Flatten()}), INPUTS)
    maps = frames.encode_tokens(CLIPS, "feature_map")
    assert maps.shape == (5, 4 * 16, 7)
    alone = frames.encode_tokens(VideoBatch(CLIPS.clips[:, :, 2:3]), "feature_map")
    torch.testing.assert_close(maps[:, 32:48], alone)
    assert frames.encode_tokens(CLIPS, "pool").shape == (5, 4, 7 * 16)


@pytest.mark.parametrize("over", ["frames", "clip"])
def test_the_tokens_of_a_map_whose_channels_are_last_are_its_places(over):
    class ChannelsLast(nn.Module):
        def forward(self, clips):
            clips = clips.movedim(1, -1)
            return clips.flatten(0, 1) if over == "frames" else clips

    encoder = NetworkEncoder(nn.Sequential(nn.AvgPool3d((1, 8, 8)), nn.Identity(), ChannelsLast()), INPUTS)
    assert encoder.probe("2", tokens=True) == (4 * 16, 3)
    torch.testing.assert_close(encoder.encode_tokens(CLIPS, "2"), encoder.encode_tokens(CLIPS, "1"))


def test_a_layer_of_one_vector_has_no_tokens():
    encoder = NetworkEncoder(nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Flatten()), INPUTS)
    with pytest.raises(UsageError, match=r"layer '1' gives one vector for a clip, \(5, 3\); expected tokens or a map"):
        encoder.encode_tokens(CLIPS, "1")


def test_fine_tuning_trains_all_of_the_network(encoder, monkeypatch):
    tuned = []

    def watch(classifier, *arguments, **options):
        tuned.append(classifier.network.network.state_dict())
        return video_scores(classifier, *arguments, **options)

    monkeypatch.setattr(finetune, "video_scores", watch)
    Finetune(frames=64, lrs=(1e-2,)).evaluate(CachedEncoder(encoder, key="x"), MovingSquares(), seed=0)
    before = encoder.module.state_dict()
    assert [name for name, weights in tuned[0].items() if torch.equal(weights, before[name])] == []


@pytest.mark.parametrize(("layer", "length"), [("blocks", 24), ("maps", 24 * 64), ("small", 3 * 4 * 64)])
def test_layers_are_measured_as_vectors(layer, length):
    encoder = recurrent() if layer == "small" else vit()
    frozen = CachedEncoder(encoder, key="x")
    vectors = frozen.asking(Encoding(layer=layer)).features(MovingSquares().split("test")).vectors
    assert vectors.shape == (32, length)
    assert WithEncoding(KNN(k=5), EncodingOptions(layer=layer)).evaluate(frozen, MovingSquares(), seed=0).scores


class Drawn(MocapActions):
    """The smallest footage with joints."""

    def __init__(self, folder):
        super().__init__()
        self._folder = folder

    @property
    def _drawn(self):
        return self._folder


def test_pose_reads_the_maps_of_a_vit(drawn, monkeypatch):
    monkeypatch.setattr(pose_head, "STEPS", 2)
    encoder = vit()
    assert Pose.card.needs <= encoder.promise.offers
    before = fingerprint(encoder)
    evaluation = Pose().evaluate(CachedEncoder(encoder, key="x"), Drawn(drawn), seed=0)
    assert fingerprint(encoder) == before
    assert evaluation.scores[0].metric == "strict_pcp_arms"
    assert evaluation.notes["input_size"] == VIEW.size  # its places are of one size
    assert evaluation.notes["feature_map"] == [4, 4]
    assert evaluation.notes["feature_map_resized"]
    with pytest.raises(PluginError, match="needs an encoder with a spatial layer"):
        Pose().evaluate(CachedEncoder(recurrent(), key="x"), Drawn(drawn), seed=0)


class TwoStreams(nn.Module):
    """Two networks that see two clips, one of them small and with red and blue exchanged."""

    def __init__(self):
        super().__init__()
        self.shapes = {}

    def forward(self, streams):
        self.shapes = {name: tuple(clips.shape) for name, clips in streams.items()}
        return torch.cat([clips.mean((2, 3, 4)) for clips in streams.values()], dim=1)


def test_a_network_of_several_streams_gets_each_by_name():
    streams = {"plain": INPUTS, "caffe": Inputs(view=VIEW, mean=(104, 117, 123), std=(1, 1, 1), scale=1, order="bgr")}
    encoder = NetworkEncoder(TwoStreams(), streams)
    assert encoder.promise.shape == (6,)
    assert encoder.promise.views == (VIEW,)
    vectors = encoder.encode(CLIPS)
    assert encoder.module.shapes == dict.fromkeys(streams, (5, 3, 4, 32, 32))
    means = CLIPS.clips.float().mean((2, 3, 4))
    torch.testing.assert_close(vectors[:, 3:], means.flip(1) - torch.tensor([104.0, 117, 123]))
    assert CachedEncoder(encoder, key="x").features(MovingSquares().split("test")).vectors.shape == (32, 6)


def test_flow_has_to_be_in_the_batch():
    flow = Inputs(view=VIEW, mean=(0, 0), std=(1, 1), scale=1, kind="flow")
    encoder = NetworkEncoder(nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Flatten()), flow)
    assert encoder.dim == 2
    pixels = torch.randn(5, 2, 4, 32, 32)
    vectors = encoder.encode(VideoBatch(CLIPS.clips, flow=pixels))
    torch.testing.assert_close(vectors, pixels.mean((2, 3, 4)))
    with pytest.raises(PluginError, match="expected a batch with optical flow, got clips alone"):
        encoder.encode(CLIPS)


def test_a_network_shown_whole_videos_is_probed_too():
    encoder = NetworkEncoder(nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Flatten()), Inputs(view=WholeVideo()))
    assert encoder.promise.shape == (3,)
    assert CachedEncoder(encoder, key="x").features(MovingSquares().split("test")).vectors.shape == (32, 3)


class TestMethod:
    """The half of a method whose encoder is the backbone's network."""

    def test_the_promise_is_kept(self):
        encoder = NetworkEncoder.of(TinyBackbone().build(seed=3), TinyBackbone())
        assert NetworkMethod().promise(TinyBackbone()) == encoder.promise

    def test_what_is_loaded_is_what_was_saved(self, tmp_path):
        encoder = NetworkEncoder.of(TinyBackbone().build(seed=3), TinyBackbone())
        encoder.save(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == [WEIGHTS]
        loaded = NetworkMethod().load(TinyBackbone(), tmp_path)
        assert loaded.promise == encoder.promise
        assert fingerprint(loaded) == fingerprint(encoder)

    @pytest.mark.parametrize("damage", ["missing", "cut off", "of another network"])
    def test_weights_that_cannot_be_read(self, tmp_path, damage):
        path = tmp_path / WEIGHTS
        NetworkEncoder.of(TinyBackbone().build(seed=3), TinyBackbone()).save(tmp_path)
        if damage == "missing":
            path.unlink()
        elif damage == "cut off":
            path.write_bytes(path.read_bytes()[:100])
        else:
            safetensors.torch.save_file({"weight": torch.zeros(2)}, path)
        with pytest.raises(DataError, match=r"the stored encoder cannot be read .* delete the folder and run again"):
            NetworkMethod().load(TinyBackbone(), tmp_path)

    def test_a_card_that_says_another_length_breaks_the_promise(self):
        class Wrong(TinyBackbone):
            card = dataclasses.replace(TinyBackbone.card, dim=17)

        encoder = NetworkEncoder.of(Wrong().build(seed=0), Wrong())
        assert not NetworkMethod().promise(Wrong()).kept_by(encoder.promise)


def test_a_layer_that_the_network_lacks():
    with pytest.raises(UsageError, match="layer of network Recurrent: 'fc6'"):
        recurrent().encode_layer(CLIPS, "fc6")
