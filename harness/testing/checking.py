"""Conformance checks as callables with a name, and the errors they raise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

from torch import Tensor

from harness.errors import PluginError

T = TypeVar("T")


TOLERANCE = 1e-3
"""Largest `distance` of equal vectors; rounding differs with batches and devices."""


class ConformanceError(PluginError):
    """Failure of a plugin's object in a check."""


class BlockedError(Exception):
    """Failure of a check that another one builds on, which is then not made."""


class UnmetError(Exception):
    """Failed expectation within a check, before the object and check are named."""


def expect(kept: bool, *, expected: str, got: object, remedy: str) -> None:
    """Fail the calling check unless the expectation was `kept`.

    Raises:
        UnmetError: when it was not; names what was expected, what came, and the remedy.
    """
    if not kept:
        msg = f"expected {expected}, got {got}; {remedy}"
        raise UnmetError(msg)


def distance(values: Tensor, wanted: Tensor) -> float:
    """Largest difference of two tensors, relative to the largest value in `wanted`.

    >>> import torch
    >>> round(distance(torch.tensor([1.0, 4.5]), torch.tensor([1.0, 5.0])), 3)
    0.1
    """
    values, wanted = values.detach(), wanted.detach()
    difference = float((values - wanted).abs().max())
    return difference / max(float(wanted.abs().max()), 1e-12) if difference else 0.0


@dataclass(eq=False)
class Subject(Generic[T]):
    """Object under test, with the outcomes of its checks so far."""

    kind: Literal["method", "backbone", "data set", "evaluator"]
    tested: T
    _outcomes: dict[str, ConformanceError | BlockedError | None] = field(default_factory=dict, init=False)

    @property
    def name(self) -> str:
        """The card's name; the class's where there is no card."""
        return str(getattr(getattr(self.tested, "card", None), "name", type(self.tested).__name__))

    def outcome(self, function: Callable[[Any], None]) -> ConformanceError | BlockedError | None:
        """Make the check `function`, once; return its error, None when it passed."""
        name = function.__name__
        if name not in self._outcomes:
            self._outcomes[name] = self._made(function)
        return self._outcomes[name]

    def requires(self, *functions: Callable[[Any], None]) -> None:
        """Block the calling check when one of the checks `functions` failed.

        Raises:
            BlockedError: when one failed; names it.
        """
        for function in functions:
            if self.outcome(function) is not None:
                msg = f"{self.kind} {self.name!r} has to pass {function.__name__} first"
                raise BlockedError(msg)

    def _made(self, function: Callable[[Any], None]) -> ConformanceError | BlockedError | None:
        where = f"{self.kind} {self.name!r} fails {function.__name__}"
        try:
            function(self)
        except BlockedError as error:
            return error
        except UnmetError as error:
            return ConformanceError(f"{where}: {error}")
        except Exception as error:
            text = " ".join(str(error).split())
            failure = ConformanceError(f"{where}: it raised {type(error).__name__}: {text}")
            failure.__cause__ = error
            return failure
        return None


@dataclass(frozen=True)
class Check:
    """Check of one object, to be called."""

    subject: Subject[Any]
    function: Callable[[Any], None]

    @property
    def name(self) -> str:
        """Name of the check: `check_...`."""
        return self.function.__name__

    def __call__(self) -> None:
        """Make the check, once.

        Raises:
            ConformanceError: when the object does not pass; its message is one line.
            BlockedError: when a check that this one builds on failed.
        """
        outcome = self.subject.outcome(self.function)
        if outcome is not None:
            raise outcome
