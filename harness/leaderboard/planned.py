"""What a board is built from: the cells of a suite, each with the run it has, if any."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pydantic

from harness.results import Identity, Run

if TYPE_CHECKING:
    from harness.results import Store
    from harness.suites.plan import Plan


class Planned(pydantic.BaseModel):
    """A cell as the suite plans it today, and the run found for it.

    Raises:
        ValueError: when `run` is of another cell.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    identity: Identity
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
