"""The view model of a board: rows, columns and cells."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import pydantic

from harness.cards import EvaluatorCard, Metric
from harness.errors import DataError, UsageError, unknown
from harness.functional.statistics import STATISTICS
from harness.interfaces import Predictions
from harness.leaderboard.statistics import (
    Array,
    Interval,
    Sample,
    group_weights,
    interval,
    over_seeds,
    resample,
)
from harness.store.records import CellSpec, Choice, Run
from harness.system import progress
from harness.system.hashing import digest

if TYPE_CHECKING:
    from harness.execution.plan import Plan
    from harness.store.runs import Store


class Planned(pydantic.BaseModel):
    """A cell as the suite plans it today, and the run found for it.

    Raises:
        ValueError: when `run` is of another cell.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    identity: CellSpec
    key: str
    """The run key that code, data and protocol give today."""
    supervised: bool
    run: Run | None = None
    """Its run; one whose key is not `key` is stale: measured before code, data or protocol changed."""
    not_applicable: str = ""
    """Why the cell cannot be measured; empty when it can."""

    @pydantic.model_validator(mode="after")
    def _same_cell(self) -> Planned:
        if self.run is not None and self.run.identity != self.identity:
            msg = f"run {self.run.key} is of another cell than {self.key}"
            raise ValueError(msg)
        return self


def with_runs(plan: Plan, store: Store) -> tuple[Planned, ...]:
    """The cells of `plan`, each with its stored run, or with the newest run of the same cell under an older key."""
    runs = {cell.key: store.get(cell.key) for cell in plan.cells}
    older: dict[str, Run] = {}
    if None in runs.values():
        for run in sorted(store, key=lambda run: str(run.provenance.get("finished"))):
            older[run.identity.model_dump_json()] = run
    return tuple(
        Planned(
            identity=cell.identity,
            key=cell.key,
            supervised=cell.supervised,
            run=None if cell.missing else runs[cell.key] or older.get(cell.identity.model_dump_json()),
            not_applicable=f"its encoders offer no {' and no '.join(sorted(cell.missing))}" if cell.missing else "",
        )
        for cell in plan.cells
    )


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
    values: tuple[float | None, ...] = ()
    """Of each metric of the column's card; empty where nothing was measured."""
    run: Run | None = None

    @property
    def value(self) -> float | None:
        """Of the primary metric."""
        return self.values[0] if self.values else None


@dataclass(frozen=True, slots=True)
class Measure:
    """One metric of a cell; `interval` is None where no run has the score."""

    interval: Interval | None = None
    baseline: float | None = None
    """Chance: the mean over seeds of what an encoder that knows nothing would get on the same videos."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What is known of a row in a column: the means over its seeds that are done, or over stale ones where none is."""

    status: CellStatus
    """Done only when every seed is."""
    reason: str
    seeds: tuple[Measurement, ...]
    measures: tuple[Measure, ...] = ()
    """Of each metric of the column's card, the primary one first; empty where nothing was measured."""
    protocol_id: str = ""
    """Empty where nothing was measured as planned today."""
    videos: int | None = None
    groups: int | None = None
    sample: Sample | None = field(default=None, repr=False, compare=False)
    """What paired comparisons are made of; None where there are no predictions, or the cell is not done."""

    @property
    def interval(self) -> Interval | None:
        """Of the primary metric."""
        return self.measure(0).interval

    @property
    def baseline(self) -> float | None:
        """Of the primary metric."""
        return self.measure(0).baseline

    def measure(self, metric: int) -> Measure:
        """Of the metric at this place in the column's card; a blank one where nothing was measured."""
        return self.measures[metric] if self.measures else Measure()


@dataclass(frozen=True, slots=True)
class Column:
    """An evaluator on a data set."""

    evaluator: Choice
    data: Choice
    card: EvaluatorCard
    ranks: bool = True
    """Whether rows are ranked by it: not by speed, unless the board has nothing else."""

    @property
    def metric(self) -> Metric:
        """The metric shown and ranked by: the evaluator's primary one."""
        return self.card.primary


@dataclass(frozen=True, slots=True)
class Row:
    """A method on a backbone, learnt from a data set within a budget."""

    identity: CellSpec
    """Of its first cell; method, backbone, pretraining and frames are the row's."""
    supervised: bool
    """A reference: shown, never ranked."""
    cells: tuple[Cell, ...]
    complete: bool
    """Whether every cell is done that rows are ranked by."""

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
    if not all(column.card.time for column in columns.values()):
        columns = {key: replace(column, ranks=not column.card.time) for key, column in columns.items()}
    drawn: dict[tuple[str, ...], Array] = {}
    assembled = []
    with progress.bar("intervals", total=len(rows) * len(columns)) as bar:
        for by_column in rows.values():
            cells, complete = [], True
            for key, column_ in columns.items():
                cells.append(_cell(list(by_column.get(key, {}).values()), column_.card, drawn))
                complete &= cells[-1].status == "done" or not column_.ranks
                bar.advance()
            first = next(iter(next(iter(by_column.values())).values()))
            assembled.append(Row(first.identity, first.supervised, tuple(cells), complete))
    return tuple(columns.values()), tuple(assembled)


def _cell(planned: list[Planned], card: EvaluatorCard, drawn: dict[tuple[str, ...], Array]) -> Cell:
    if not planned:
        return Cell("not applicable", "the suite does not plan it", ())
    seeds = tuple(_measurement(cell, card) for cell in sorted(planned, key=lambda cell: cell.identity.seed))
    used = [seed for seed in seeds if seed.status == "done"] or [seed for seed in seeds if seed.status == "stale"]
    used = [seed for seed in used if seed.value is not None]
    status, reason = _status(seeds)
    runs = [seed.run for seed in used if seed.run is not None]
    if not runs:
        return Cell(status, reason, seeds)
    protocols = sorted({run.protocol_id for run in runs})
    if len(protocols) > 1:
        return Cell("mixed", "its seeds were measured under different protocols", seeds)
    sample = _sample(runs, card.primary, drawn)
    if sample is not None and not _agree(sample, runs, card.primary):
        return Cell("data", "the stored scores are not those that the stored predictions give", seeds)
    others = [_measure(runs, metric, _sample(runs, metric, drawn)) for metric in card.metrics[1:]]
    predictions = runs[0].predictions
    return Cell(
        status=status,
        reason=reason,
        seeds=seeds,
        measures=(_measure(runs, card.primary, sample), *others),
        protocol_id=protocols[0] if used[0].status == "done" else "",
        videos=len(predictions.videos) if predictions else None,
        groups=len(set(predictions.groups)) if predictions else None,
        sample=sample if status == "done" else None,
    )


def _measurement(cell: Planned, card: EvaluatorCard) -> Measurement:
    seed, run = cell.identity.seed, cell.run
    if cell.not_applicable:
        return Measurement(seed, cell.key, "not applicable", cell.not_applicable)
    if run is None:
        return Measurement(seed, cell.key, "missing", "not run yet")
    values = tuple(_value(run, metric) for metric in card.metrics) if run.status == "done" else ()
    if run.key != cell.key:
        reason = "measured before its code, data or protocol changed"
        return Measurement(seed, run.key, "stale", reason, values, run)
    if values and values[0] is None:
        msg = f"run {run.key} is done but has no {card.primary.id}; delete it and run again"
        raise DataError(msg)
    return Measurement(seed, run.key, run.status, run.reason, values, run)


def _value(run: Run, metric: Metric) -> float | None:
    score = run.score(metric.id)
    if score is not None and not math.isfinite(score.value):
        msg = f"run {run.key} is done but has no finite {metric.id}; delete it and run again"
        raise DataError(msg)
    return None if score is None else score.value


def _measure(runs: list[Run], metric: Metric, sample: Sample | None) -> Measure:
    """Mean and interval over the runs that have the score; none where their predictions contradict it."""
    scores = [score for run in runs if (score := run.score(metric.id)) is not None]
    if not scores or (sample is not None and not _agree(sample, runs, metric)):
        return Measure()
    baselines = [score.baseline for score in scores if score.baseline is not None]
    values = [score.value for score in scores]
    return Measure(
        over_seeds(values, metric.bounds) if sample is None else interval(sample, metric.bounds),
        sum(baselines) / len(baselines) if baselines else None,
    )


def _agree(sample: Sample, runs: list[Run], metric: Metric) -> bool:
    """Whether the stored scores are those that the stored predictions give."""
    values = [score.value for run in runs if (score := run.score(metric.id)) is not None]
    return all(abs(a - b) <= TOLERANCE for a, b in zip(sample.observed, values, strict=True))


def _status(seeds: tuple[Measurement, ...]) -> tuple[CellStatus, str]:
    for status in GRAVEST:
        if having := [seed for seed in seeds if seed.status == status]:
            reasons = sorted({seed.reason for seed in having if seed.reason})
            which = "" if len(having) == len(seeds) else f"seed {', '.join(str(seed.seed) for seed in having)}: "
            return status, which + "; ".join(reasons)
    return "done", ""


def _sample(runs: list[Run], metric: Metric, drawn: dict[tuple[str, ...], Array]) -> Sample | None:
    """None where the metric has no statistic, or a run with the score lacks what the statistic needs."""
    if not metric.statistic:
        return None
    if metric.statistic not in STATISTICS:
        raise unknown(f"statistic of metric {metric.id}:", metric.statistic, STATISTICS)
    runs = [run for run in runs if run.score(metric.id)]
    predictions = [run.predictions for run in runs if run.predictions and _carries(run.predictions, metric)]
    if not runs or len(predictions) != len(runs):
        return None
    groups = predictions[0].groups
    if groups not in drawn:
        drawn[groups] = group_weights(groups)
    try:
        return resample(predictions, metric, drawn[groups])
    except ValueError as error:
        msg = f"runs {', '.join(run.key for run in runs)}: {error}; delete them and run again"
        raise DataError(msg) from error


def _carries(predictions: Predictions, metric: Metric) -> bool:
    return metric.id in predictions.values if metric.statistic == "mean" else bool(predictions.predicted)
