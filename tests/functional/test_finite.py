"""One pass over the entries, against PyTorch's mask."""

import pytest
import torch

from harness.functional.finite import all_finite


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("entry", [0.0, torch.nan, torch.inf, -torch.inf])
def test_each_entry_counts(dtype, entry):
    x = torch.randn(7, 33, generator=torch.Generator().manual_seed(0)).to(dtype)
    x[3, 20] = entry
    assert all_finite(x) == bool(torch.isfinite(x).all()) == (entry == 0)


def test_finite_entries_whose_sum_is_not():
    assert all_finite(torch.full((9,), torch.finfo(torch.float32).max))


def test_no_entries():
    assert all_finite(torch.empty(0, 4))
