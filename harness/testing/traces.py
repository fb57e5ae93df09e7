"""Traces of code in its process: printed text and changed global state."""

from __future__ import annotations

import contextlib
import io
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from harness.testing.checking import expect

_GLOBALS: dict[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "torch's random state": (
        lambda: torch.get_rng_state().tolist(),
        lambda state: torch.set_rng_state(torch.tensor(state, dtype=torch.uint8)),
    ),
    "NumPy's random state": (lambda: _plain(np.random.get_state()), np.random.set_state),  # noqa: NPY002
    "Python's random state": (random.getstate, random.setstate),
    "torch's gradient mode": (torch.is_grad_enabled, torch.set_grad_enabled),
    "torch's default dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "torch's number of threads": (torch.get_num_threads, torch.set_num_threads),
    "torch's deterministic mode": (
        torch.are_deterministic_algorithms_enabled,
        torch.use_deterministic_algorithms,
    ),
    "cuDNN's benchmark mode": (
        lambda: torch.backends.cudnn.benchmark,
        lambda mode: setattr(torch.backends.cudnn, "benchmark", mode),
    ),
    "the working directory": (os.getcwd, os.chdir),
}


def _plain(state: Any) -> tuple[Any, ...]:
    return tuple(part.tolist() if isinstance(part, np.ndarray) else part for part in state)


@dataclass
class Traces:
    """Traces of a block of code."""

    printed: str = ""
    """Text on stdout."""
    changed: list[str] = field(default_factory=list)
    """Names of the global states that changed."""


@contextlib.contextmanager
def traces() -> Iterator[Traces]:
    r"""Record output and changes of global state in the block; restore the state after.

    >>> with traces() as left:
    ...     print("step 1")
    ...     _ = torch.manual_seed(0)
    >>> left.printed, left.changed
    ('step 1\n', ["torch's random state"])
    """
    left, stdout = Traces(), io.StringIO()
    before = {name: get() for name, (get, _) in _GLOBALS.items()}
    try:
        with contextlib.redirect_stdout(stdout):
            yield left
    finally:
        left.printed = stdout.getvalue()
        for name, (get, put) in _GLOBALS.items():
            if get() != before[name]:
                left.changed.append(name)
                put(before[name])


@contextlib.contextmanager
def reseeded(seed: int) -> Iterator[None]:
    """Run the block with global random states of another seed, restored after."""
    with traces():
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        random.seed(seed)
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
