"""Local response normalisations against loops and torch."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from harness_temporal_coherency.local_response import AcrossChannels, WithinChannels


@pytest.mark.parametrize("alpha", [5e-5, 3.0])
def test_normalisation_within_channels_is_a_loop_over_pixels(alpha):
    maps = 10 * torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = torch.empty_like(maps)
    for image, channel, row, column in itertools.product(*map(range, maps.shape)):
        around = [
            float(maps[image, channel, y, x]) ** 2
            for y, x in itertools.product((row - 1, row, row + 1), (column - 1, column, column + 1))
            if 0 <= y < 5 and 0 <= x < 4
        ]
        scale = (1 + alpha * sum(around) / 9) ** 0.75
        expected[image, channel, row, column] = maps[image, channel, row, column] / scale
    torch.testing.assert_close(WithinChannels(3, alpha, 0.75)(maps), expected)


@pytest.mark.parametrize("channels", [1, 3, 24])
def test_normalisation_across_channels_is_torchs(channels):
    maps = 100 * torch.randn(2, channels, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = nn.LocalResponseNorm(5, alpha=0.02, beta=0.75)(maps)
    torch.testing.assert_close(AcrossChannels(5, 0.02, 0.75)(maps), expected)


@pytest.mark.parametrize("normalisation", [AcrossChannels(3, 2.0, 0.75), WithinChannels(3, 2.0, 0.75)])
def test_normalisations_have_the_right_gradient(normalisation):
    maps = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.autograd.gradcheck(normalisation, maps.requires_grad_())
