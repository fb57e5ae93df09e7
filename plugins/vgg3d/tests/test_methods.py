"""Both methods: what they learn, keep, resume and refuse."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

from harness.backbones.small_2d import Small2D
from harness.backbones.start import Start
from harness.cards import BackboneCard, View
from harness.encoders.frozen import CachedEncoder
from harness.errors import DataError, UsageError
from harness.methods.pretrained import Pretrained
from harness.methods.start import WithStart
from harness.testing import MovingSquares, TinyBackbone
from harness.training import checkpoints
from harness.training.session import TrainingSession
from harness.values import Budget, Encoding, Inputs, joined_promise
from harness_vgg3d import frame_method
from harness_vgg3d.c3d import C3d
from harness_vgg3d.spatial_stream import SpatialStream
from harness_vgg3d.vgg3d import Vgg3d
from harness_vgg3d.vgg19 import Vgg19

TRAIN, TEST = (MovingSquares().split(name) for name in ("train", "test"))
SMALL = {"frames": 6, "batch_size": 8, "optimizer": "adamw", "lr": 0.003}
HEAD = {**SMALL, "channels": 8, "units": 16}
BOTH = [Vgg3d(**HEAD), SpatialStream(**SMALL)]


def session(method, steps, folder=None, seed=0, frames=0):
    budget = Budget(frames=frames or method.batch_size * method.frames * steps, seed=seed)
    return TrainingSession(budget, name=method.card.name, folder=folder)


def fit(method, steps, backbone=None, **options):
    return method.fit(backbone or TinyBackbone(), TRAIN, session(method, steps, **options))


def weights(encoder):
    return {name: tensor.clone() for name, tensor in encoder.pretext.state_dict().items()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def accuracy(encoder, shuffle=None):
    vectors = CachedEncoder(encoder, key="key").features(TEST, Encoding(shuffle=shuffle)).vectors
    labels = torch.tensor([video.labels["action"] for video in TEST.videos])
    return float((encoder.pretext.classifier(vectors).argmax(1) == labels).double().mean())


@pytest.mark.parametrize("method", BOTH)
def test_the_encoder_is_what_was_promised(method):
    encoder = fit(method, 1)
    assert method.promise(TinyBackbone()).kept_by(encoder.promise)
    assert encoder.promise.view == View(frames=6, stride="uniform", size=32, resize=37)
    assert encoder.pretext.classes == TRAIN.classes["action"]


@pytest.mark.parametrize("method", BOTH)
@pytest.mark.parametrize("trained", ["adaptation", "all"])
def test_an_encoder_is_loaded_as_it_was_saved(method, trained, tmp_path):
    method = type(method)(**{**(HEAD if isinstance(method, Vgg3d) else SMALL), "trained": trained})
    encoder = fit(method, 2)
    encoder.save(tmp_path)
    assert equal(weights(method.load(TinyBackbone(), tmp_path)), weights(encoder))


@pytest.mark.parametrize("method", BOTH)
def test_adaptation_leaves_the_network_of_frames_and_its_statistics(method):
    network = TinyBackbone().build(seed=0).state_dict()
    kept = fit(method, 3).pretext.network.frames.network.state_dict()
    assert kept  # the head's own are elsewhere
    for name, tensor in kept.items():
        assert torch.equal(tensor, network[name]), name


@pytest.mark.parametrize("method", BOTH)
def test_trained_as_a_whole_all_layers_move(method):
    method = type(method)(**{**(HEAD if isinstance(method, Vgg3d) else SMALL), "trained": "all"})
    encoder, network = fit(method, 3), TinyBackbone().build(seed=0).state_dict()
    for name, tensor in encoder.pretext.network.frames.network.named_parameters():
        assert not torch.equal(tensor, network[name]), name


@pytest.mark.parametrize("method", [*BOTH, Vgg3d(**HEAD, order="shuffled"), Vgg3d(**HEAD, trained="all")])
def test_a_killed_fit_goes_on_to_the_same_bits(method, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    whole, original = weights(fit(method, 14)), frame_method.epoch_videos

    def killed(count, size, step, **place):
        if step == 13:
            raise KeyboardInterrupt
        return original(count, size, step, **place)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(frame_method, "epoch_videos", killed)
        fit(method, 14, folder=tmp_path)
    steps = []

    def counted(count, size, step, **place):
        steps.append(step)
        return original(count, size, step, **place)

    monkeypatch.setattr(frame_method, "epoch_videos", counted)
    assert equal(weights(fit(method, 14, folder=tmp_path)), whole)
    assert min(steps) == 10


def test_seeds_differ_and_one_repeats():
    method = BOTH[0]
    one, same, other = (weights(fit(method, 2, seed=seed)) for seed in (0, 0, 1))
    assert equal(one, same)
    assert not equal(one, other)


def test_it_learns_which_way_squares_move_and_the_stream_cannot():
    """Motion is nothing that a single frame shows: four classes, 25 % by chance."""
    three_d = fit(Vgg3d(**{**HEAD, "frames": 9, "channels": 16, "units": 32, "dropout": 0.2}), 120)
    stream = fit(SpatialStream(**SMALL), 120)
    assert accuracy(three_d) > 0.75
    assert accuracy(stream) < 0.6


def test_shuffled_frames_cost_what_was_learnt_of_motion():
    options = {**HEAD, "frames": 9, "channels": 16, "units": 32, "dropout": 0.2}
    ordered, shuffled = (fit(Vgg3d(**options, order=order), 120) for order in ("time", "shuffled"))
    assert accuracy(ordered) - accuracy(ordered, shuffle=0) > 0.2
    assert accuracy(ordered) - accuracy(shuffled) > 0.2


def test_shuffled_training_sees_a_new_order_each_time():
    method = Vgg3d(**HEAD, order="shuffled")
    one, other = (method.orders(5, torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert one.shape == (5, 6)
    assert torch.equal(one.sort(1).values, torch.arange(6).expand(5, 6))
    assert not torch.equal(one, other)
    assert len({tuple(row) for row in one.tolist()}) > 1
    assert Vgg3d(**HEAD).orders(5, torch.Generator()) is None


@pytest.mark.parametrize("method", BOTH)
def test_the_network_of_frames_starts_from_given_weights(method, tmp_path):
    backbone = TinyBackbone()
    save_file(backbone.build(seed=7).state_dict(), tmp_path / "frames.safetensors")
    start = Start(weights=str(tmp_path / "frames.safetensors"), learnt_from="elsewhere", labels=True)
    encoder = WithStart(method, start).fit(backbone, TRAIN, session(method, 1))
    kept, given = encoder.pretext.network.frames.network.state_dict(), backbone.build(seed=7).state_dict()
    assert all(torch.equal(tensor, given[name]) for name, tensor in kept.items())


def test_beside_c3d_a_video_has_5120_numbers():
    """1,024 of the maximum over crops and 4,096 of fc6."""
    other = Pretrained(weights="c3d.safetensors", learnt_from="sports1m", labels=True)
    parts = Vgg3d().promise(Vgg19()), other.promise(C3d())
    assert joined_promise(parts, "concat").shape == (5120,)


def test_short_videos_repeat_frames():
    method = Vgg3d(**{**HEAD, "frames": 40})
    assert fit(method, 1).promise.view.frames == 40  # of videos of 24


class TestRefusals:
    @pytest.mark.parametrize("options", [{"frames": 0}, {"dropout": 1.0}, {"dropout": -0.1}])
    @pytest.mark.parametrize("kind", [Vgg3d, SpatialStream])
    def test_impossible_options(self, kind, options):
        with pytest.raises(UsageError, match=r"frames must be at least 1 and dropout in \[0, 1\), got"):
            kind(**options)

    @pytest.mark.parametrize("options", [{"channels": 0}, {"units": 0}, {"frames": 2}])
    def test_an_empty_head(self, options):
        with pytest.raises(UsageError, match="channels and units must be at least 1 and frames at least 3, got"):
            Vgg3d(**options)

    def test_a_backbone_without_a_spatial_layer(self):
        class Flat(TinyBackbone):
            card = BackboneCard(name="flat", summary="no maps", dim=16)

        with pytest.raises(
            UsageError, match="concatenates the maps of a backbone's spatial layer, and 'flat' has none"
        ):
            Vgg3d(**HEAD).promise(Flat())
        assert SpatialStream(**SMALL).promise(Flat()).shape == (16,)

    def test_the_last_pool_of_vgg19_is_a_layer_of_maps(self):
        backbone = Vgg19(width=1 / 32, size=64)
        method = Vgg3d(**HEAD, layer="pool5")
        network = method.assemble(backbone.build(seed=0), backbone, backbone.inputs)
        assert network.frames.shape == (16, 2, 2)

    def test_a_layer_that_is_not_there(self):
        with pytest.raises(UsageError, match="unknown layer of backbone 'tiny': '1'"):
            Vgg3d(**HEAD, layer="1").promise(TinyBackbone())

    def test_a_backbone_of_flow(self):
        class Flow(TinyBackbone):
            inputs = Inputs(view=View(frames=2, size=32), mean=(0.0, 0.0), std=(1.0, 1.0), kind="flow")

        with pytest.raises(UsageError, match="expects a backbone that sees images, got one of flow"):
            Vgg3d(**HEAD).promise(Flow())

    def test_a_label_that_is_not_there(self):
        with pytest.raises(DataError, match="the training split has no label 'place'; it has: action"):
            fit(Vgg3d(**HEAD, label="place"), 1)

    def test_a_budget_of_less_than_one_example(self):
        method = Vgg3d(**HEAD)
        with pytest.raises(UsageError, match="one example shows 6 frames, and the budget is 5"):
            method.fit(TinyBackbone(), TRAIN, session(method, 0, frames=5))


def test_another_layer_of_the_backbone_gives_the_maps():
    class Layered(TinyBackbone):
        card = BackboneCard(name="layered", summary="two layers", dim=16, spatial="0", layers=("3",))

    network = fit(Vgg3d(**HEAD, layer="3"), 1, Layered()).pretext.network
    assert network.frames.shape == (16, 8, 8)


def test_paper_sizes_on_the_papers_kind_of_network():
    """Small2D's maps at 64 pixels: 128 x 8 x 8."""
    method = Vgg3d(frames=30, channels=64, units=256)
    network = method.assemble(Small2D().build(seed=0), Small2D(), method.clip_inputs(Small2D()))
    assert network.adapted.layers.convolution.weight.shape == (64, 128, 3, 3, 3)
    assert network.adapted.layers.fc1.in_features == 64 * 10 * 4 * 4
