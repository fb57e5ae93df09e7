"""What a board is built from: the cells of a suite, each with the run it has, if any."""

from __future__ import annotations

import pydantic

from harness.results import Identity, Run


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
