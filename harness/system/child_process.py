"""Function under way in a child process; the parent's side is `children`."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import connection
from typing import TYPE_CHECKING, Any, TextIO

import psutil

from harness.errors import HarnessError
from harness.system import processes, progress

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

THREADS = (
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
    *("OPENCV_FOR_THREADS_NUM", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"),
)
"""Variables that libraries read when they are loaded."""
_PR_SET_CHILD_SUBREAPER = 36


class Link:
    """A child's end of the connection to its parent.

    Args:
        pipe: to the parent.
    """

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._owner = os.getpid()
        self._lock = threading.Lock()

    def send(self, value: Any) -> None:
        """Send a value to the parent."""
        self.put("told", value)

    def receive(self) -> Any:
        """Wait for a value of the parent.

        Raises:
            EOFError: when it wants no more.
        """
        return self._pipe.recv()

    def put(self, kind: str, value: Any) -> None:
        """Send a message of a kind."""
        if os.getpid() != self._owner:
            os._exit(1)  # a copy of the child that a plugin forked, and let go on
        with self._lock:
            self._pipe.send((kind, value))


@dataclass(frozen=True, slots=True)
class Settings:
    """Environment, folder, threads and processors of a child; None leaves its own."""

    environment: dict[str, str]
    folder: str
    threads: int | None
    processors: int | None
    relayed: bool
    """A thread sends what is printed, where a connection is no file."""


def main(pipe: Connection, output: Connection, settings: Settings, work: Callable[..., Any], arguments: Any) -> None:
    """Run `work` in the child."""
    if hasattr(os, "setsid"):
        os.setsid()  # signals of the terminal are the parent's, and the whole group can be ended
    _adopt_orphans()
    _end_with_parent()
    relay = OutputRelay(output) if settings.relayed else None
    printed = output.fileno() if relay is None else relay.writing
    streams = sys.stdout, sys.stderr = _printing_to(printed, 1), _printing_to(printed, 2)
    os.environ.clear()
    os.environ.update(settings.environment)
    os.chdir(settings.folder)
    if settings.processors is not None:
        processes.share_processors(settings.processors)
    if settings.threads is not None:
        _compute_with(settings.threads)
    link = Link(pipe)
    outcome: tuple[str, Any] = ("done", None)
    with progress.sent_to(lambda event: link.put("event", event)):
        try:
            work(link, *arguments)
        except HarnessError as error:
            outcome = "raised", (_kind(error), (str(error),), traceback.format_exc())
        except OSError as error:
            name = error.filename if isinstance(error.filename, str) else None
            outcome = "raised", (OSError, (error.errno, error.strerror or str(error), name), traceback.format_exc())
        except BaseException:
            outcome = "raised", (RuntimeError, (traceback.format_exc(),), "")
    for stream in (*streams, sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # the work closed it, or put anything in its place
            stream.flush()
    if relay is not None:
        relay.close()  # while the parent still reads
    link.put(*outcome)
    kill_below(os.getpid())


class OutputRelay:
    """Pipe whose bytes a thread sends to the parent.

    Args:
        output: to the parent.
    """

    def __init__(self, output: Connection) -> None:
        self._output = output
        self._reading, self.writing = os.pipe()
        self._thread = threading.Thread(target=self._send, name="relay of the output", daemon=True)
        self._thread.start()

    def _send(self) -> None:
        while content := os.read(self._reading, 1 << 16):
            self._output.send_bytes(content)

    def close(self) -> None:
        """Send the rest; the standard streams print nowhere from now on."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for file in (1, 2, self.writing):
            os.dup2(nowhere, file)
        self._thread.join(1.0)  # a process that it started may hold the pipe


def _printing_to(output: int, stream: int) -> TextIO:
    """Let a standard stream print to the file of the parent."""
    os.dup2(output, stream)
    return open(stream, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)


def _compute_with(threads: int) -> None:
    """Set the number of threads, of libraries that are loaded and of those to come."""
    import threadpoolctl
    import torch

    os.environ.update(dict.fromkeys(THREADS, str(threads)))
    torch.set_num_threads(threads)
    threadpoolctl.threadpool_limits(threads)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(threads)


def _end_with_parent() -> None:
    """End this process and its children when the parent is no more."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        kill_group(os.getpid())

    threading.Thread(target=watch, name="end with parent", daemon=True).start()


def _adopt_orphans() -> None:
    """Let processes below this one that lose their parents become its children."""
    if sys.platform.startswith("linux"):
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def kill_below(pid: int) -> None:
    """Kill the children of a process, and theirs."""
    with contextlib.suppress(psutil.Error):
        for process in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.Error):
                process.kill()


def kill_group(pid: int, *, ended: bool = False) -> None:
    """Kill a process, all below it, and the group that it leads once it has begun.

    Args:
        pid: of the process.
        ended: whether it is no more, so that its number may be another's by now.
    """
    end = signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM
    if not ended:
        kill_below(pid)
    with contextlib.suppress(OSError, AttributeError):
        os.killpg(pid, end)
    if not ended:
        with contextlib.suppress(OSError):
            os.kill(pid, end)


def _kind(error: HarnessError) -> type[HarnessError]:
    """The class of the core that an error is of; the parent may not know a plugin's."""
    return next(kind for kind in type(error).__mro__ if kind.__module__ == HarnessError.__module__)
