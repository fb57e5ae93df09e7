"""Rows, columns and cells of a board, before anything is ranked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from harness import progress
from harness.cards import EvaluatorCard, Metric
from harness.errors import DataError, UsageError, unknown
from harness.functional.metrics import STATISTICS
from harness.leaderboard.planned import Planned
from harness.leaderboard.statistics import (
    Array,
    Interval,
    Sample,
    group_weights,
    interval,
    over_seeds,
    resample,
)
from harness.results import Identity, Named, Run, digest

CellStatus = Literal["done", "failed", "diverged", "oom", "data", "stale", "mixed", "missing", "not applicable"]

GRAVEST: tuple[CellStatus, ...] = ("failed", "diverged", "oom", "data", "mixed", "stale", "missing", "not applicable")
"""A cell whose seeds differ in status has the first of these that one of them has."""

TOLERANCE = 1e-4
"""How far a stored score may be from the one its stored predictions give."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One seed of a cell."""

    seed: int
    key: str
    status: CellStatus
    reason: str = ""
    value: float | None = None
    run: Run | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """What is known of a row in a column: the mean over its seeds that are done, or over stale ones where none is."""

    status: CellStatus
    """Done only when every seed is."""
    reason: str
    seeds: tuple[Measurement, ...]
    interval: Interval | None = None
    baseline: float | None = None
    """Chance: the mean over seeds of what an encoder that knows nothing would get on the same videos."""
    protocol_id: str = ""
    """Empty where nothing was measured as planned today."""
    videos: int | None = None
    groups: int | None = None
    sample: Sample | None = field(default=None, repr=False, compare=False)
    """What paired comparisons are made of; None where there are no predictions, or the cell is not done."""


@dataclass(frozen=True, slots=True)
class Column:
    """An evaluator on a data set."""

    evaluator: Named
    data: Named
    card: EvaluatorCard

    @property
    def metric(self) -> Metric:
        """The metric shown and ranked by: the evaluator's primary one."""
        return self.card.primary


@dataclass(frozen=True, slots=True)
class Row:
    """A method on a backbone, learnt from a data set within a budget."""

    identity: Identity
    """Of its first cell; method, backbone, pretraining and frames are the row's."""
    supervised: bool
    """A reference: shown, never ranked."""
    cells: tuple[Cell, ...]

    @property
    def complete(self) -> bool:
        """Whether every cell is done."""
        return all(cell.status == "done" for cell in self.cells)

    @property
    def parts(self) -> tuple[str, str, str, str]:
        """Method, backbone, pretraining and budget, each in words."""
        identity = self.identity
        labels = (identity.method.label, identity.backbone.label, identity.pretraining.label)
        return (*labels, f"{identity.frames:,} frames")


def assemble(
    planned: Sequence[Planned], cards: Mapping[str, EvaluatorCard]
) -> tuple[tuple[Column, ...], tuple[Row, ...]]:
    """Columns and rows in the plan's order, with every interval computed.

    Raises:
        UsageError: when nothing is planned, or an evaluator has no card.
        DataError: when a finished run lacks its primary metric, or its value is no number.
    """
    if not planned:
        msg = "the board has no cells; give a suite with methods and evaluators"
        raise UsageError(msg)
    columns: dict[str, Column] = {}
    rows: dict[str, dict[str, dict[int, Planned]]] = {}
    for cell in planned:
        identity = cell.identity
        if identity.evaluator.name not in cards:
            raise unknown("evaluator", identity.evaluator.name, cards)
        column = digest({"evaluator": identity.evaluator.model_dump(), "data": identity.data.model_dump()})
        row = digest(identity.model_dump(include={"method", "backbone", "pretraining", "frames"}))
        columns.setdefault(column, Column(identity.evaluator, identity.data, cards[identity.evaluator.name]))
        rows.setdefault(row, {}).setdefault(column, {}).setdefault(identity.seed, cell)
    drawn: dict[tuple[str, ...], Array] = {}
    assembled = []
    with progress.bar("intervals", total=len(rows) * len(columns)) as bar:
        for by_column in rows.values():
            cells = []
            for key, column_ in columns.items():
                cells.append(_cell(list(by_column.get(key, {}).values()), column_.metric, drawn))
                bar.advance()
            first = next(iter(next(iter(by_column.values())).values()))
            assembled.append(Row(first.identity, first.supervised, tuple(cells)))
    return tuple(columns.values()), tuple(assembled)


def _cell(planned: list[Planned], metric: Metric, drawn: dict[tuple[str, ...], Array]) -> Cell:
    if not planned:
        return Cell("not applicable", "the suite does not plan it", ())
    seeds = tuple(_measurement(cell, metric) for cell in sorted(planned, key=lambda cell: cell.identity.seed))
    used = [seed for seed in seeds if seed.status == "done"] or [seed for seed in seeds if seed.status == "stale"]
    used = [seed for seed in used if seed.value is not None]
    status, reason = _status(seeds)
    runs = [seed.run for seed in used if seed.run is not None]
    if not runs:
        return Cell(status, reason, seeds)
    protocols = sorted({run.protocol_id for run in runs})
    if len(protocols) > 1:
        return Cell("mixed", "its seeds were measured under different protocols", seeds)
    values = [seed.value for seed in used if seed.value is not None]
    sample = _sample(runs, metric, drawn)
    if sample is not None and any(abs(a - b) > TOLERANCE for a, b in zip(sample.observed, values, strict=True)):
        return Cell("data", "the stored scores are not those that the stored predictions give", seeds)
    baselines = [score.baseline for run in runs if (score := run.score(metric.id)) and score.baseline is not None]
    predictions = runs[0].predictions
    return Cell(
        status=status,
        reason=reason,
        seeds=seeds,
        interval=over_seeds(values, metric.bounds) if sample is None else interval(sample, metric.bounds),
        baseline=sum(baselines) / len(baselines) if baselines else None,
        protocol_id=protocols[0] if used[0].status == "done" else "",
        videos=len(predictions.videos) if predictions else None,
        groups=len(set(predictions.groups)) if predictions else None,
        sample=sample if status == "done" else None,
    )


def _measurement(cell: Planned, metric: Metric) -> Measurement:
    seed, run = cell.identity.seed, cell.run
    if cell.not_applicable:
        return Measurement(seed, cell.key, "not applicable", cell.not_applicable)
    if run is None:
        return Measurement(seed, cell.key, "missing", "not run yet")
    value = _value(run, metric) if run.status == "done" else None
    if run.key != cell.key:
        reason = "measured before its code, data or protocol changed"
        return Measurement(seed, run.key, "stale", reason, value, run)
    return Measurement(seed, run.key, run.status, run.reason, value, run)


def _value(run: Run, metric: Metric) -> float:
    score = run.score(metric.id)
    if score is None or not math.isfinite(score.value):
        problem = "has no" if score is None else "has no finite"
        msg = f"run {run.key} is done but {problem} {metric.id}; delete it and run again"
        raise DataError(msg)
    return score.value


def _status(seeds: tuple[Measurement, ...]) -> tuple[CellStatus, str]:
    for status in GRAVEST:
        if having := [seed for seed in seeds if seed.status == status]:
            reasons = sorted({seed.reason for seed in having if seed.reason})
            which = "" if len(having) == len(seeds) else f"seed {', '.join(str(seed.seed) for seed in having)}: "
            return status, which + "; ".join(reasons)
    return "done", ""


def _sample(runs: list[Run], metric: Metric, drawn: dict[tuple[str, ...], Array]) -> Sample | None:
    predictions = [run.predictions for run in runs if run.predictions is not None]
    if not metric.statistic or len(predictions) != len(runs):
        return None
    if metric.statistic not in STATISTICS:
        raise unknown(f"statistic of metric {metric.id}:", metric.statistic, STATISTICS)
    groups = predictions[0].groups
    if groups not in drawn:
        drawn[groups] = group_weights(groups)
    try:
        return resample(predictions, STATISTICS[metric.statistic], drawn[groups])
    except ValueError as error:
        msg = f"runs {', '.join(run.key for run in runs)}: {error}; delete them and run again"
        raise DataError(msg) from error
