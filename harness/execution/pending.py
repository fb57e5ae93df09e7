"""Units that are not done, in an order in which each has what it depends on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.execution.failures import Failure
from harness.store.fits import FIT, is_stored

if TYPE_CHECKING:
    from pathlib import Path

    from harness.execution.work_units import Unit
    from harness.store.runs import Store
    from harness.store.specs import FitSpec, Row


def done_again(row: Row, store: Path) -> bool:
    """True if a whole fit is stored without a share of it that a row needs."""
    fits = store / "fits"
    return any(
        fit.whole is not None and (fits / fit.whole.key / FIT).exists() and not (fits / fit.key / FIT).exists()
        for part in row.fits
        for fit in part.chain
    )


def is_to_do(key: str, store: Store, *, retried: bool) -> bool:
    """Tell whether a cell is computed, by what the store has of it now.

    Args:
        key: of its run.
        store: where the runs are.
        retried: whether a stored run that failed counts as missing; one that is done by now never does.
    """
    status = store.status(key)
    return status is None or (retried and status != "done")


def failure_meanwhile(unit: Unit, todo: Unit, store: Store) -> Failure | None:
    """Failure of a fit that another process tried meanwhile; None without one.

    Args:
        unit: as it was waited for.
        todo: what is left of it.
        store: where the runs are.
    """
    if todo.evaluations or not unit.evaluations:
        return None
    runs = [store.get(cell.key) for cell in unit.evaluations]
    failed = [Failure(run.status, run.reason) for run in runs if run is not None and run.status != "done"]
    return failed[0] if len(failed) == len(runs) else None


class PendingUnits:
    """Units with cells that are not stored, and the fits that these need.

    Args:
        units: each after those that it depends on.
        store: where runs and fits are.
        retry_failed: whether stored runs that failed count as missing.
    """

    def __init__(self, units: Iterable[Unit], store: Store, *, retry_failed: bool = False) -> None:
        self._store = store
        units = list(units)
        stored = {cell.key: store.status(cell.key) for unit in units for cell in unit.evaluations}
        self._retried = {key for key, status in stored.items() if retry_failed and status not in {None, "done"}}
        missing = {key for key, status in stored.items() if status is None} | self._retried
        self._failures: dict[str, Failure] = {}
        self._waiting: dict[str, Unit] = {}
        wanted: set[str] = set()
        for unit in reversed(units):
            todo = unit.only(missing)
            if todo.evaluations or (unit.key in wanted and unit.fit is not None and not self._is_fitted(unit.fit)):
                self._waiting[unit.key] = todo
                wanted |= {fit.key for fit in unit.after}
        self._waiting = dict(reversed(self._waiting.items()))
        self.cells = sum(len(unit.evaluations) for unit in self._waiting.values())
        self._before = {
            key: {fit.key for fit in unit.after} & self._waiting.keys() for key, unit in self._waiting.items()
        }
        self._behind: dict[str, list[str]] = {}
        for key, before in self._before.items():
            for one in before:
                self._behind.setdefault(one, []).append(key)
        self._ready = {key: unit for key, unit in self._waiting.items() if not self._before[key]}

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def ready(self) -> tuple[Unit, ...]:
        """Units that can be begun now."""
        return tuple(self._ready.values())

    def take(self, unit: Unit) -> Unit:
        """Begin a unit: what of it is not stored by now, perhaps by another process."""
        del self._waiting[unit.key], self._ready[unit.key]
        keys = [cell.key for cell in unit.evaluations]
        return unit.only({key for key in keys if is_to_do(key, self._store, retried=key in self._retried)})

    def failure_before(self, unit: Unit) -> Failure | None:
        """Failure of a fit that a unit depends on."""
        return unit.failure_after(self._failures)

    def all(self) -> tuple[Unit, ...]:
        """Units that are not begun, each after those that it depends on."""
        return tuple(self._waiting.values())

    def retried(self, unit: Unit) -> frozenset[str]:
        """Keys of evaluations that are computed again, unless they are done by then."""
        return frozenset(cell.key for cell in unit.evaluations) & self._retried

    def finish(self, unit: Unit, failure: Failure | None) -> None:
        """End a unit, with the failure of its fit; those behind it may be ready now."""
        if failure is not None:
            self._failures[unit.key] = failure
        for key in self._behind.pop(unit.key, []):
            self._before[key].discard(unit.key)
            if not self._before[key]:
                self._ready[key] = self._waiting[key]

    def _is_fitted(self, fit: FitSpec) -> bool:
        return is_stored(self._store.folder / "fits" / fit.key)
