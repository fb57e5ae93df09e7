"""Encoding in bfloat16: float32 vectors near those of float32."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from harness.backbones.small_2d import Small2D
from harness.backbones.small_3d import Small3D
from harness.cards import View
from harness.encoders.frozen import CachedEncoder
from harness.encoders.network import NetworkEncoder
from harness.testing.fixtures import MovingSquares, TinyBackbone
from harness.values import Encoding, Inputs, VideoBatch

COSINE = 0.999
"""Least cosine of a clip's vectors in the two precisions."""
ERROR = 0.02
"""Greatest distance between them, as a share of their length; a bfloat16 is rounded by 0.002 to 0.004 of its value."""


def clips(view):
    generator = torch.Generator().manual_seed(0)
    return VideoBatch(
        torch.randint(256, (4, 3, view.frames, view.size, view.size), generator=generator, dtype=torch.uint8)
    )


@pytest.mark.parametrize("backbone", [TinyBackbone(), Small2D(), Small3D()], ids=["tiny", "small_2d", "small_3d"])
def test_vectors_and_layers_are_float32_and_near(backbone):
    encoder = NetworkEncoder.of(backbone.build(seed=0), backbone)
    rounded = copy.copy(encoder)
    rounded.precision = "bf16"
    batch = clips(backbone.inputs.view)
    pairs = [(encoder.encode(batch), rounded.encode(batch))]
    pairs += [(encoder.encode_layer(batch, one), rounded.encode_layer(batch, one)) for one in backbone.card.layers]
    if layer := encoder.promise.token_layer:
        pairs.append(tuple(one.encode_tokens(batch, layer).flatten(1) for one in (encoder, rounded)))
    for exact, near in pairs:
        assert near.dtype == torch.float32
        assert not torch.equal(exact, near)
        assert float(nn.functional.cosine_similarity(exact, near).min()) >= COSINE
        assert float(((exact - near).norm(dim=1) / exact.norm(dim=1)).max()) <= ERROR


def test_the_vectors_are_products_of_rounded_operands():
    inputs = Inputs(view=View(frames=1, size=4))
    module = nn.Sequential(nn.Flatten(), nn.Linear(48, 7))
    with torch.no_grad():
        module[1].bias.zero_()
    batch = clips(inputs.view)
    pixels = ((batch.clips.float() / 255 - 0.5) / 0.25).flatten(1)
    products = pixels.bfloat16().double() @ module[1].weight.detach().bfloat16().double().T
    given = NetworkEncoder(module, inputs, precision="bf16").encode(batch)
    torch.testing.assert_close(given.double(), products, rtol=2**-8, atol=1e-2)
    assert torch.equal(given, given.bfloat16().float())


def test_an_encoder_of_another_class_has_its_own_precision_everywhere():
    types = []

    class Watched(nn.Linear):
        def forward(self, rows):
            types.append(super().forward(rows).dtype)
            return super().forward(rows)

    class Plugged:
        """A trainable encoder that is no `NetworkEncoder`."""

        def __init__(self):
            module = nn.Sequential(nn.AdaptiveAvgPool3d((1, 2, 2)), nn.Flatten(), Watched(12, 6), nn.ReLU())
            inner = NetworkEncoder(module, TinyBackbone.inputs, layers=("2",), precision="bf16")
            self.module, self.inputs, self.precision = module, inner.inputs, inner.precision
            self.promise, self.dim, self.encode = inner.promise, inner.dim, inner.encode

    plugged = CachedEncoder(Plugged(), key="x")
    types.clear()
    plugged.features(MovingSquares().split("test"), Encoding(layer="2"))
    assert set(types) == {torch.bfloat16}
    assert plugged.network().precision == "bf16"


def test_a_copy_of_the_network_has_its_precision():
    encoder = NetworkEncoder.of(TinyBackbone().build(seed=0), TinyBackbone())
    assert CachedEncoder(encoder, key="x").network().precision == "fp32"
    encoder.precision = "bf16"
    assert CachedEncoder(encoder, key="x").network().precision == "bf16"
