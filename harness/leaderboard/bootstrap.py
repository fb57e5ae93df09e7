"""Bootstrap of a row's metrics: value for each seed on every draw of groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.cards import Metric
from harness.errors import unknown
from harness.leaderboard import contingency
from harness.leaderboard.contingency import Classes, Clustering
from harness.leaderboard.group_draws import GroupDraws
from harness.leaderboard.statistics import Sample, test_set
from harness.values import Predictions

Array = NDArray[np.float64]

LINEAR = ("accuracy", "mean")
"""Statistics that are a sum over videos, divided by their number."""
STATISTICS = (*LINEAR, "mean_class_accuracy", *contingency.STATISTICS)
"""Statistics that a metric can name."""


class Bootstrap:
    """Draws of one test set's groups, for all rows that were measured on it.

    Args:
        draws: of the groups of its N videos.
    """

    def __init__(self, draws: GroupDraws) -> None:
        self._all = draws
        # A draw of groups of several folds can leave one of them without a video.
        self._some = draws.videos > 0
        self._draws = draws if self._some.all() else replace(draws, counts=draws.counts[:, self._some])
        self._every = frozenset(draws.names)
        self._classes: dict[tuple[int, ...], Classes] = {}

    def __reduce__(self) -> tuple[type[Bootstrap], tuple[GroupDraws]]:
        return Bootstrap, (self._all,)  # what was computed on the way is large, and quickly computed again

    def resample(self, seeds: Sequence[Predictions], metrics: Sequence[Metric]) -> tuple[Sample, ...]:
        """Compute metrics for each seed of one row, on the test set and on every draw.

        Args:
            seeds: the predictions of the seeds, for the same videos in the same order.
            metrics: each with a statistic that these predictions can give.

        Raises:
            UsageError: when a statistic is unknown.
            ValueError: when the seeds' videos, groups or labels differ, or predictions are not what a statistic needs.
        """
        self._expect_alike(seeds)
        for metric in metrics:
            if metric.statistic not in STATISTICS:
                raise unknown(f"statistic of metric {metric.id}:", metric.statistic, STATISTICS)
        of_seeds = [self._values(one, metrics) for one in seeds]
        samples = []
        for place, metric in enumerate(metrics):
            # Rounded, so that equal predictions differ by exactly 0 on every machine.
            values = np.full((len(seeds), len(self._some)), np.nan)
            values[:, self._some] = np.round(np.stack([values[place] for values in of_seeds]), 12)
            counted = self._counted(seeds, metric)
            samples.append(Sample(values[:, 0].copy(), values[:, 1:].copy(), len(counted), names=counted))
        return tuple(samples)

    def _expect_alike(self, seeds: Sequence[Predictions]) -> None:
        first = seeds[0]
        for other in seeds[1:]:
            if test_set(other) != test_set(first):
                msg = "expected predictions for the same videos in the same order from each seed of a row, got others"
                raise ValueError(msg)
        videos = len(self._draws.member)
        if len(first.videos) != videos or len(first.labels) != videos:
            msg = f"expected weights, videos and labels for {videos} videos, got {len(first.videos)} videos and "
            raise ValueError(msg + f"{len(first.labels)} labels")

    def _values(self, run: Predictions, metrics: Sequence[Metric]) -> list[Array]:
        """(D,) values of each metric, the mean over the run's repeats."""
        values: dict[str, Array] = {}
        self._add_linear(run, [metric for metric in metrics if metric.statistic in LINEAR], values)
        if any(metric.statistic == "mean_class_accuracy" for metric in metrics):
            hits = self._hits(run).mean(axis=0)
            values["mean_class_accuracy"] = self._classes_of(run).mean_accuracy(hits)
        of_clusters = {metric.statistic for metric in metrics if metric.statistic in contingency.STATISTICS}
        if of_clusters:
            repeats = self._predicted(run)
            for row in repeats:
                clustering = Clustering(self._classes_of(run), row)
                for name in of_clusters:
                    values[name] = values.get(name, 0.0) + contingency.STATISTICS[name](clustering) / len(repeats)
        return [
            values[f"mean of {metric.id}" if metric.statistic == "mean" else metric.statistic] for metric in metrics
        ]

    def _add_linear(self, run: Predictions, metrics: Sequence[Metric], values: dict[str, Array]) -> None:
        """Add the means over videos, those without a missing value in one product."""
        whole: dict[str, Array] = {}
        for metric in metrics:
            if metric.statistic == "accuracy":
                whole["accuracy"] = self._hits(run).mean(axis=0)
                continue
            name, rows = _name(metric), self._rows(run, metric)
            missing = np.isnan(rows)
            if missing.any():
                counted = self._draws.by_group(1.0 - missing) @ self._draws.counts
                summed = self._draws.by_group(np.where(missing, 0.0, rows)) @ self._draws.counts
                with np.errstate(invalid="ignore"):  # a draw has no video that counts: its mean is NaN
                    values[name] = (summed / counted).mean(axis=0)
            else:
                whole[name] = rows.mean(axis=0)
        if whole:
            summed = self._draws.by_group(np.stack([*whole.values()])) @ self._draws.counts
            values |= dict(zip(whole, summed / self._draws.videos, strict=True))

    def _classes_of(self, run: Predictions) -> Classes:
        if run.labels not in self._classes:
            self._classes[run.labels] = Classes(np.asarray(run.labels, dtype=np.int64), self._draws)
        return self._classes[run.labels]

    def _hits(self, run: Predictions) -> Array:
        """(R, N) 1 where a repeat is right."""
        return np.asarray(self._predicted(run) == np.asarray(run.labels), dtype=np.float64)

    def _predicted(self, run: Predictions) -> NDArray[np.int64]:
        rows = np.asarray(run.predicted, dtype=np.int64)
        self._expect_shape(rows.shape, "predictions")
        return rows

    def _rows(self, run: Predictions, metric: Metric) -> Array:
        """(R, N) values of a metric; NaN for a video left out."""
        if metric.id not in run.values:
            msg = f"the predictions hold no values of {metric.id}"
            raise ValueError(msg)
        rows = np.array(run.values[metric.id], dtype=np.float64)
        self._expect_shape(rows.shape, f"values of {metric.id}")
        return rows

    def _expect_shape(self, shape: tuple[int, ...], what: str) -> None:
        if len(shape) != 2 or not shape[0] or shape[1] != len(self._draws.member):
            msg = f"expected {what} (repeats, {len(self._draws.member)}), got {shape}"
            raise ValueError(msg)

    def _counted(self, seeds: Sequence[Predictions], metric: Metric) -> frozenset[str]:
        """Groups of the videos that the metric counts in some seed."""
        if metric.statistic != "mean":
            return self._every
        known = np.any([~np.isnan(self._rows(run, metric)).all(axis=0) for run in seeds], axis=0)
        return frozenset(self._draws.names[group] for group in np.unique(self._draws.member[known]))


def _name(metric: Metric) -> str:
    """Name of a metric's figures, which metrics of one statistic share."""
    return f"mean of {metric.id}" if metric.statistic == "mean" else metric.statistic
