"""Cells of a suite with their stored runs, found by key, or else by place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.errors import DataError, StoreError, UsageError
from harness.execution.cells import suite_cells
from harness.execution.plan import Planner
from harness.leaderboard.planned import PlannedCell
from harness.store.choices import Choice
from harness.store.records import Average, CellSpec, Run
from harness.store.runs import Store
from harness.store.specs import EvalSpec

if TYPE_CHECKING:
    from harness.execution.sources import DataSources
    from harness.plugins.manager import Plugins
    from harness.suites.schema import Suite


@dataclass(frozen=True, slots=True)
class Unplanned:
    """A cell whose key is unknown, because data that it is of is gone."""

    identity: CellSpec
    average: Average | None
    supervised: bool


@dataclass(frozen=True, slots=True)
class PlannedSuite:
    """Cells of a suite as far as its data can be read."""

    cells: tuple[EvalSpec | Unplanned, ...]
    gone: dict[str, str]
    """The reason why a data set cannot be read, by its label."""

    @property
    def unchecked(self) -> str:
        """Note that keys are unknown; empty where all are known."""
        if not self.gone:
            return ""
        reasons = "; ".join(f"{label}: {reason}" for label, reason in self.gone.items())
        return (
            "Keys could not be checked, because data cannot be read: the newest run of each cell is shown, whatever "
            f"code and data it was made with ({reasons})."
        )


def plan_readable(suite: Suite, plugins: Plugins, sources: DataSources) -> PlannedSuite:
    """Plan the cells of a suite whose data can be read; draw nothing."""
    planner, gone = Planner(plugins, sources, suite.view), _Gone(sources)
    cells: list[EvalSpec | Unplanned] = []
    for cell, average in suite_cells(suite, plugins):
        learnt = () if cell.pretraining is None else (cell.pretraining,)
        reasons = [gone.reason(data) for data in (*learnt, *cell.further_data, cell.data)]
        if any(reasons):
            cells.append(Unplanned(cell, average, _reads_labels(cell, plugins)))
        else:
            cells.append(replace(planner.cell(cell), average=average))
    return PlannedSuite(tuple(cells), {label: reason for label, reason in gone.reasons.items() if reason})


class _Gone:
    """Reasons why data sets cannot be read, each looked for once."""

    def __init__(self, sources: DataSources) -> None:
        self._sources = sources
        self.reasons: dict[str, str] = {}

    def reason(self, data: Choice) -> str:
        """Reason why a data set cannot be read; empty when it can."""
        if data.label not in self.reasons:
            self.reasons[data.label] = self._reason(data)
        return self.reasons[data.label]

    def _reason(self, data: Choice) -> str:
        try:
            if not self._sources.ready(data):
                return "not drawn"
            for name in self._sources.dataset(data).card.splits:
                self._sources.split(data, name)
        except StoreError:
            raise
        except (DataError, UsageError) as error:
            return str(error)
        return ""


def _reads_labels(cell: CellSpec, plugins: Plugins) -> bool:
    methods = [part.method for part in cell.parts] or [cell.method]
    return any(plugins.methods.entry(method.name).card.supervised for method in methods)


def with_runs(cells: Sequence[EvalSpec | Unplanned], store: Store) -> tuple[PlannedCell, ...]:
    """Find the run of every cell: under its key, else the newest of its place."""
    runs = {cell.key: store.readable(cell.key) for cell in cells if isinstance(cell, EvalSpec)}
    newest: dict[str, Run] = {}
    if None in runs.values() or any(isinstance(cell, Unplanned) for cell in cells):
        for older in sorted(store, key=lambda run: str(run.provenance.get("finished", ""))):
            newest[older.identity.place] = older
    planned = []
    for cell in cells:
        if isinstance(cell, Unplanned):
            planned.append(_of_place(cell, newest.get(cell.identity.place)))
            continue
        run = runs[cell.key]
        if run is None and not store.path(cell.key).exists():  # not one of a newer version
            run = newest.get(cell.identity.place)
        planned.append(
            PlannedCell(
                identity=cell.identity,
                key=cell.key,
                supervised=cell.supervised,
                run=None if cell.not_applicable else _of(cell.identity, run),
                not_applicable=cell.not_applicable,
                sees=cell.row.promise.sees,
                starts=cell.starts,
                average=cell.average,
            )
        )
    return tuple(planned)


def _of_place(cell: Unplanned, run: Run | None) -> PlannedCell:
    """The newest run of a cell as if its key were the one of today."""
    return PlannedCell(
        identity=cell.identity,
        key="" if run is None else run.key,
        supervised=cell.supervised,
        run=_of(cell.identity, run),
        sees="" if run is None else run.sees,
        starts=() if run is None else run.starts,
        average=cell.average,
    )


def _of(identity: CellSpec, run: Run | None) -> Run | None:
    """The run as one of a cell, whose files may have been elsewhere when it was made."""
    return None if run is None else run.model_copy(update={"identity": identity})
