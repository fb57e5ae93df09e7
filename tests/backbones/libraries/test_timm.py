"""Networks of timm: its own numbers on each frame, under its own names, to its own data configuration."""

from __future__ import annotations

import copy
import math

import pytest
import torch

from harness import api
from harness.backbones.cards import TIMM
from harness.backbones.libraries.importing import import_library
from harness.backbones.libraries.timm import Timm
from harness.encoders.network import NetworkEncoder
from harness.errors import UsageError
from harness.store.runs import Store
from harness.testing import conformance
from harness.values import VideoBatch
from harness.video.transforms import normalise

timm = import_library(TIMM, "timm")


@conformance(
    Timm("test_vit", size=64, drop_path_rate=0.1),
    Timm("test_resnet", size=48, frames=4, over_time="sequence"),
)
def test_conformance(check):
    check()


def clips(backbone):
    view = backbone.inputs.view
    random = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, view.frames, view.size, view.size, generator=random)


@pytest.mark.parametrize(
    ("model", "options"), [("test_vit", {"img_size": 64}), ("test_resnet", {}), ("test_mambaout", {})]
)
def test_vectors_are_the_mean_over_frames_of_timms_own(model, options):
    backbone = Timm(model, size=64, frames=3)
    network = backbone.build(seed=1).eval()
    own = timm.create_model(model, num_classes=0, **options).eval()
    own.load_state_dict(network.state_dict())
    batch = clips(backbone)
    with torch.inference_mode():
        wanted = torch.stack([own(frame) for frame in batch.unbind(2)]).mean(0)
        assert torch.allclose(network(batch), wanted, atol=1e-5)
    assert backbone.card.dim == wanted.shape[1]


@pytest.mark.parametrize("model", ["test_vit", "test_resnet", "vit_small_patch16_224.augreg_in21k", "vgg11"])
def test_inputs_are_timms_data_configuration(model):
    inputs = Timm(model).inputs
    with torch.device("meta"):
        config = timm.data.resolve_model_data_config(timm.create_model(model))
    assert (inputs.mean, inputs.std, inputs.kind, inputs.order) == (config["mean"], config["std"], "rgb", "rgb")
    assert inputs.view.size == config["input_size"][1]
    assert inputs.view.short_side == math.floor(config["input_size"][1] / config["crop_pct"])


def test_pixels_are_normalised_as_timm_does():
    inputs = Timm("resnet18").inputs
    pixels = torch.randint(256, (1, 3, 1, 4, 4), dtype=torch.uint8)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    assert torch.allclose(normalise(pixels, inputs), (pixels / 255 - mean) / std, atol=1e-5)


def test_a_layer_of_tokens_is_the_mean_of_timms_intermediates():
    backbone = Timm("test_vit", size=64, frames=2)
    network = backbone.build(seed=0)
    assert backbone.card.layers == tuple(f"blocks.{number}" for number in range(6))
    batch = VideoBatch(torch.randint(256, (2, 3, 2, 64, 64), dtype=torch.uint8))
    vectors = NetworkEncoder.of(network, backbone).encode_layer(batch, "blocks.2")
    frames = normalise(batch.clips, backbone.inputs).transpose(1, 2).flatten(0, 1)
    ((maps, prefix),) = network.forward_intermediates(
        frames, indices=[2], return_prefix_tokens=True, intermediates_only=True, output_fmt="NLC"
    )
    tokens = torch.cat([prefix, maps], dim=1)
    assert torch.allclose(vectors, tokens.mean(1).unflatten(0, (2, 2)).mean(1), atol=1e-5)


def test_tokens_are_those_of_all_frames_and_a_sequence_is_one_of_frames():
    backbone = Timm("test_vit", size=64, frames=2)
    batch = VideoBatch(torch.randint(256, (2, 3, 2, 64, 64), dtype=torch.uint8))
    network = backbone.build(seed=0)
    tokens = NetworkEncoder.of(network, backbone).encode_tokens(batch, backbone.card.tokens)
    frames = normalise(batch.clips, backbone.inputs).transpose(1, 2).flatten(0, 1)
    with torch.inference_mode():
        assert torch.allclose(tokens, network.forward_features(frames).unflatten(0, (2, 2)).flatten(1, 2), atol=1e-5)
    sequence = Timm("test_vit", size=64, frames=2, over_time="sequence")
    encoder = NetworkEncoder.of(sequence.build(seed=0), sequence)
    assert encoder.promise.shape == sequence.card.shape == (2, 64)
    assert "tokens" in encoder.promise.offers
    means = NetworkEncoder.of(network, backbone).encode(batch)
    assert torch.allclose(encoder.encode(batch).mean(1), means, atol=1e-6)


def test_layers_and_maps():
    convolutional = Timm("test_resnet", size=64).card
    assert (convolutional.layers, convolutional.spatial) == (("act1", "layer1", "layer2", "layer3", "layer4"), "layer4")
    channels_last = Timm("test_mambaout", size=64).card
    assert channels_last.layers
    assert (channels_last.spatial, Timm("test_vit").card.spatial) == ("", "")
    assert (channels_last.tokens, Timm("test_vit").card.tokens) == ("", "norm")


def test_a_copy_computes_with_its_own_weights():
    backbone = Timm("test_vit", size=32, frames=1)
    network = backbone.build(seed=0).eval()
    changed = copy.deepcopy(network)
    with torch.no_grad():
        for parameter in changed.parameters():
            parameter.mul_(2)
        assert not torch.allclose(network(clips(backbone)), changed(clips(backbone)))


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("resnet8", {}, r"unknown model of timm: 'resnet8'; did you mean 'resnet18' or"),
        ("test_vit", {"pretrained": True}, "option pretrained of timm is the harness's: a backbone gives vectors of"),
        ("test_vit", {"checkpoint_path": "/a.pth"}, "option checkpoint_path of timm is"),
    ],
)
def test_what_timm_has_not_and_what_would_load_weights(model, options, message):
    with pytest.raises(UsageError, match=message):
        Timm(model, **options)


def test_a_suite_names_it(toy, tmp_path):
    suite = tmp_path / "suite.yaml"
    suite.write_text("""
name: networks
title: Networks
frames: 64
methods: [random_init, {name: supervised, batch_size: 4}]
backbones: [{name: timm:test_vit, size: 32, frames: 2, drop_path_rate: 0.1}]
pretraining: [blobs]
evaluators: [{name: knn, k: 3, layer: blocks.5}, {name: finetune, frames: 64, lrs: [0.1], mirror: false}]
seeds: [0]
""")
    done = api.run(suite, store=Store(tmp_path / "runs"))
    assert [run.reason for run in done.runs] == [""] * 4
    assert {run.identity.backbone.label for run in done.runs} == {
        "timm:test_vit(drop_path_rate=0.1, frames=2, size=32)"
    }
    assert {run.provenance["libraries"]["timm"] for run in done.runs} == {timm.__version__}
    other = api.run(suite, changes=["backbones.0.drop_path_rate=0.2"], store=Store(tmp_path / "runs"))
    assert not {run.fit_key for run in done.runs} & {run.fit_key for run in other.runs}
