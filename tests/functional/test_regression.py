"""Measures of regression beside scikit-learn, SciPy and the others one at a time."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import spearmanr
from sklearn.metrics import r2_score

from harness.functional.regression import r_squared, r_squared_without, spearman


def draw(n=30, seed=0):
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randn(n, generator=generator, dtype=torch.float64) * 3 + 100
    return targets, targets + torch.randn(n, generator=generator, dtype=torch.float64)


def test_r_squared_equals_scikit_learn():
    targets, predicted = draw()
    rows = torch.stack([predicted, torch.full_like(targets, 90.0), targets])
    assert r_squared(targets, rows).tolist() == pytest.approx([r2_score(targets, row) for row in rows])


def test_r_squared_without_a_video_is_that_of_the_others():
    targets, predicted = draw()
    expected = [r2_score(targets[torch.arange(30) != left], predicted[torch.arange(30) != left]) for left in range(30)]
    assert r_squared_without(targets, predicted).tolist() == pytest.approx(expected)
    alike = r_squared_without(torch.tensor([0.1, 0.1, 0.1, 3.0]), torch.zeros(4))
    assert alike.isnan().tolist() == [False, False, False, True]


@pytest.mark.parametrize("decimals", [0, 6])
def test_spearman_equals_scipy(decimals):
    one, other = (row.round(decimals=decimals) for row in draw())
    assert spearman(one, other).item() == pytest.approx(spearmanr(one, other).statistic)
    assert spearman(one, -one).item() == pytest.approx(-1)
    assert spearman(one, torch.zeros(30)).item() == 0


def test_what_is_wrong():
    with pytest.raises(ValueError, match="targets must not all be equal"):
        r_squared(torch.ones(3), torch.zeros(3))
    with pytest.raises(ValueError, match="expected rows of the same videos"):
        r_squared(torch.ones(3), torch.zeros(4))
