"""Local response normalisation across channels against torch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.backbones.local_response import AcrossChannels


@pytest.mark.parametrize("channels", [1, 3, 24])
@pytest.mark.parametrize("constants", [{"alpha": 0.02, "beta": 0.75}, {"alpha": 5e-4, "beta": 0.75, "k": 2.0}])
def test_normalisation_across_channels_is_torchs(channels, constants):
    maps = 100 * torch.randn(2, channels, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = nn.LocalResponseNorm(5, **constants)(maps)
    assert (maps / expected).max() > 1.1 * constants.get("k", 1.0) ** 0.75  # squares matter
    torch.testing.assert_close(AcrossChannels(5, **constants)(maps), expected)


def test_normalisation_has_the_right_gradient():
    maps = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.autograd.gradcheck(AcrossChannels(3, 2.0, 0.75, 2.0), maps.requires_grad_())


def test_small_maps_are_divided_by_a_constant():
    maps = 1e-3 * torch.randn(2, 8, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(AcrossChannels(5, 5e-4, 0.75, 2.0)(maps), maps * 2**-0.75)
