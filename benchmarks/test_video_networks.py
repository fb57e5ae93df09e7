"""torchvision's video networks by the harness, beside the same networks as torchvision gives them."""

from __future__ import annotations

import pytest
import torch

from harness.backbones.libraries.torchvision import Torchvision
from harness.encoders.network import NetworkEncoder
from harness.values import VideoBatch
from harness.video.transforms import normalise

CLIPS = 4


def as_given(backbone):
    """The network with the same weights in the default memory format, as torchvision builds it."""
    return backbone.build(seed=0).to(memory_format=torch.contiguous_format)


@pytest.mark.parametrize("name", ["r3d_18", "r2plus1d_18"])
def test_forward(beside, name):
    """Encode clips of 16 frames of 112 x 112 pixels in float32."""
    backbone = Torchvision(name)
    clips = torch.randint(256, (CLIPS, 3, 16, 112, 112), dtype=torch.uint8)
    encoder, network = NetworkEncoder(backbone.build(seed=0), backbone.inputs), as_given(backbone).eval()

    @torch.inference_mode()
    def torchvision():
        return network(normalise(clips, backbone.inputs))

    def check(vectors, theirs):
        torch.testing.assert_close(vectors, theirs["torchvision"], rtol=1e-3, atol=1e-3)

    beside(lambda: encoder.encode(VideoBatch(clips)), {"torchvision": torchvision}, clips=CLIPS, rounds=3, check=check)
