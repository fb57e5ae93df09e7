"""Networks of torchvision: its own numbers, inputs of its own transforms, every model without its classifier."""

from __future__ import annotations

import pytest
import torch

from harness.backbones.cards import TORCHVISION
from harness.backbones.libraries.importing import import_library
from harness.backbones.libraries.torchvision import Torchvision
from harness.backbones.r3d_18 import R3D18
from harness.errors import UsageError
from harness.testing import conformance

models = import_library(TORCHVISION, "torchvision.models")


@conformance(
    Torchvision("r3d_18", size=32, frames=4),
    Torchvision("squeezenet1_1", size=48, frames=2, dropout=0.1),
)
def test_conformance(check):
    check()


def clips(backbone):
    view = backbone.inputs.view
    random = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, view.frames, view.size, view.size, generator=random)


def test_a_video_network_is_the_registered_one():
    backbone = Torchvision("r3d_18")
    assert backbone.inputs == R3D18.inputs
    assert backbone.card.layers == ("stem", "layer1", "layer2", "layer3", "layer4")
    assert (backbone.card.dim, backbone.card.spatial) == (512, "layer4")
    first, second = backbone.build(seed=3).state_dict(), R3D18().build(seed=3).state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(values, second[name]) for name, values in first.items())


def test_an_image_network_is_averaged_over_frames():
    backbone = Torchvision("resnet18", size=32, frames=2)
    network = backbone.build(seed=0).eval()
    own = models.resnet18(weights=None)
    own.load_state_dict({**network.state_dict(), "fc.weight": own.fc.weight, "fc.bias": own.fc.bias})
    own.fc = torch.nn.Identity()
    batch = clips(backbone)
    with torch.inference_mode():
        wanted = torch.stack([own.eval()(frame) for frame in batch.unbind(2)]).mean(0)
        assert torch.allclose(network(batch), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "dim", "view"),
    [
        ("swin3d_t", 768, (32, 2, 224, 256)),
        ("mvit_v1_b", 768, (16, 4, 224, 256)),
        ("s3d", 1024, (128, 2, 224, 256)),
        ("alexnet", 4096, (8, 4, 224, 256)),
        ("googlenet", 1024, (8, 4, 224, 256)),
        ("efficientnet_b1", 1280, (8, 4, 240, 255)),
        ("regnet_x_400mf", 400, (8, 4, 224, 232)),
    ],
)
def test_dims_and_views(model, dim, view):
    backbone = Torchvision(model)
    seen = backbone.inputs.view
    assert (backbone.card.dim, (seen.frames, seen.stride, seen.size, seen.resize)) == (dim, view)


@pytest.mark.parametrize("model", ["googlenet", "inception_v3"])
def test_published_weights_see_the_pixels_that_they_learnt_from(model, monkeypatch):
    file = models.get_model(model, init_weights=False, aux_logits=True).state_dict()
    monkeypatch.setattr(models._api, "load_state_dict_from_url", lambda *arguments, **named: file)
    own = models.get_model(model, weights="DEFAULT").eval()
    own.fc = torch.nn.Identity()
    backbone = Torchvision(model, size=75, frames=1)
    network = backbone.build(seed=0).eval()
    network.load_state_dict({name: file[name] for name in network.state_dict()})
    batch = clips(backbone)
    with torch.inference_mode():
        wanted = own(batch[:, :, 0])
        assert torch.linalg.norm(network(batch) - wanted) < 1e-3 * wanted.norm()


def test_positions_of_a_transformer_follow_the_size():
    backbone = Torchvision("vit_b_32", size=64, frames=1)
    assert (backbone.inputs.view.size, backbone.inputs.view.resize) == (64, 73)
    assert backbone.card.layers[-1] == "encoder.layers.encoder_layer_11"


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("r3d_19", {}, "unknown model of torchvision: 'r3d_19'; did you mean 'r3d_18'"),
        ("maskrcnn_resnet50_fpn", {}, "unknown model of torchvision: 'maskrcnn_resnet50_fpn'"),
        ("r3d_18", {"weights": "DEFAULT"}, "option weights of torchvision is the harness's"),
        ("r3d_18", {"over_time": "sequence"}, "option over_time is of image networks; 'r3d_18' of torchvision sees"),
    ],
)
def test_what_is_no_backbone(model, options, message):
    with pytest.raises(UsageError, match=message):
        Torchvision(model, **options)
