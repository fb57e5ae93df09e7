"""Average of one row's cells over the official folds of a data set."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.cards import EvaluatorCard, Metric
from harness.leaderboard.statistics import SEED, Sample, group_weights, interval, over_seeds
from harness.leaderboard.table import GRAVEST, BoardCell, CellStatus, MetricSummary
from harness.system.hashing import digest

FEW = 6
"""Fewest groups that are drawn among themselves."""


@dataclass(frozen=True, slots=True)
class Resampled:
    """A cell with the samples of all its metrics, of which the cell itself keeps one."""

    cell: BoardCell
    samples: tuple[Sample | None, ...] = ()
    """One a metric; empty where nothing was measured."""


def fold_weights(folds: Sequence[Sequence[str]]) -> list[NDArray[np.float64]]:
    """Draw groups for several folds at once: for each fold (B, N) counts by video.

    A group that several folds test on is drawn as often in each. Groups of the same folds are drawn among themselves,
    so that every fold keeps its number of groups; where these are few, together with the others that are.

    >>> one, other = fold_weights([list("abcdeff"), list("uvwxyz")])
    >>> set(one[:, :6].sum(1)), bool((one[:, 5] == one[:, 6]).all()), bool((one[:, :6] == other).all())
    ({np.float64(6.0)}, True, False)

    Args:
        folds: for each fold, the groups of its N videos.
    """
    counts: dict[str, NDArray[np.float64]] = {}
    for number, names in enumerate(strata_of([frozenset(groups) for groups in folds])):
        counts |= dict(zip(names, group_weights(names, seed=SEED + number).T, strict=True))
    return [np.stack([counts[name] for name in groups], axis=1) for groups in folds]


def strata_of(folds: Sequence[frozenset[str]]) -> list[list[str]]:
    """Groups that are drawn among themselves."""
    members: dict[tuple[int, ...], list[str]] = {}
    for name in sorted(frozenset().union(*folds)):
        members.setdefault(tuple(i for i, groups in enumerate(folds) if name in groups), []).append(name)
    strata = [members[key] for key in sorted(members) if len(members[key]) >= FEW]
    if few := [name for key in sorted(members) if len(members[key]) < FEW for name in members[key]]:
        strata.append(few)
    return strata


def averaged(folds: Sequence[Resampled], card: EvaluatorCard) -> BoardCell:
    """Average the cells of all folds, which were drawn by `fold_weights` together.

    The number of a seed is the mean over its folds; its interval is for new groups and new seeds.
    """
    cells = [fold.cell for fold in folds]
    statuses = [cell.status for cell in cells]
    status: CellStatus = next((one for one in GRAVEST if one in statuses), "done")
    strata = strata_of([cell.group_names for cell in cells])
    alike = _same_seeds(cells)
    samples = [
        mean_of_folds([fold.samples[index] if fold.samples and alike else None for fold in folds], strata)
        for index in range(len(card.metrics))
    ]
    protocols = list(dict.fromkeys(cell.protocol_id for cell in cells))
    protocol = protocols[0] if len(protocols) == 1 else digest({"folds": [cell.protocol_id for cell in cells]})
    tests = {cell.tested: cell.videos for cell in cells if cell.videos}  # fits on folds share one
    videos = sum(cell.videos or 0 for cell in cells) if len(tests) > 1 else sum(tests.values())
    return BoardCell(
        status=status,
        reason="; ".join(dict.fromkeys(cell.reason for cell in cells if cell.reason)),
        seeds=tuple(seed for cell in cells for seed in cell.seeds),
        metrics=tuple(_summary(metric, cells, index, samples[index]) for index, metric in enumerate(card.metrics)),
        protocol_id=protocol if status == "done" else "",
        videos=videos or None,
        primary_sample=samples[0],
        resample=functools.partial(_sample, cells, strata),
        group_names=frozenset().union(*strata),
    )


def _sample(folds: Sequence[BoardCell], strata: Sequence[Sequence[str]], metric: Metric) -> Sample | None:
    return mean_of_folds([cell.resample(metric) for cell in folds], strata) if _same_seeds(folds) else None


def _same_seeds(folds: Sequence[BoardCell]) -> bool:
    """True where all folds have the same seeds, so that these can be paired."""
    return len({cell.used for cell in folds}) == 1


def mean_of_folds(samples: Sequence[Sample | None], strata: Sequence[Sequence[str]]) -> Sample | None:
    """Average the samples of folds, draw by draw; None where they cannot be paired.

    Args:
        samples: one a fold, None where nothing was measured.
        strata: groups that were drawn among themselves.
    """
    known = [sample for sample in samples if sample is not None]
    if not known or len(known) < len(samples) or len({sample.drawn.shape for sample in known}) > 1:
        return None
    names = frozenset().union(*(sample.names for sample in known))
    counted = [number for stratum in strata if (number := len(names.intersection(stratum)))]
    return dataclasses.replace(
        known[0],
        observed=np.mean([sample.observed for sample in known], axis=0),
        drawn=np.mean([sample.drawn for sample in known], axis=0),
        groups=sum(counted),
        strata=max(1, len(counted)),
        names=names,
    )


def _summary(metric: Metric, folds: Sequence[BoardCell], index: int, sample: Sample | None) -> MetricSummary:
    summaries = [cell.metrics[index] for cell in folds]
    seeds = frozenset.intersection(*(cell.used for cell in folds))
    values = tuple((seed, value) for seed, value in _by_seed(summaries) if seed in seeds)
    chances = [summary.chance for summary in summaries if summary.chance is not None]
    chance = sum(chances) / len(chances) if len(chances) == len(summaries) else None
    if not values or any(summary.interval is None for summary in summaries):
        return MetricSummary(metric, values=values)
    if sample is None:
        return MetricSummary(metric, over_seeds([value for _, value in values], metric.bounds), chance, values)
    return MetricSummary(metric, interval(sample, metric.bounds), chance, values)


def _by_seed(summaries: Sequence[MetricSummary]) -> Iterator[tuple[int, float]]:
    """Mean of each seed over the folds, of those that all folds have."""
    folds = [dict(summary.values) for summary in summaries]
    for seed in folds[0]:
        if all(seed in values for values in folds):
            yield seed, sum(values[seed] for values in folds) / len(folds)
