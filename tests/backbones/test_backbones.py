"""What the conformance kit does not say of the built-in backbones: sizes, and what each can see."""

from __future__ import annotations

import pytest
import torch

from harness.backbones.r3d_18 import R3D18
from harness.backbones.resnet18 import ResNet18
from harness.backbones.small_2d import Small2D
from harness.backbones.small_3d import Small3D
from harness.errors import UsageError


@pytest.mark.parametrize(("backbone", "millions"), [(R3D18, 33.166), (ResNet18, 11.177)])
def test_standard_networks_have_their_published_size_less_the_classifier(backbone, millions):
    network = backbone().build(seed=0)
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, abs=5e-4)


@pytest.mark.parametrize(("backbone", "sees_order"), [(Small2D, False), (Small3D, True)])
def test_only_3d_convolutions_see_the_order_of_frames(backbone, sees_order):
    network = backbone().build(seed=0).eval()
    view = backbone().inputs.view
    clip = torch.randn(1, 3, view.frames, view.size, view.size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        forward, backward = network(clip), network(clip.flip(2))
    same = torch.allclose(forward, backward, atol=1e-5)
    assert same != sees_order


@pytest.mark.parametrize("backbone", [Small2D, Small3D])
def test_single_frames_are_clips_too(backbone):
    """Methods that learn from single frames run on every backbone."""
    network = backbone().build(seed=0)
    size = backbone().inputs.view.size
    vectors = network(torch.randn(5, 3, 1, size, size))
    assert vectors.shape == (5, backbone.card.dim)


def test_small_3d_sees_as_many_frames_as_it_is_asked_to():
    assert Small3D(frames=8).inputs.view.frames == 8
    assert Small3D().inputs.view.frames == 16
    with pytest.raises(UsageError, match="frames must be at least 1, got 0"):
        Small3D(frames=0)
