"""Average precision and NDCG beside closed forms, a slow twin and scikit-learn; chance beside all orders."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score

from harness.functional.ranking import (
    average_precision,
    average_precision_influence,
    average_precision_of_items,
    chance_of_average_precision,
    chance_of_ndcg,
    ndcg,
    tie_ends,
)


def draw(n=40, seed=0, ties=True, share=0.3):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(n, generator=generator, dtype=torch.float64)
    scores = scores.mul(2).round() if ties else scores
    return scores, torch.rand(n, generator=generator) < share


def slow(scores, relevant):
    """One relevant item at a time, everything of its score or a higher one counted."""
    precisions = []
    for score, good in zip(scores, relevant, strict=True):
        if good:
            shown = [other for level, other in zip(scores, relevant, strict=True) if level >= score]
            precisions.append(sum(shown) / len(shown))
    return sum(precisions) / len(precisions) if precisions else 0.0


def positions(relevant, width):
    found = relevant.nonzero().flatten().tolist()
    return torch.tensor([found + [-1] * (width - len(found))])


@pytest.mark.parametrize("ranks", [[1], [3], [1, 2, 3], [2, 5, 7]])
def test_average_precision_of_known_ranks(ranks):
    relevant = torch.zeros(8, dtype=torch.bool)
    relevant[[rank - 1 for rank in ranks]] = True
    expected = sum(count / rank for count, rank in enumerate(ranks, 1)) / len(ranks)
    assert average_precision(-torch.arange(8.0), relevant).item() == pytest.approx(expected, rel=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.booleans())
def test_average_precision_agrees_with_the_slow_one_and_scikit_learn(seed, n, ties):
    scores, relevant = draw(n, seed, ties)
    found = average_precision(scores, relevant).item()
    assert found == pytest.approx(slow(scores.tolist(), relevant.tolist()), abs=1e-12)
    assert average_precision_of_items(scores[None], positions(relevant, n)).item() == pytest.approx(found, abs=1e-12)
    if relevant.any():
        assert found == pytest.approx(average_precision_score(relevant.numpy(), scores.numpy()), abs=1e-12)


def test_rankings_of_a_batch_are_those_one_by_one():
    drawn = [draw(seed=seed) for seed in range(6)]
    scores, relevant = (torch.stack(part) for part in zip(*drawn, strict=True))
    found = average_precision(scores.view(2, 3, -1), relevant.view(2, 3, -1))
    assert found.flatten().tolist() == [average_precision(*one).item() for one in drawn]


def test_an_item_of_minus_infinity_is_no_part_of_the_ranking():
    scores, relevant = draw(ties=False)
    place = int(relevant.nonzero()[0])
    rest = torch.arange(len(scores)) != place
    found = average_precision_of_items(scores.where(rest, -math.inf)[None], positions(relevant, len(scores)))
    assert found.item() == pytest.approx(average_precision(scores[rest], relevant[rest]).item(), rel=1e-12)


@pytest.mark.parametrize("ties", [False, True])
def test_influence_is_the_derivative_by_weights(ties):
    scores, relevant = draw(ties=ties)
    found = average_precision_influence(scores, relevant)
    step = 1e-6
    for item in range(len(scores)):
        weights = np.ones((2, len(scores)))
        weights[:, item] += [step, -step]
        more, less = (average_precision_score(relevant.numpy(), scores.numpy(), sample_weight=row) for row in weights)
        assert found[item].item() == pytest.approx((more - less) / (2 * step), abs=1e-7)
    assert found.sum().item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("k", [1, 3, 10])
@pytest.mark.parametrize("share", [0.1, 0.6])
def test_ndcg_agrees_with_scikit_learn(k, share):
    for seed in range(5):
        scores, relevant = draw(seed=seed, ties=False, share=share)
        ranked = relevant[scores.argsort(descending=True)]
        expected = ndcg_score([relevant.int().numpy()], [scores.numpy()], k=k)
        assert ndcg(ranked[:k], relevant.sum()).item() == pytest.approx(expected, abs=1e-12)


def test_ndcg_of_the_best_order_is_one():
    ranked = torch.tensor([[True, True, False], [True, True, True], [False, False, False]])
    assert ndcg(ranked, torch.tensor([2, 7, 0])).tolist() == [1.0, 1.0, 0.0]


@pytest.mark.parametrize("size", [1, 4, 6])
def test_chance_is_the_mean_over_all_orders(size):
    for count in range(size + 1):
        placed = [[rank in ranks for rank in range(size)] for ranks in itertools.combinations(range(size), count)]
        orders = torch.tensor(placed, dtype=torch.bool).view(-1, size)
        precision = average_precision(-torch.arange(size).expand(orders.shape).float(), orders).mean()
        gains = ndcg(orders[:, :3], orders.sum(1)).mean()
        relevant = torch.tensor([count])
        assert chance_of_average_precision(relevant, size).item() == pytest.approx(precision.item(), abs=1e-12)
        assert chance_of_ndcg(relevant, size, 3).item() == pytest.approx(gains.item(), abs=1e-12)


def test_ends_of_ties():
    scores = torch.tensor([[3.0, 2.0, 2.0, 2.0], [1.0, 1.0, 0.0, 0.0], [4.0, 3.0, 2.0, 1.0]])
    assert tie_ends(scores).tolist() == [[0, 3, 3, 3], [1, 1, 3, 3], [0, 1, 2, 3]]


@pytest.mark.parametrize(
    ("scores", "relevant", "message"),
    [
        (torch.zeros(3), torch.zeros(2, dtype=torch.bool), "equal shape"),
        (torch.zeros(3), torch.zeros(3), "relevant bool"),
        (torch.zeros(0), torch.zeros(0, dtype=torch.bool), "got"),
        (torch.tensor([math.nan]), torch.ones(1, dtype=torch.bool), "NaN"),
    ],
)
@pytest.mark.parametrize("measure", [average_precision, average_precision_influence])
def test_what_is_no_ranking(measure, scores, relevant, message):
    with pytest.raises(ValueError, match=message):
        measure(scores, relevant)
