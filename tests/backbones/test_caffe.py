"""Sides of maps, beside what torch makes of them."""

from __future__ import annotations

import pytest
import torch

from harness.backbones.caffe import Convolution, max_pool, pooled_side


@pytest.mark.parametrize("side", range(3, 20))
def test_a_pooled_side_is_what_pooling_gives(side):
    assert max_pool()(torch.zeros(1, 1, side, side)).shape[-1] == pooled_side(side)


@pytest.mark.parametrize(
    "one", [Convolution(4, 7, 2, pooled=True), Convolution(4, 5, 2, 1, groups=2), Convolution(4, 3, padding=1)]
)
def test_a_side_is_what_the_layer_gives(one):
    maps = one.layer(2)(torch.zeros(1, 2, 33, 33))
    assert (max_pool()(maps) if one.pooled else maps).shape == (1, 4, one.side(33), one.side(33))


def test_a_width_scales_channels_alone():
    one = Convolution(channels=96, kernel=7, stride=2, pooled=True)
    assert one.scaled(0.25) == one._replace(channels=24)
