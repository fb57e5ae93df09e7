"""Keys of what suites and boards name, so that the rest of a store can be found."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from harness.store.garbage import Kept
from harness.store.records import FITS

if TYPE_CHECKING:
    from harness.leaderboard.planned import PlannedCell
    from harness.store.specs import EvalSpec


def kept_keys(cells: Iterable[PlannedCell], planned: Iterable[EvalSpec] = ()) -> Kept:
    """Collect the keys of runs that are shown, and of the fits and features they need.

    Runs that were stored before they recorded the fits that they are made of, or started from, keep all fits.

    Args:
        cells: of boards, with their runs, also those that are stale.
        planned: cells of suites, whose runs, fits and features are kept whether or not they are there yet.
    """
    specs = {spec.key: spec for spec in planned}
    runs = [cell.run for cell in cells if cell.run is not None]
    others = [run for run in runs if run.key not in specs]
    fits = {fit.key for spec in specs.values() for part in spec.row.fits for fit in part.chain}
    made_of = [run for run in others if run.identity.parts or run.identity.starting_fits]
    recorded = {key for run in made_of for key in run.provenance.get(FITS, ())}
    fits |= recorded | {run.fit_key for run in others}
    return Kept(
        runs=frozenset({run.key for run in runs} | specs.keys()),
        fits=None if any(FITS not in run.provenance for run in made_of) else frozenset(fits),
        features=frozenset(encoding.key for spec in specs.values() for encoding in spec.encodings),
    )
