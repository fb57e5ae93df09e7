"""Functions called in processes of their own, which may die, hang or swell.

A child is forked from a server that imported the harness's libraries once, and has touched neither a plugin nor a GPU;
where there is no fork it is started anew. It gets values and gives values, reports its progress, and what it prints is
shown on stderr. It has no part in the parent's terminal, ends with the parent, and takes its own children with it.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import psutil

from harness.system import processes, progress
from harness.system.child_process import Settings, kill_group, main
from harness.system.text import printable, without_escapes

if TYPE_CHECKING:
    from typing_extensions import Self

LOOKED = 0.5
"""Seconds between two looks at the memory and the age of a child."""
LEAVING = 5.0
"""Seconds that a child has to end once its work is done."""
LINE = 2000
"""Characters of a line that a child prints."""
LONGEST = 2**16
"""Bytes that are kept of a line that does not end."""
RELAYED = sys.platform == "win32"
"""Connections are no files there, and give whole messages."""
_preloaded: list[str] = []
_served: list[bool] = []


def preload(module: str) -> None:
    """Let the server import a module before it forks; for servers that start later."""
    if module not in _preloaded:
        _preloaded.append(module)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Time and memory of a child; None for any."""

    hours: float | None = None
    memory_gb: float | None = None


class DiedError(Exception):
    """A child ended before its work was done.

    Args:
        reason: signal, exit code or limit, and the memory that it had, in one line.
        status: whether it was memory that it lacked.
    """

    def __init__(self, reason: str, status: Literal["failed", "oom"] = "failed") -> None:
        super().__init__(reason)
        self.status = status


class Child:
    """A function under way in a process of its own.

    Args:
        work: importable; called with the child's end of the connection and `arguments`.
        arguments: picklable, by classes of the harness.
        threads: that libraries compute with there.
        processors: that it may use; as many as this process when None.
        limits: of time and memory.
        soon: started anew if there is no server yet, whose imports it does without.
    """

    def __init__(
        self,
        work: Callable[..., Any],
        *arguments: Any,
        threads: int | None = None,
        processors: int | None = None,
        limits: Limits | None = None,
        soon: bool = False,
    ) -> None:
        self._limits = limits or Limits()
        self._memory = 0
        self._done = False
        self._looked = self._started = time.monotonic()
        self._progress = progress.Relay()
        self._line = b""
        self._link, link = multiprocessing.Pipe()
        self._output, output = multiprocessing.Pipe(duplex=False)
        settings = Settings(dict(os.environ), str(Path.cwd()), threads, processors, RELAYED)
        context = _context(soon=soon)
        self._process: BaseProcess = context.Process(
            target=main, args=(link, output, settings, work, arguments), name=f"harness {work.__name__}"
        )
        with processes.without_script():
            self._process.start()
        link.close()
        output.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def send(self, value: Any) -> None:
        """Send a value to the child.

        Raises:
            DiedError: when it is no more.
        """
        try:
            self._link.send(value)
        except OSError:
            raise self._death() from None

    def messages(self) -> Iterator[Any]:
        """Yield what the child sends until its work is done.

        Raises:
            HarnessError, OSError: as the work.
            DiedError: when the child died, or went beyond a limit.
            RuntimeError: when the work raised anything else; its text is the child's traceback.
        """
        while True:
            kind, value = self._next()
            if kind == "told":
                yield value
            elif kind == "done":
                self._done = True
                return
            elif kind == "raised":
                raise _error(*value)

    def answer(self) -> Any:
        """The next value that the child sends.

        Raises:
            HarnessError, DiedError, RuntimeError: as `messages`.
        """
        return next(self.messages())

    def only_answer(self) -> Any:
        """The one value that the child sends before its work is done.

        Raises:
            HarnessError, DiedError, RuntimeError: as `messages`.
        """
        (answer,) = self.messages()
        return answer

    def kill(self) -> None:
        """End the child and its own children, whatever they are at."""
        if self._process.pid is not None:
            kill_group(self._process.pid, ended=self._process.exitcode is not None)

    def stop(self) -> None:
        """End the child, and show the rest of what it printed."""
        if not self._done:
            self.kill()
        self._process.join(LEAVING)
        self.kill()  # also what it left behind
        self._process.join()
        self._show_output(rest=True)
        self._progress.close()
        for end in (self._link, self._output):
            end.close()

    def _next(self) -> tuple[str, Any]:
        """The next message that is not progress."""
        while True:
            ready = connection.wait([self._link, self._output, self._process.sentinel], timeout=LOOKED)
            if self._output in ready:
                self._show_output()
            if self._link in ready:
                try:
                    kind, value = self._link.recv()
                except (EOFError, OSError):
                    self._process.join(LEAVING)
                    raise self._death() from None
                if kind != "event":
                    return kind, value
                self._progress(value)
            elif self._process.sentinel in ready:
                raise self._death()
            if time.monotonic() - self._looked >= LOOKED:
                self._look()

    def _look(self) -> None:
        """Watch the memory and the age of the child, and end it when it is beyond a limit."""
        self._looked = time.monotonic()
        limit = self._limits.memory_gb
        self._memory = max(self._memory, used := _resident(self._process.pid, whole=limit is not None))
        if limit is not None and used > limit * 2**30:
            self._end()
            msg = f"ended at {used / 2**30:.2f} GiB of resident memory; its limit is {limit:g}"
            raise DiedError(msg, "oom")
        hours = self._limits.hours
        if hours is not None and self._looked - self._started > hours * 3600:
            self._end()
            msg = f"ended after {hours:g} hours, its limit"
            raise DiedError(msg)

    def _end(self) -> None:
        self.kill()
        self._process.join(LEAVING)

    def _death(self) -> DiedError:
        """Describe how the child ended."""
        self._show_output(rest=True)
        self._process.join(LEAVING)
        self.kill()  # its own children, if it left any
        code = self._process.exitcode
        had = f"; it had {self._memory / 2**30:.2f} GiB of memory" if self._memory else ""
        if code is not None and code < 0:
            name = processes.signal_name(-code)
            system = ", as the system ends processes when memory runs out" if "SIGKILL" in name else ""
            return DiedError(f"its process was ended by {name}{system}{had}")
        return DiedError(f"its process ended with exit code {code}{had}")

    def _show_output(self, *, rest: bool = False) -> None:
        """Show the lines that the child printed; those of a dead one to the last."""
        while not self._output.closed and connection.wait([self._output], timeout=0):
            content = self._read_output()
            if not content:
                break
            *lines, self._line = (self._line + content).split(b"\n")
            for line in lines:
                _show(line)
            drawn_again = b"\r" * self._line.endswith(b"\r")  # a bar has no end for hours
            self._line = _last(self._line)[-LONGEST:] + drawn_again
            if not rest:
                return
        if rest:
            _show(self._line)
            self._line = b""

    def _read_output(self) -> bytes:
        """Bytes that the child printed; none at the end."""
        if not RELAYED:
            return os.read(self._output.fileno(), 1 << 16)
        try:
            return self._output.recv_bytes()
        except (EOFError, OSError):
            return b""


def _resident(pid: int | None, *, whole: bool) -> int:
    """Bytes of resident memory of a process, or of it with all below it."""
    try:
        process = psutil.Process(pid)
        below = process.children(recursive=True) if whole else []
        return sum(_memory_of(one) for one in (process, *below))
    except psutil.Error:
        return 0


def _memory_of(process: psutil.Process) -> int:
    """Bytes of resident memory that are no pages of files, such as mapped features."""
    try:
        memory = process.memory_info()
        return int(memory.rss) - int(getattr(memory, "shared", 0))
    except psutil.Error:
        return 0


def _context(*, soon: bool) -> Any:
    forks = sys.platform.startswith("linux")  # elsewhere system libraries do not survive a fork
    if not forks or (soon and not _served):
        return multiprocessing.get_context("spawn")
    _served.append(True)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_preloaded)
    return context


def _error(kind: type[Exception], arguments: tuple[Any, ...], trace: str) -> Exception:
    error = kind(*arguments)
    if trace:
        error.__cause__ = RuntimeError(trace)  # for --traceback
    return error


def _last(line: bytes) -> bytes:
    """Text on a terminal after a line that was drawn several times."""
    return line.rstrip(b"\r").rpartition(b"\r")[2]


def _show(line: bytes) -> None:
    if text := printable(without_escapes(_last(line).decode(errors="replace")), LINE):
        progress.say(text)
