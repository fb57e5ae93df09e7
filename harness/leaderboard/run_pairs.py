"""Two runs on the same videos, compared by metric, class, group and video."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import UsageError
from harness.leaderboard.bootstrap import Bootstrap
from harness.leaderboard.group_draws import GroupDraws
from harness.leaderboard.statistics import Interval, Sample, group_weights, interval, sampled_groups, test_set
from harness.leaderboard.video_terms import VideoTerms, is_mean, positions_by_kind

if TYPE_CHECKING:
    from harness.cards import EvaluatorCard, Metric
    from harness.store.records import Run
    from harness.values import Predictions

RIGHT = 0.5
"""Share of repeats from which on a video counts as right."""


@dataclass(frozen=True, slots=True)
class ScorePair:
    """One number of both runs, and the second less the first."""

    name: str
    """Metric, class or group."""
    metric: Metric
    videos: int
    one: float
    other: float
    difference: Interval
    """Paired by video; its 95 % interval is over new groups, for these two fits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPair:
    """Comparison of two runs."""

    one: Run
    other: Run
    metrics: tuple[ScorePair, ...]
    """Every metric that both have."""
    metric: Metric | None
    """The first that is a mean over videos; None, and nothing below, without one."""
    class_names: Mapping[int, str] = field(default_factory=dict)
    """Names of the classes by number."""
    classes: tuple[ScorePair, ...] = ()
    groups: tuple[ScorePair, ...] = ()
    both_right: tuple[int, ...] = ()
    """Positions of the test videos that both get right in half of their repeats.

    These four are empty for a metric that is no share, and videos that do not count are in none.
    """
    both_wrong: tuple[int, ...] = ()
    only_one: tuple[int, ...] = ()
    only_other: tuple[int, ...] = ()

    @property
    def predictions(self) -> Predictions:
        """Predictions of the first run, for the videos that both were measured on."""
        assert self.one.predictions is not None
        return self.one.predictions


def pair_runs(one: Run, other: Run, cards: Mapping[str, EvaluatorCard], classes: Sequence[str] = ()) -> RunPair:
    """Compare two runs that were measured on the same videos.

    Differences are paired by video, and their intervals over new groups of videos. They say nothing of new seeds: a
    board compares rows over seeds.

    Args:
        one: the run to compare with.
        other: the run that is compared.
        cards: of their evaluators, by name.
        classes: names of the classes; their numbers where there are none.

    Raises:
        UsageError: when one of the runs failed or stored no predictions, they are of other videos or classes, or they
            have no metric in common.
    """
    first, second = (_predictions(run) for run in (one, other))
    if test_set(first) != test_set(second):
        of = [f"{run.key[:12]} of {run.identity.evaluator.label} on {run.identity.data.label}" for run in (one, other)]
        msg = f"expected runs on the same videos and labels, got {of[0]} and {of[1]}"
        raise UsageError(msg)
    both = _common(one, other, cards)
    groups = sampled_groups(first)
    bootstrap = Bootstrap(GroupDraws.of(groups, group_weights(groups)))
    samples = [bootstrap.resample([predictions], both) for predictions in (first, second)]
    metrics = tuple(_score_pair(metric, (one, other), (a, b)) for metric, a, b in zip(both, *samples, strict=True))
    metric = next((metric for metric in both if is_mean(metric, one, other)), None)
    if metric is None:
        return RunPair(one=one, other=other, metrics=metrics, metric=None)
    terms = VideoTerms.of(one, metric), VideoTerms.of(other, metric)
    present = {label: classes[label] if label < len(classes) else f"class {label}" for label in sorted({*first.labels})}
    told_apart = metric.higher_is_better and metric.bounds == (0.0, 1.0) and _right_or_wrong(first, second, metric)
    outcomes = _outcomes(*terms) if told_apart else {}
    named_groups = {group: group for group in sorted({*first.groups} - {""})}
    return RunPair(
        one=one,
        other=other,
        metrics=metrics,
        metric=metric,
        class_names=dict(enumerate(classes)) or present,
        classes=_parts(metric, terms, positions_by_kind(first.labels, present)) if len(present) > 1 else (),
        groups=_parts(metric, terms, positions_by_kind(first.groups, named_groups)),
        both_right=tuple(outcomes.get("both", ())),
        both_wrong=tuple(outcomes.get("neither", ())),
        only_one=tuple(outcomes.get("one", ())),
        only_other=tuple(outcomes.get("other", ())),
    )


def _predictions(run: Run) -> Predictions:
    if run.status != "done":
        msg = f"run {run.key[:12]} is {run.status}: {run.reason}"
        raise UsageError(msg)
    if run.predictions is None:
        msg = f"run {run.key[:12]}: evaluator {run.identity.evaluator.name!r} stores no predictions of single videos"
        raise UsageError(msg)
    return run.predictions


def _common(one: Run, other: Run, cards: Mapping[str, EvaluatorCard]) -> list[Metric]:
    """Metrics with a statistic that both runs have and can be computed for both."""
    found = [_metrics(run, cards[run.identity.evaluator.name]) for run in (one, other)]
    both = [metric for name, metric in found[0].items() if found[1].get(name) == metric]
    if not both:
        names = " and ".join(run.identity.evaluator.name for run in (one, other))
        msg = f"runs {one.key[:12]} and {other.key[:12]} have no metric in common ({names})"
        raise UsageError(msg)
    return both


def _metrics(run: Run, card: EvaluatorCard) -> dict[str, Metric]:
    stored = _predictions(run)
    return {
        metric.id: metric
        for metric in card.metrics
        if run.score(metric.id)
        and (metric.id in stored.values if metric.statistic == "mean" else metric.statistic and stored.predicted)
    }


def _score_pair(metric: Metric, runs: tuple[Run, Run], samples: tuple[Sample, Sample]) -> ScorePair:
    """Both scores of a metric; the difference of means is over the videos of both."""
    one, other = (float(sample.observed[0]) for sample in samples)
    if metric.statistic != "mean":
        assert runs[0].predictions is not None
        videos = len(runs[0].predictions.videos)
        return ScorePair(metric.title, metric, videos, one, other, interval(samples[1] - samples[0]))
    terms = [VideoTerms.of(run, metric) for run in runs]
    counted = [np.isfinite(each.values) for each in terms]
    videos = int((counted[0] & counted[1]).sum())
    if (counted[0] == counted[1]).all():
        difference = interval(samples[1] - samples[0])
    elif is_mean(metric, *runs):
        shared = terms[1].less(terms[0]).mean(range(len(counted[0])))
        difference = shared.interval or Interval(math.nan)
    else:  # which no part of the videos adds up to
        difference = Interval(other - one)
    return ScorePair(metric.title, metric, videos, one, other, difference)


def _right_or_wrong(one: Predictions, other: Predictions, metric: Metric) -> bool:
    """True if each video is right or wrong; false for a metric that grades it."""
    values = (value for each in (one, other) for row in each.values.get(metric.id, ()) for value in row)
    return all(value in (0.0, 1.0, None) for value in values)


def _outcomes(one: VideoTerms, other: VideoTerms) -> dict[str, list[int]]:
    """Positions of the videos by who gets them right; without those that do not count."""
    kinds = [
        None if math.isnan(a) or math.isnan(b) else (bool(a >= RIGHT), bool(b >= RIGHT))
        for a, b in zip(one.values, other.values, strict=True)
    ]
    names = {(True, True): "both", (False, False): "neither", (True, False): "one", (False, True): "other"}
    return positions_by_kind(kinds, names)


def _parts(
    metric: Metric, terms: tuple[VideoTerms, VideoTerms], positions: Mapping[str, Sequence[int]]
) -> tuple[ScorePair, ...]:
    """Both runs on each part, those that differ most first."""
    pairs = []
    for name, own in positions.items():
        one, other = (each.mean(own).interval for each in terms)
        difference = terms[1].less(terms[0]).mean(own)
        if one and other and difference.interval:
            pairs.append(ScorePair(name, metric, difference.videos, one.mean, other.mean, difference.interval))
    return tuple(sorted(pairs, key=lambda pair: -abs(pair.difference.mean)))
