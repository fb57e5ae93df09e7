"""Networks of pytorchvideo: its own numbers, the model zoo's clips, two pathways."""

from __future__ import annotations

import pytest
import torch

from harness.backbones.cards import PYTORCHVIDEO
from harness.backbones.libraries.importing import import_library
from harness.backbones.libraries.pytorchvideo import Pytorchvideo
from harness.errors import UsageError
from harness.testing import conformance

hub = import_library(PYTORCHVIDEO, "pytorchvideo.models.hub")
NARROW = {"stem_dim_outs": [16, 2], "size": 32, "frames": 8}


@conformance(Pytorchvideo("x3d_xs", size=32), Pytorchvideo("slowfast_r50", **NARROW))
def test_conformance(check):
    check()


def clips(backbone):
    view = backbone.inputs.view
    random = torch.Generator().manual_seed(0)
    return torch.randn(2, 3, view.frames, view.size, view.size, generator=random)


def test_vectors_are_what_pytorchvideo_classifies():
    backbone = Pytorchvideo("x3d_xs", size=64)
    network = backbone.build(seed=0).eval()
    own = hub.x3d.create_x3d(input_clip_length=4, input_crop_size=64, head_activation=None)
    classifier = {name: values for name, values in own.state_dict().items() if name.startswith("blocks.5.proj")}
    own.load_state_dict({**network.state_dict(), **classifier})
    with torch.inference_mode():
        vectors = network(clips(backbone))
        assert torch.allclose(own.eval().blocks[-1].proj(vectors), own(clips(backbone)), atol=1e-5)


def test_a_slowfast_network_gets_both_pathways():
    backbone = Pytorchvideo("slowfast_r50", **NARROW)
    network = backbone.build(seed=0).eval()
    own = hub.slowfast_r50(stem_dim_outs=[16, 2], head_pool_kernel_sizes=((2, 1, 1), (8, 1, 1)))
    classifier = {name: values for name, values in own.state_dict().items() if ".proj." in name}
    own.load_state_dict({**network.state_dict(), **classifier})
    batch = clips(backbone)
    with torch.inference_mode():
        wanted = own.eval()([batch[:, :, [0, 7]], batch])
        assert torch.allclose(own.blocks[-1].proj(network(batch)), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "dim", "view"),
    [
        ("slow_r50", 2048, (8, 8, 224, 256)),
        ("slowfast_r50", 2304, (32, 2, 224, 256)),
        ("x3d_s", 2048, (13, 6, 160, 183)),
        ("efficient_x3d_xs", 2048, (4, 12, 160, 183)),
        ("mvit_base_16x4", 768, (16, 4, 224, 256)),
    ],
)
def test_dims_and_views(model, dim, view):
    backbone = Pytorchvideo(model)
    seen = backbone.inputs.view
    assert (backbone.card.dim, (seen.frames, seen.stride, seen.size, seen.resize)) == (dim, view)
    assert (backbone.inputs.mean, backbone.inputs.std) == ((0.45,) * 3, (0.225,) * 3)


def test_layers():
    slow = Pytorchvideo("slow_r50").card
    assert (slow.layers, slow.spatial) == (tuple(f"blocks.{number}" for number in range(5)), "blocks.4")
    assert Pytorchvideo("mvit_base_16x4").card.tokens == "norm_embed"


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("slow_r51", {}, "unknown model of pytorchvideo: 'slow_r51'; did you mean 'slow_r50'"),
        ("slow_r50_detection", {}, "unknown model of pytorchvideo: 'slow_r50_detection'"),
        ("slow_r50", {"pretrained": True}, "option pretrained of pytorchvideo is the harness's"),
        ("slowfast_r50", {"frames": 9}, "'slowfast_r50' of pytorchvideo: expected a multiple of 4 frames, got 9"),
    ],
)
def test_what_is_no_backbone(model, options, message):
    with pytest.raises(UsageError, match=message):
        Pytorchvideo(model, **options)
