"""Progress on stderr: live bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

console = Console(stderr=True, highlight=False)


class Bar(Protocol):
    """One task under way."""

    def advance(self, n: float = 1, *, note: str = "") -> None:
        """Count `n` more as done; `note` is shown beside the bar (a loss, a file name)."""


class _LiveBar:
    def __init__(self, progress: Progress, description: str, total: float) -> None:
        self._progress = progress
        self._task = progress.add_task(description, total=total, note="")

    def advance(self, n: float = 1, *, note: str = "") -> None:
        self._progress.update(self._task, advance=n, note=note)

    def close(self) -> None:
        self._progress.remove_task(self._task)


class _LineBar:
    """Lines for logs: at the start, at each quarter, and every 30 seconds of work."""

    def __init__(self, description: str, total: float) -> None:
        self._description, self._total = description, total
        self._done, self._quarter, self._spoke = 0.0, 0, time.monotonic()
        self._start = self._spoke
        console.print(f"{description} ...", markup=False, soft_wrap=True)

    def advance(self, n: float = 1, *, note: str = "") -> None:
        self._done += n
        quarter = int(4 * self._done / self._total) if self._total else 4
        now = time.monotonic()
        if quarter > self._quarter or now - self._spoke > 30:
            self._quarter, self._spoke = quarter, now
            share = 100 * self._done / self._total if self._total else 100
            text = f"{self._description} {share:.0f} % after {now - self._start:.0f} s {note}"
            console.print(text.rstrip(), markup=False, soft_wrap=True)

    def close(self) -> None:
        pass


_live: Progress | None = None


@contextlib.contextmanager
def bar(description: str, total: float) -> Iterator[Bar]:
    """Show a progress bar that is full at `total`; bars nest.

    >>> with bar("drawing", total=2) as drawing:
    ...     drawing.advance()
    ...     drawing.advance()
    """
    global _live  # one terminal has one live display, which nested bars share
    if not console.is_terminal:
        line = _LineBar(description, total)
        yield line
        return
    owner = _live is None
    if _live is None:
        _live = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            transient=True,
        )
        _live.start()
    live = _LiveBar(_live, description, total)
    try:
        yield live
    finally:
        live.close()
        if owner:
            _live.stop()
            _live = None


def say(text: str) -> None:
    """Print one line to stderr, above any live bar."""
    (_live.console if _live else console).print(text, markup=False, soft_wrap=True)
