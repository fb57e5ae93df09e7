"""Late fusion: the mean of the class probabilities of stored runs."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from harness.errors import UsageError
from harness.evaluators.cards import MAP, TOP1
from harness.evaluators.scoring import to_values
from harness.functional.jackknife import mean_average_precision_values
from harness.leaderboard.bootstrap import Bootstrap
from harness.leaderboard.class_scores import membership, probabilities
from harness.leaderboard.group_draws import GroupDraws
from harness.leaderboard.statistics import Interval, Sample, group_weights, interval, sampled_groups, test_set
from harness.store.class_scores import COMPUTE_AGAIN

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cards import Metric
    from harness.store.records import Run
    from harness.store.runs import Store
    from harness.values import ClassScores, Predictions


@dataclass(frozen=True, slots=True, kw_only=True)
class Fusion:
    """Runs on the same videos, and the mean of their class probabilities."""

    runs: tuple[Run, ...]
    weights: tuple[float, ...]
    """Shares of the runs in the mean; their sum is 1."""
    metrics: tuple[Metric, ...]
    """Top-1 and mAP over classes; mAP alone of a multi-label kind."""
    scores: tuple[dict[str, float], ...]
    """Those of each run by metric, means over repeats, in [0, 1]."""
    fused: dict[str, float]
    best: int
    """Position of the run with the highest first score, of equal ones the first."""
    gains: dict[str, Interval]
    """By metric, the score of the fusion less that of the best run, paired by video.

    Their 95 % intervals are over new groups, for these fits. The best run was chosen on the same videos, which favours
    it.
    """
    predictions: Predictions
    """Classes that the fusion predicts; none of a multi-label kind."""


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
    read = [_class_scores(store, run) for run in runs]
    repeats = _expect_alike(runs, read)
    several = read[0].several
    metrics = (MAP,) if several else (TOP1, MAP)
    true = membership(read[0], _predictions(runs[0]))
    if several:
        each = [torch.from_numpy(scores.values).to(torch.float64) for scores in read]
        mean = _log_odds([one.expand(repeats, -1, -1) for one in each], shares)
    else:
        each = [_probabilities(run, scores) for run, scores in zip(runs, read, strict=True)]
        mean = _mean([one.expand(repeats, -1, -1) for one in each], shares)
    predicted = () if several else tuple(map(tuple, mean.argmax(2).tolist()))
    fused = _ranked(dataclasses.replace(_predictions(runs[0]), predicted=predicted), mean, true)
    measured = [_ranked(_predictions(run), one, true) for run, one in zip(runs, each, strict=True)]
    groups = sampled_groups(fused)
    bootstrap = Bootstrap(GroupDraws.of(groups, group_weights(groups)))
    of_fusion, *of_runs = (bootstrap.resample([one], metrics) for one in (fused, *measured))
    best = max(range(len(runs)), key=lambda place: (of_runs[place][0].observed[0], -place))
    return Fusion(
        runs=runs,
        weights=shares,
        metrics=metrics,
        scores=tuple(_observed(metrics, one) for one in of_runs),
        fused=_observed(metrics, of_fusion),
        best=best,
        gains={
            metric.id: interval(one - other)
            for metric, one, other in zip(metrics, of_fusion, of_runs[best], strict=True)
        },
        predictions=fused,
    )


def _mean(each: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    return torch.stack([share * one for share, one in zip(shares, each, strict=True)]).sum(0)


def _log_odds(each: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """Log-odds of the mean of probabilities that are given by their log-odds.

    They rank as the mean does, and tell apart what as a probability is 1.
    """
    return (
        _mean([one.sigmoid() for one in each], shares).log() - _mean([(-one).sigmoid() for one in each], shares).log()
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


def _named(run: Run) -> str:
    return f"run {run.key[:12]} of {run.identity.evaluator.label}"


def _class_scores(store: Store, run: Run) -> ClassScores:
    """Read the class scores of a run.

    Raises:
        UsageError: when it has none.
    """
    name = _named(run)
    if run.status != "done":
        msg = f"{name} is {run.status}: {run.reason}"
        raise UsageError(msg)
    if run.class_scores is None:
        msg = (
            f"{name} has no class scores: an older version computed it, or its evaluator classifies by none; "
            "take a run of linear_probe, mlp_probe, attentive_probe, few_shot, knn, finetune or multilabel_probe that "
            "is computed now"
        )
        raise UsageError(msg)
    scores = store.class_scores(run)
    if scores is None:
        msg = f"{name}: its class scores are gone; {COMPUTE_AGAIN}"
        raise UsageError(msg)
    return scores


def _probabilities(run: Run, scores: ClassScores) -> Tensor:
    """Class probabilities (R, N, C) of a run.

    Raises:
        UsageError: when its scores are margins.
    """
    found = probabilities(scores)
    if found is None:
        msg = f"{_named(run)} has margins, which are no probabilities; take runs of linear_probe on the same features"
        raise UsageError(msg)
    return found


def _expect_alike(runs: Sequence[Run], read: Sequence[ClassScores]) -> int:
    """Expect runs of the same videos, labels and classes; returns the repeats of all.

    Raises:
        UsageError: naming the first that differs.
    """
    counts = [len(scores.values) for scores in read]
    repeats = max(counts)
    for run, scores, own in zip(runs, read, counts, strict=True):
        if own not in {1, repeats}:
            msg = f"run {run.key[:12]} has {own} repeats, another {repeats}; fuse runs of as many, or of one"
            raise UsageError(msg)
        if (_measured_on(run), _classes(scores)) != (_measured_on(runs[0]), _classes(read[0])):
            of = [f"{r.key[:12]} of {r.identity.evaluator.label} on {r.identity.data.label}" for r in (runs[0], run)]
            msg = f"expected runs on the same test videos and labels, got {of[0]} and {of[1]}"
            raise UsageError(msg)
    return repeats


def _classes(scores: ClassScores) -> tuple[int, bool]:
    """Number of classes, and whether a video may have several."""
    return scores.values.shape[2], scores.several


def _measured_on(run: Run) -> tuple[object, ...]:
    predictions = _predictions(run)
    manifests = run.protocol.get("manifests")
    files = manifests.get("test") if isinstance(manifests, dict) else None
    return test_set(predictions), files


def _ranked(predictions: Predictions, scores: Tensor, true: Tensor) -> Predictions:
    """Predictions with the values of single videos for mAP, by scores (R, N, C)."""
    values = torch.stack([mean_average_precision_values(repeat, true) for repeat in scores])
    return dataclasses.replace(predictions, values=to_values({MAP.id: values}))


def _observed(metrics: Sequence[Metric], samples: Sequence[Sample]) -> dict[str, float]:
    return {metric.id: float(sample.observed[0]) for metric, sample in zip(metrics, samples, strict=True)}
