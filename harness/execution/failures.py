"""Reasons why cells are not done, as they are recorded."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import DataError, DivergedError, HarnessError, out_of_memory
from harness.store.records import Status
from harness.system.text import printable

LONGEST = 2000
"""Characters of a reason."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Reason why a cell was not done, in one line."""

    status: Status
    reason: str

    def of(self, part: str) -> Failure:
        """The same failure, said of a part that it happened to."""
        return Failure(self.status, f"{part}: {self.reason}")


def failure_of(error: BaseException) -> Failure:
    """The status and one line for what a fit or an evaluation raised."""
    try:
        text = printable(str(error), LONGEST)
    except Exception:  # a message that cannot be made is none
        text = ""
    text = text or type(error).__name__
    if isinstance(error, DivergedError):
        return Failure("diverged", text)
    if isinstance(error, DataError):
        return Failure("data", text)
    if out_of_memory(error):
        return Failure("oom", text)
    if isinstance(error, HarnessError):
        return Failure("failed", text)
    return Failure("failed", f"{type(error).__name__}: {text}")
