"""Keys of what suites and boards name, so that the rest of a store can be found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.store.garbage import Kept

if TYPE_CHECKING:
    from harness.leaderboard.planned import PlannedCell
    from harness.store.records import EvalSpec


def kept_keys(cells: Iterable[PlannedCell], planned: Iterable[EvalSpec] = ()) -> Kept:
    """Collect the keys of runs that are shown, and of the fits and features they need.

    Runs of boards, and stale ones, do not say of which fits their parts are, or which they started from: where one has
    such, all fits are kept.

    Args:
        cells: of boards, with their runs, also those that are stale.
        planned: cells of suites, whose runs, fits and features are kept whether or not they are there yet.
    """
    specs = {spec.key: spec for spec in planned}
    runs = [cell.run for cell in cells if cell.run is not None]
    others = [run for run in runs if run.key not in specs]
    fits = {fit.key for spec in specs.values() for part in spec.row.fits for fit in part.chain}
    made_of_others = any(run.identity.parts or run.identity.starting_fits for run in others)
    return Kept(
        runs=frozenset({run.key for run in runs} | specs.keys()),
        fits=None if made_of_others else frozenset({run.fit_key for run in others} | fits),
        features=frozenset(encoding.key for spec in specs.values() for encoding in spec.encodings),
    )
