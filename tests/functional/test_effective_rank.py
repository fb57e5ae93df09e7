"""Effective rank: closed forms, and a twin by singular values."""

from __future__ import annotations

import pytest
import torch

from harness.functional.effective_rank import effective_rank


@pytest.mark.parametrize("shape", [(50, 7), (7, 50), (20, 20)])
def test_it_is_that_of_the_singular_values(shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(0)) + 5
    s = torch.linalg.svdvals(x.double() - x.double().mean(0))
    expected = float(s.square().sum() ** 2 / (s**4).sum())
    assert effective_rank(x) == pytest.approx(expected, rel=1e-9)


def test_equal_directions_count_each_and_one_alone_is_1():
    axes = torch.cat([torch.eye(5), -torch.eye(5)])
    assert effective_rank(axes) == pytest.approx(5.0)
    assert effective_rank(torch.arange(9.0)[:, None] * torch.ones(4)) == pytest.approx(1.0)


def test_a_collapse_is_0_and_scale_and_shift_do_not_matter():
    assert effective_rank(torch.full((6, 3), 2.0)) == 0.0
    x = torch.randn(30, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert effective_rank(3 * x - 4) == pytest.approx(effective_rank(x))


def test_other_shapes_are_refused():
    for wrong in (torch.zeros(3), torch.zeros(0, 3), torch.zeros(2, 2, dtype=torch.int64)):
        with pytest.raises(ValueError, match="x must be"):
            effective_rank(wrong)
