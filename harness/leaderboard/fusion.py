"""Late fusion: the mean of the class probabilities of stored runs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from harness.errors import UsageError
from harness.evaluators.cards import TOP1
from harness.functional.class_scores import mean_average_precision
from harness.functional.metrics import accuracy
from harness.leaderboard.bootstrap import Bootstrap
from harness.leaderboard.class_scores import probabilities
from harness.leaderboard.group_draws import GroupDraws
from harness.leaderboard.statistics import Interval, group_weights, interval, sampled_groups
from harness.store.class_scores import COMPUTE_AGAIN

if TYPE_CHECKING:
    from torch import Tensor

    from harness.store.records import Run
    from harness.store.runs import Store
    from harness.values import Predictions


@dataclass(frozen=True, slots=True)
class FusedScores:
    """Scores of a run, or of the fusion; means over repeats, in [0, 1]."""

    top1: float
    mean_average_precision: float
    """Over classes, of their probabilities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fusion:
    """Runs on the same videos, and the mean of their class probabilities."""

    runs: tuple[Run, ...]
    weights: tuple[float, ...]
    """Shares of the runs in the mean; their sum is 1."""
    scores: tuple[FusedScores, ...]
    """Those of each run."""
    fused: FusedScores
    best: int
    """Position of the run with the highest top-1, of equal ones the first."""
    difference: Interval
    """Top-1 of the fusion less that of the best run, paired by video.

    Its 95 % interval is over new groups, for these fits. The best run was chosen on the same videos, which favours it.
    """
    predictions: Predictions
    """Classes that the fusion predicts."""


def fuse(store: Store, keys: Sequence[str], weights: Sequence[float] | None = None) -> Fusion:
    """Fuse stored runs of the same test videos and labels.

    Repeats, such as draws of few-shot classification, are fused one by one; a run of one repeat is part of each.

    Args:
        store: where the runs are.
        keys: of two runs or more, or their first digits.
        weights: one a run, not negative; equal ones when None.

    Raises:
        UsageError: when a key is unknown, weights are impossible, a run has no class scores that are probabilities, or
            the runs are of other videos, labels, classes or repeats.
    """
    runs = tuple(store.find(key) for key in keys)
    if len({run.key for run in runs}) < max(2, len(runs)):
        msg = f"expected at least two runs, each once, got {', '.join(keys) or 'none'}"
        raise UsageError(msg)
    shares = _shares(len(runs), weights)
    each = [_probabilities(store, run) for run in runs]
    repeats = _expect_alike(runs, each)
    labels = torch.tensor(_predictions(runs[0]).labels)
    mean = sum(share * one.expand(repeats, -1, -1) for share, one in zip(shares, each, strict=True))
    assert isinstance(mean, torch.Tensor)
    predicted = tuple(map(tuple, mean.argmax(2).tolist()))
    fused = dataclasses.replace(_predictions(runs[0]), predicted=predicted, values={})
    scores = tuple(_scores(_predictions(run), one, labels) for run, one in zip(runs, each, strict=True))
    best = max(range(len(runs)), key=lambda place: (scores[place].top1, -place))
    return Fusion(
        runs=runs,
        weights=shares,
        scores=scores,
        fused=_scores(fused, mean, labels),
        best=best,
        difference=_difference(_predictions(runs[best]), fused),
        predictions=fused,
    )


def _shares(runs: int, weights: Sequence[float] | None) -> tuple[float, ...]:
    given = [1.0] * runs if weights is None else list(weights)
    if len(given) != runs or min(given, default=-1) < 0 or not 0 < sum(given) < math.inf:
        msg = f"expected a weight for each of {runs} runs, not negative, their sum above 0 and finite, got {given}"
        raise UsageError(msg)
    return tuple(weight / sum(given) for weight in given)


def _predictions(run: Run) -> Predictions:
    assert run.predictions is not None  # a run with class scores has them
    return run.predictions


def _probabilities(store: Store, run: Run) -> Tensor:
    """Class probabilities (R, N, C) of a run.

    Raises:
        UsageError: when it has none.
    """
    name = f"run {run.key[:12]} of {run.identity.evaluator.label}"
    if run.status != "done":
        msg = f"{name} is {run.status}: {run.reason}"
        raise UsageError(msg)
    if run.class_scores is None:
        msg = (
            f"{name} has no class scores: an older version computed it, or its evaluator classifies by none; "
            "take a run of linear_probe, mlp_probe, attentive_probe, few_shot, knn or finetune that is computed now"
        )
        raise UsageError(msg)
    scores = store.class_scores(run)
    if scores is None:
        msg = f"{name}: its class scores are gone; {COMPUTE_AGAIN}"
        raise UsageError(msg)
    found = probabilities(scores)
    if found is None:
        msg = f"{name} has margins, which are no probabilities; take runs of linear_probe on the same features"
        raise UsageError(msg)
    return found


def _expect_alike(runs: Sequence[Run], each: Sequence[Tensor]) -> int:
    """Expect runs of the same videos, labels and classes; returns the repeats of all.

    Raises:
        UsageError: naming the first that differs.
    """
    repeats = max(len(one) for one in each)
    for run, one in zip(runs, each, strict=True):
        if len(one) not in {1, repeats}:
            msg = f"run {run.key[:12]} has {len(one)} repeats, another {repeats}; fuse runs of as many, or of one"
            raise UsageError(msg)
        if (_measured_on(run), one.shape[2]) != (_measured_on(runs[0]), each[0].shape[2]):
            of = [f"{r.key[:12]} of {r.identity.evaluator.label} on {r.identity.data.label}" for r in (runs[0], run)]
            msg = f"expected runs on the same test videos and labels, got {of[0]} and {of[1]}"
            raise UsageError(msg)
    return repeats


def _measured_on(run: Run) -> tuple[object, ...]:
    predictions = _predictions(run)
    manifests = run.protocol.get("manifests")
    files = manifests.get("test") if isinstance(manifests, dict) else None
    return predictions.videos, predictions.groups, predictions.labels, files


def _scores(predictions: Predictions, shares: Tensor, labels: Tensor) -> FusedScores:
    top1 = accuracy(labels, torch.tensor(predictions.predicted)).mean()
    return FusedScores(float(top1), float(mean_average_precision(shares, labels).mean()))


def _difference(best: Predictions, fused: Predictions) -> Interval:
    groups = sampled_groups(fused)
    bootstrap = Bootstrap(GroupDraws.of(groups, group_weights(groups)))
    (one,), (other,) = (bootstrap.resample([predictions], [TOP1]) for predictions in (best, fused))
    return interval(other - one)
