"""Progress as events, which a terminal or a log on stderr shows."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from harness.system.text import printable

LINE_LIMIT = 4000
"""Characters of a line for people, which may list many names."""
TASK_LIMIT = 200
"""Characters of what a task is called, and of its note."""


@dataclass(frozen=True, slots=True)
class Started:
    """A task begins."""

    task: int
    description: str
    total: float


@dataclass(frozen=True, slots=True)
class Advanced:
    """A part of a task is done; `note` is shown beside its bar (a loss, a file name)."""

    task: int
    amount: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """A task is over, whether it was finished or not."""

    task: int


@dataclass(frozen=True, slots=True)
class Said:
    """A line for people."""

    text: str


Event = Started | Advanced | Ended | Said
Watcher = Callable[[Event], None]
EVENTS: dict[str, Callable[..., Event]] = {kind.__name__: kind for kind in (Started, Advanced, Ended, Said)}
"""Kinds of events by name."""

_tasks = itertools.count()
_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


class Bar:
    """A task under way.

    Args:
        task: number of the task.
        send: where its events go.
    """

    def __init__(self, task: int, send: Watcher) -> None:
        self._task = task
        self._send = send

    def advance(self, amount: float = 1, *, note: str = "") -> None:
        """Count `amount` more as done."""
        self._send(Advanced(self._task, amount, note))


@contextlib.contextmanager
def bar(description: str, total: float) -> Iterator[Bar]:
    """Report a task that is done when `advance` has counted to `total`; tasks nest.

    >>> with bar("drawing", total=2) as drawing:
    ...     drawing.advance()
    ...     drawing.advance()
    """
    send, task = _watcher.get() or _terminal, next(_tasks)
    send(Started(task, description, total))
    try:
        yield Bar(task, send)
    finally:
        send(Ended(task))


def say(text: str) -> None:
    """Report one line."""
    (_watcher.get() or _terminal)(Said(text))


@contextlib.contextmanager
def sent_to(watcher: Watcher) -> Iterator[None]:
    """Send the events of the block to `watcher` in place of stderr.

    >>> events = []
    >>> with sent_to(events.append):
    ...     say("done")
    >>> events
    [Said(text='done')]
    """
    token = _watcher.set(watcher)
    try:
        yield
    finally:
        _watcher.reset(token)


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let several threads report in the block, each in a copy of its context."""
    send, lock = _watcher.get() or _terminal, threading.Lock()

    def locked(event: Event) -> None:
        with lock:
            send(event)

    with sent_to(locked):
        yield


class Relay:
    """Reporter of another process's events, whose tasks are numbered there.

    >>> events = []
    >>> with sent_to(events.append):
    ...     relay = Relay()
    ...     relay(Started(0, "fitting", 2))
    ...     relay.close()
    >>> [type(event).__name__ for event in events], events[0].task == events[1].task
    (['Started', 'Ended'], True)
    """

    def __init__(self) -> None:
        self._send = _watcher.get() or _terminal
        self._numbers: dict[int, int] = {}

    def __call__(self, event: Event) -> None:
        """Report one event."""
        if isinstance(event, Started):
            self._numbers[event.task] = next(_tasks)
        if not isinstance(event, Said):
            if event.task not in self._numbers:
                return  # it began where nobody watched
            event = replace(event, task=self._numbers[event.task])
        self._send(event)
        if isinstance(event, Ended):
            self._numbers = {there: here for there, here in self._numbers.items() if here != event.task}

    def close(self) -> None:
        """End the tasks that a process which is no more had under way."""
        for task in self._numbers.values():
            self._send(Ended(task))
        self._numbers = {}


@dataclass
class Terminal:
    """Display of events on stderr: live bars, or plain lines in a log."""

    console: Console = field(default_factory=lambda: Console(stderr=True, highlight=False))
    _live: Progress | None = None
    _bars: dict[int, TaskID] = field(default_factory=dict)
    _lines: dict[int, _Line] = field(default_factory=dict)

    def __call__(self, event: Event) -> None:
        """Show one event."""
        event = _printable(event)
        if isinstance(event, Said):
            (self._live.console if self._live else self.console).print(event.text, markup=False, soft_wrap=True)
        elif self.console.is_terminal:
            self._show_bar(event)
        else:
            self._show_line(event)

    def _show_bar(self, event: Started | Advanced | Ended) -> None:
        if self._live is None:  # one terminal has one live display, which nested bars share
            self._live = Progress(
                TextColumn("{task.description}", markup=False),
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.fields[note]}", markup=False),
                console=self.console,
                transient=True,
                redirect_stdout=False,  # which is not for what people read
            )
            self._live.start()
        if isinstance(event, Started):
            self._bars[event.task] = self._live.add_task(event.description, total=event.total, note="")
        elif isinstance(event, Advanced):
            self._live.update(self._bars[event.task], advance=event.amount, note=event.note)
        else:
            self._live.remove_task(self._bars.pop(event.task))
        if not self._bars:
            self._live.stop()
            self._live = None

    def _show_line(self, event: Started | Advanced | Ended) -> None:
        if isinstance(event, Started):
            self._lines[event.task] = _Line(event.description, event.total)
            self._print(f"{event.description} ...")
        elif isinstance(event, Advanced):
            text = self._lines[event.task].advance(event)
            if text:
                self._print(text)
        else:
            del self._lines[event.task]

    def _print(self, text: str) -> None:
        self.console.print(text, markup=False, soft_wrap=True)


def _printable(event: Event) -> Event:
    if isinstance(event, Said):
        return Said(printable(event.text, LINE_LIMIT))
    if isinstance(event, Started):
        return replace(event, description=printable(event.description, TASK_LIMIT))
    return replace(event, note=printable(event.note, TASK_LIMIT)) if isinstance(event, Advanced) else event


@dataclass
class _Line:
    """Progress in a log: a line at each quarter, and every 30 seconds of work."""

    description: str
    total: float
    done: float = 0.0
    quarter: int = 0
    start: float = field(default_factory=time.monotonic)
    spoke: float = field(default_factory=time.monotonic)

    def advance(self, event: Advanced) -> str:
        """Text to print; empty when it is too early."""
        self.done += event.amount
        quarter = int(4 * self.done / self.total) if self.total else 4
        now = time.monotonic()
        if quarter <= self.quarter and now - self.spoke <= 30:
            return ""
        self.quarter, self.spoke = quarter, now
        share = 100 * self.done / self.total if self.total else 100
        return f"{self.description} {share:.0f} % after {now - self.start:.0f} s {event.note}".rstrip()


_terminal = Terminal()
