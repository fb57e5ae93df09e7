"""Terms of a metric for each test video, and their means over parts of the set."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.errors import UsageError, unknown
from harness.evaluators.cards import INFLUENCES
from harness.leaderboard.group_draws import GroupDraws
from harness.leaderboard.statistics import Interval, Sample, group_weights, interval, sampled_groups

if TYPE_CHECKING:
    from harness.cards import EvaluatorCard, Metric
    from harness.interfaces import Split
    from harness.leaderboard.interval_ends import Bounds
    from harness.store.records import Run
    from harness.values import Predictions

Array = NDArray[np.float64]
Kind = TypeVar("Kind", bound=Hashable)

LENGTH = "length"
"""Name of the parts of a test set by the seconds of its videos."""


@dataclass(frozen=True, slots=True)
class VideoTerms:
    """Terms of one metric, whose mean over the test videos is the score of a run.

    Raises:
        UsageError: when the run stored no predictions that the metric is a mean over.
    """

    values: Array
    """(N,) means over repeats; NaN where a video does not count."""
    groups: tuple[str, ...]
    """Group of each video."""

    @classmethod
    def of(cls, run: Run, metric: Metric) -> VideoTerms:
        """Compute them from the stored predictions of a run."""
        predictions = run.predictions
        if predictions is None or not (predictions.predicted or metric.id in predictions.values):
            msg = f"run {run.key[:12]}: no predictions of single videos are stored for {metric.id}"
            raise UsageError(msg)
        return cls(_values(predictions, metric), sampled_groups(predictions))

    def mean(self, positions: Sequence[int], bounds: Bounds = (None, None)) -> PartScore:
        """Mean over some of the videos, with its interval over new groups.

        Args:
            positions: of the videos; those that do not count are left out.
            bounds: of the metric.
        """
        counted = [place for place in positions if not math.isnan(self.values[place])]
        if not counted:
            return PartScore(0, 0, None)
        groups = [self.groups[place] for place in counted]
        draws = GroupDraws.of(groups, group_weights(groups))
        means = draws.by_group(self.values[counted]) @ draws.counts / draws.videos
        sample = Sample(means[:1], means[None, 1:], draws.groups)
        return PartScore(len(counted), draws.groups, interval(sample, bounds))

    def less(self, other: VideoTerms) -> VideoTerms:
        """Difference to the terms of another run on the same videos."""
        return VideoTerms(self.values - other.values, self.groups)


@dataclass(frozen=True, slots=True)
class PartScore:
    """Mean of a metric of one fit over part of a test set."""

    videos: int
    """Number of videos that count."""
    groups: int
    interval: Interval | None
    """The mean, with its 95 % interval from 6 groups on; None where no video counts."""


def is_mean(metric: Metric, *runs: Run) -> bool:
    """True for a metric that is a mean of scores of single videos."""
    influences = {name for run in runs for name in run.notes.get(INFLUENCES, ())}
    return metric.statistic in {"accuracy", "mean"} and metric.id not in influences


def term_metric(card: EvaluatorCard, run: Run) -> Metric:
    """Find the first metric of an evaluator that is a mean over videos.

    Raises:
        UsageError: when it has none, as clustering.
    """
    for metric in card.metrics:
        if is_mean(metric, run):
            return metric
    msg = f"evaluator {card.name!r}: none of its metrics is a mean over videos, they are of the whole test set"
    raise UsageError(msg)


def scores_by(run: Run, card: EvaluatorCard, split: Split, by: str) -> tuple[Metric, dict[str, PartScore]]:
    """Score a run on parts of its test set.

    Args:
        run: a stored run.
        card: of its evaluator.
        split: the test split that it was measured on.
        by: a kind of label of the split, or `length` for quarters of the videos by their seconds.

    Returns:
        The first metric that is a mean over videos, and by name of each part its score.

    Raises:
        UsageError: when the split has no such labels, the length of a video is unknown, no metric is a mean over
            videos, or the run has no predictions.
    """
    metric = term_metric(card, run)
    terms = VideoTerms.of(run, metric)
    assert run.predictions is not None
    videos = {video.id: video for video in split.videos}
    if missing := [name for name in run.predictions.videos if name not in videos]:
        msg = f"run {run.key[:12]}: {len(missing)} of its videos are not in the test split, such as {missing[0]}"
        raise UsageError(msg)
    measured = [videos[name] for name in run.predictions.videos]
    if by in split.classes:
        names = dict(enumerate(split.classes[by]))
        parts = positions_by_kind([video.labels.get(by) for video in measured], names)
    elif by == LENGTH:
        if timeless := [video.id for video in measured if not video.fps]:
            msg = f"the lengths of {len(timeless)} videos are unknown, such as {timeless[0]}, which tells no frame rate"
            raise UsageError(msg)
        parts = _quarters([video.frames / video.fps for video in measured])
    else:
        raise unknown("kind of label", by, [*split.classes, LENGTH])
    return metric, {name: terms.mean(positions, metric.bounds) for name, positions in parts.items()}


def _quarters(seconds: Sequence[float]) -> dict[str, list[int]]:
    """Positions of each quarter of the videos, the shortest first.

    Videos of equal length stay together.

    >>> _quarters([1.0, 8.0, 1.0, 3.0, 2.0])
    {'1.0 s': [0, 2], '2.0 s': [4], '3.0 s': [3], '8.0 s': [1]}
    >>> _quarters([10.0, 10.01, 10.02, 10.03])
    {'10.00 s': [0], '10.01 s': [1], '10.02 s': [2], '10.03 s': [3]}
    """
    ends = sorted({np.quantile(seconds, share, method="inverted_cdf") for share in (0.25, 0.5, 0.75, 1)})
    quarter = [next(place for place, end in enumerate(ends) if length <= end) for length in seconds]
    parts = [[index for index, other in enumerate(quarter) if other == place] for place in sorted(set(quarter))]
    spans = [[pick(seconds[index] for index in own) for pick in (min, max)] for own in parts]
    for digits in range(1, 16):  # as many as tell the quarters apart
        names = [" to ".join(dict.fromkeys(f"{end:.{digits}f}" for end in span)) + " s" for span in spans]
        if len(set(names)) == len(names):
            break
    return dict(zip(names, parts, strict=True))


def positions_by_kind(kinds: Sequence[Kind | None], names: Mapping[Kind, str]) -> dict[str, list[int]]:
    """Collect the positions of the videos of each kind, in the order of `names`.

    >>> positions_by_kind([1, 0, 1], {0: "walk", 1: "run", 2: "jump"})
    {'walk': [1], 'run': [0, 2]}
    """
    positions: dict[Kind | None, list[int]] = {}
    for place, kind in enumerate(kinds):
        positions.setdefault(kind, []).append(place)
    return {name: positions[kind] for kind, name in names.items() if kind in positions}


def _values(predictions: Predictions, metric: Metric) -> Array:
    if metric.statistic == "accuracy":
        hits = np.asarray(predictions.predicted) == np.asarray(predictions.labels)
        return np.asarray(hits.mean(axis=0), dtype=np.float64)
    rows = np.array(predictions.values[metric.id], dtype=np.float64)
    counted = np.maximum((~np.isnan(rows)).sum(axis=0), 1)
    return np.where(np.isnan(rows).all(axis=0), np.nan, np.nansum(rows, axis=0) / counted)
