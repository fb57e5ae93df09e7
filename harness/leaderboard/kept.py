"""Keys of what suites and boards name, so that the rest of a store can be found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.store.garbage import Kept
from harness.store.records import EvalSpec

if TYPE_CHECKING:
    from harness.leaderboard.planned import PlannedCell
    from harness.leaderboard.stored_cells import Unplanned


def kept_keys(cells: Iterable[PlannedCell], planned: Iterable[EvalSpec | Unplanned] = ()) -> Kept:
    """Collect the keys of runs that are shown, and of the fits and features they need.

    Args:
        cells: of boards, with their runs, also those that are stale.
        planned: cells of suites, whose fits and features are kept whether or not they are measured yet.
    """
    runs = [cell.run for cell in cells if cell.run is not None]
    specs = [cell for cell in planned if isinstance(cell, EvalSpec)]
    fits = {fit.key for spec in specs for part in spec.row.fits for fit in part.chain}
    return Kept(
        runs=frozenset(run.key for run in runs),
        fits=frozenset({run.fit_key for run in runs} | fits),
        features=frozenset(encoding.key for spec in specs for encoding in spec.encodings),
    )
