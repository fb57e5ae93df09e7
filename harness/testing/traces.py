"""Traces of code in its process: printed text and changed global state."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import numpy as np
import torch.nn

from harness.system import global_state
from harness.testing.checking import expect

PATCHED = (torch.nn, torch.nn.functional, np)
"""Modules of which no attribute may be replaced."""


@dataclass
class Traces:
    """Traces of a block of code."""

    printed: str = ""
    """Text on stdout."""
    changed: list[str] = field(default_factory=list)
    """Names of the global states, and of attributes of modules, that changed."""


@contextlib.contextmanager
def traces() -> Iterator[Traces]:
    r"""Record output and changes of global state in the block; restore the state after.

    >>> import torch
    >>> with traces() as left:
    ...     print("step 1")
    ...     _ = torch.manual_seed(0)
    >>> left.printed, left.changed
    ('step 1\n', ["torch's random state"])
    """
    left, stdout, functions = Traces(), io.StringIO(), _functions()
    try:
        with global_state.kept() as changed, contextlib.redirect_stdout(stdout):
            yield left
    finally:
        left.printed = stdout.getvalue()
        # OpenCV and PyTorch set variables when they are first imported.
        left.changed = [name for name in changed if name != global_state.ENVIRONMENT]
        for (module, name), value in functions.items():
            if getattr(module, name, None) is not value:
                left.changed.append(f"{module.__name__}.{name}")
                setattr(module, name, value)


def _functions() -> dict[tuple[ModuleType, str], Any]:
    """Public attributes of the modules that patches are made of."""
    return {(module, name): value for module in PATCHED for name, value in vars(module).items() if name[0] != "_"}


@contextlib.contextmanager
def reseeded(seed: int) -> Iterator[None]:
    """Run the block with global random states of another seed, restored after."""
    with traces():
        global_state.seed(seed)
        yield


def expect_no_traces(left: Traces, doing: str) -> None:
    """Fail the calling check when a block of code left traces.

    Args:
        left: traces of the block.
        doing: activity of the block, for the message: "fitting".

    Raises:
        UnmetError: when there are traces.
    """
    expect(
        not left.printed,
        expected=f"nothing on stdout while {doing}",
        got=repr(left.printed[:60]),
        remedy="stdout belongs to the harness: use harness.system.progress, or the logging module",
    )
    expect(
        not left.changed,
        expected=f"{doing} to leave the state of the process alone",
        got=f"a change of {', '.join(left.changed)}",
        remedy="draw from a generator of your own, or restore what you set (for torch: harness.system.seeding.seeded)",
    )
