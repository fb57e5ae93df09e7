"""Best thresholds beside every threshold tried."""

from __future__ import annotations

import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score

from harness.functional.thresholds import best_thresholds


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_no_threshold_is_better(ties, share):
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        scores = torch.randn(30, generator=generator)
        scores = scores.round() if ties else scores
        positive = torch.rand(30, generator=generator) < share
        tried = sorted(set(scores.tolist()), reverse=True)
        best = best_thresholds(scores, positive)
        for measure, found, threshold in (
            (accuracy_score, best.accuracy, best.accuracy_threshold),
            (lambda truth, called: f1_score(truth, called, zero_division=0.0), best.f1, best.f1_threshold),
        ):
            values = [measure(positive.numpy(), (scores >= level).numpy()) for level in tried]
            assert found.item() == pytest.approx(max(values), abs=1e-12)
            assert values[tried.index(threshold.item())] == pytest.approx(max(values), abs=1e-12)


def test_perfect_scores():
    best = best_thresholds(torch.tensor([1.0, 3.0, 2.0]), torch.tensor([False, True, True]))
    assert [value.item() for value in best] == [1.0, 2.0, 1.0, 2.0]


def test_a_batch_is_one_by_one():
    generator = torch.Generator().manual_seed(0)
    scores, positive = torch.randn(3, 20, generator=generator), torch.rand(3, 20, generator=generator) < 0.5
    rows = [best_thresholds(*row) for row in zip(scores, positive, strict=True)]
    together = best_thresholds(scores, positive)
    assert [part.tolist() for part in together] == [
        [value.item() for value in part] for part in zip(*rows, strict=True)
    ]


def test_shapes_have_to_be_equal():
    with pytest.raises(ValueError, match="equal shape"):
        best_thresholds(torch.zeros(2), torch.zeros(3, dtype=torch.bool))
