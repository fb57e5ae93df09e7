"""Local response normalisation within channels against a loop."""

from __future__ import annotations

import itertools

import pytest
import torch

from harness_temporal_coherency.local_response import WithinChannels


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


def test_normalisation_has_the_right_gradient():
    maps = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.autograd.gradcheck(WithinChannels(3, 2.0, 0.75), maps.requires_grad_())
