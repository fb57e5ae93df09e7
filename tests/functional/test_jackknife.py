"""Statistics without each video beside those of the others, one at a time."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.functional import jackknife
from harness.functional.class_scores import mean_average_precision
from harness.functional.jackknife import average_precision_without, jackknife_values, mean_average_precision_values
from harness.functional.ranking import average_precision


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 30), st.booleans())
def test_average_precision_without_an_item_is_that_of_the_others(seed, n, ties):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(3, n, generator=generator, dtype=torch.float64)
    scores = scores.round() if ties else scores
    relevant = torch.rand(3, n, generator=generator) < torch.tensor([[0.1], [0.5], [1.0]])
    found = average_precision_without(scores, relevant)
    for left in range(n):
        others = [item for item in range(n) if item != left]
        torch.testing.assert_close(found[:, left], average_precision(scores[:, others], relevant[:, others]))


def test_infinite_scores_are_equal_ones():
    scores, relevant = torch.full((4,), -torch.inf), torch.tensor([True, False, False, True])
    assert average_precision_without(scores, relevant).tolist() == pytest.approx([1 / 3, 2 / 3, 2 / 3, 1 / 3])


def test_values_have_the_statistic_as_mean_and_the_error_of_the_jackknife():
    values = torch.randn(40, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def deviation(some):
        return some.std()

    without = torch.stack([deviation(torch.cat([values[:left], values[left + 1 :]])) for left in range(40)])
    found = jackknife_values(deviation(values), without)
    assert found.mean().item() == pytest.approx(deviation(values).item(), abs=1e-12)
    of_others = 39 / 40 * (without - without.mean()).square().sum()
    assert found.var().item() / 40 == pytest.approx(of_others.item(), rel=1e-12)
    assert found.std().item() / 40**0.5 == pytest.approx((1 / 80) ** 0.5, rel=0.3)  # of a normal distribution


@pytest.mark.parametrize("at_once", [1, 50, 2**22])
@pytest.mark.parametrize("seed", range(3))
def test_values_of_the_mean_average_precision_are_those_of_videos_left_out(seed, at_once, monkeypatch):
    monkeypatch.setattr(jackknife, "AT_ONCE", at_once)
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(20, 6, generator=generator).round(decimals=1)
    sets = torch.rand(20, 6, generator=generator) < torch.tensor([0.2, 0.5, 0.0, 0.9, 0.3, 0.0])
    sets[3, 5] = True  # a class of one video, which does not count without it
    found = mean_average_precision_values(scores, sets)
    others = [[place for place in range(20) if place != left] for left in range(20)]
    without = torch.stack([mean_average_precision(scores[rest], sets[rest]) for rest in others])
    expected = jackknife_values(mean_average_precision(scores, sets), without)
    assert found.tolist() == pytest.approx(expected.tolist(), abs=1e-12)
    assert found.mean().item() == pytest.approx(mean_average_precision(scores, sets).item(), abs=1e-12)


def test_a_video_without_which_nothing_is_known_is_left_out():
    found = jackknife_values(torch.tensor(0.5), torch.tensor([0.4, torch.nan, 0.6]))
    assert found.tolist() == pytest.approx([0.6, 0.5, 0.4])
    assert jackknife_values(torch.tensor(0.5), torch.full((2,), torch.nan)).tolist() == [0.5, 0.5]
