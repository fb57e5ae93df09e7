"""Numbers of a board as its `results.json` records them; none is computed anew.

Bootstrapping the boards again would take minutes, and could give others than the boards' own pages show.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pydantic

from harness.cards import EvaluatorCard, Metric
from harness.leaderboard.results_content import StoredCell, evaluator_cards, read_stored, reading
from harness.leaderboard.results_file import NAME
from harness.leaderboard.statistics import Interval
from harness.leaderboard.table import setting
from harness.store.records import CellSpec, Run
from harness.system.hashing import digest


class _Recorded(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class _Other(_Recorded):
    interval: Interval
    baseline: float | None


class _Cell(_Recorded):
    evaluator: str
    data: str
    metric: str
    status: str
    interval: Interval | None
    chance: float | None
    others: dict[str, _Other]


class Rank(_Recorded):
    """Place of a row in its division of its board, and the places left open."""

    place: int
    low: int
    high: int


class _Row(_Recorded):
    method: str
    backbone: str
    pretraining: str
    sees: str
    starts: tuple[str, ...]
    reference: bool
    labelled: bool
    division: int
    rank: Rank | None
    cells: tuple[_Cell, ...] = pydantic.Field(min_length=1)


_ROWS = pydantic.TypeAdapter(tuple[_Row, ...])


@dataclass(frozen=True, slots=True)
class RecordedRow:
    """A row of a board."""

    identity: CellSpec
    """Identity of one cell; method, backbone, pretraining, frames hold for the row."""
    sees: str
    starts: tuple[str, ...]
    """Weights that its networks started from, in words."""
    supervised: bool
    labelled: bool
    """True where its weights learnt from labels, and its method did not."""
    rank: Rank | None
    competitors: int
    """Number of rows that are ranked together with it, itself included."""


@dataclass(frozen=True, slots=True)
class Number:
    """One metric of a row in a column."""

    row: RecordedRow
    cell: CellSpec
    """The place of its first seed; evaluator and data are the column's."""
    metric: Metric
    primary: bool
    """True for the metric that its evaluator ranks by."""
    status: str
    interval: Interval
    chance: float | None
    seeds: tuple[tuple[int, float], ...]
    """Seed and score, averaged over folds where the row averages them."""
    keys: tuple[str, ...]
    """Keys of its runs."""
    protocol: str
    """Hash of what it is a measurement of; numbers compare only within one."""
    settings: Mapping[str, Any] = field(repr=False, compare=False)
    """The protocol of its first run."""


@dataclass(frozen=True, slots=True)
class RecordedBoard:
    """A board in a folder of that name."""

    name: str
    folder: Path
    title: str
    summary: str
    suite: str
    rows: tuple[RecordedRow, ...]
    numbers: tuple[Number, ...]


def load_recorded(folder: Path) -> RecordedBoard:
    """Read the board in a folder.

    Raises:
        DataError: when its `results.json` is missing, broken or of a newer version.
    """
    path = folder / NAME
    with reading(path):
        content = read_stored(path)
        cards, table = evaluator_cards(content), _ROWS.validate_python(content.table)
        cells = _by_place(content.planned)
        competitors = _competitors(table)
        rows = [_row(one, cells, competitors) for one in table]
        numbers = [
            number
            for row, recorded in zip(rows, table, strict=True)
            for cell in recorded.cells
            for number in _numbers(row, cell, cells[_place(recorded, cell)], cards)
        ]
    return RecordedBoard(
        folder.resolve().name, folder, content.title, content.summary, content.suite, tuple(rows), tuple(numbers)
    )


_Place = tuple[str, ...]
"""Labels of method, backbone, pretraining, evaluator and data."""


@dataclass(frozen=True, slots=True)
class _Planned:
    """A planned cell with the names that its board shows, and its run if that is done."""

    shown: CellSpec
    fold: _Place
    """Labels of its own pretraining and data, several of which a place may average."""
    run: Run | None
    fresh: bool
    """True where the run has the key that was planned."""


def _by_place(planned: Sequence[StoredCell]) -> dict[_Place, list[_Planned]]:
    places: dict[_Place, list[_Planned]] = {}
    for stored in planned:
        cell = stored.without_predictions
        shown = cell.shown
        backbone, pretraining, *_ = setting(shown)
        place = (shown.method.label, backbone, pretraining, shown.evaluator.label, shown.data.label)
        run = cell.run if cell.run is not None and cell.run.status == "done" else None
        fresh = run is not None and run.key == cell.key
        own = cell.identity
        fold = (own.pretraining.label if own.pretraining else "", own.data.label)
        places.setdefault(place, []).append(_Planned(shown, fold, run, fresh))
    return places


def _place(row: _Row, cell: _Cell) -> _Place:
    return row.method, row.backbone, row.pretraining, cell.evaluator, cell.data


def _competitors(table: Sequence[_Row]) -> Counter[int]:
    """Number of ranked rows by division."""
    return Counter(row.division for row in table if row.rank)


def _row(row: _Row, cells: Mapping[_Place, Sequence[_Planned]], competitors: Mapping[int, int]) -> RecordedRow:
    return RecordedRow(
        identity=cells[_place(row, row.cells[0])][0].shown,
        sees=row.sees,
        starts=row.starts,
        supervised=row.reference,
        labelled=row.labelled,
        rank=row.rank,
        competitors=competitors[row.division],
    )


def _numbers(
    row: RecordedRow, cell: _Cell, planned: Sequence[_Planned], cards: Mapping[str, EvaluatorCard]
) -> Iterator[Number]:
    """The metrics of a cell that were measured, the primary one first."""
    first = planned[0].shown
    measured = {cell.metric: (cell.interval, cell.chance)} if cell.interval else {}
    measured |= {name: (other.interval, other.baseline) for name, other in cell.others.items()}
    runs = [run for fold in _by_fold(planned) for run in _used(fold)]
    protocols = list(dict.fromkeys(run.protocol_id for run in runs))
    for metric in cards[first.evaluator.name].metrics:
        interval, chance = measured.get(metric.id, (None, None))
        if interval is not None:
            yield Number(
                row=row,
                cell=first,
                metric=metric,
                primary=metric.id == cell.metric,
                status=cell.status,
                interval=interval,
                chance=chance,
                seeds=_seeds(runs, metric),
                keys=tuple(run.key for run in runs),
                protocol=protocols[0] if len(protocols) == 1 else digest({"folds": protocols}),
                settings=runs[0].protocol if runs else {},
            )


def _by_fold(planned: Sequence[_Planned]) -> list[list[_Planned]]:
    """The cells of each fold that is averaged; all where none is."""
    folds: dict[_Place, list[_Planned]] = {}
    for one in planned:
        folds.setdefault(one.fold, []).append(one)
    return list(folds.values())


def _used(fold: Sequence[_Planned]) -> list[Run]:
    """Runs of a fold that were measured as planned, or else the stale ones."""
    fresh = any(one.fresh for one in fold)
    return [one.run for one in fold if one.run is not None and (one.fresh or not fresh)]


def _seeds(runs: Sequence[Run], metric: Metric) -> tuple[tuple[int, float], ...]:
    """Mean over the folds of each seed that all of them have."""
    values: dict[int, list[float]] = {}
    for run in runs:
        if (score := run.score(metric.id)) is not None:
            values.setdefault(run.identity.seed, []).append(score.value)
    folds = max(map(len, values.values()), default=0)
    return tuple((seed, sum(own) / folds) for seed, own in sorted(values.items()) if len(own) == folds)
