"""Process pool that survives crashes and hangs."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import types
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as TookTooLong
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, TypeVar

import pebble

from harness.errors import HarnessError, UsageError

AHEAD = 4
"""Items that wait for each worker."""
HELD = 2**32
"""Bytes of items taken at a time, where their size is told; one may go beyond."""
LOOKED = 0.5
"""Seconds between two looks at whether the workers live."""

Item = TypeVar("Item")
Result = TypeVar("Result")
Timeout = float | Callable[[Any], float]
"""Seconds that each item may take, or a function that gives those of one."""


class CrashedError(Exception):
    """A worker process ended in the middle of its work.

    Args:
        exit_code: what it ended with; negative for a signal.
    """

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)  # from which a copy for another process is made

    def __str__(self) -> str:
        (exit_code,) = self.args
        ending = f"exit code {exit_code}" if exit_code >= 0 else signal_name(-exit_code)
        return f"the worker crashed ({ending})"

    @property
    def killed(self) -> bool:
        """Another process ended it, as the system does when memory runs out.

        Its work need not be at fault.
        """
        return hasattr(signal, "SIGKILL") and self.args == (-signal.SIGKILL,)


class HungError(Exception):
    """A worker process was killed because it took too long.

    Args:
        timeout: seconds that it had.
    """

    def __init__(self, timeout: float) -> None:
        super().__init__(timeout)

    def __str__(self) -> str:
        return f"the worker was not done in {self.args[0]:g} s"


def signal_name(number: int) -> str:
    """Name a signal as in `signal 9, SIGKILL`.

    >>> signal_name(11)
    'signal 11, SIGSEGV'
    """
    known = {each.value: each.name for each in signal.Signals}
    return f"signal {number}" + (f", {known[number]}" if number in known else "")


_shares: list[int] = []
_mappers: list[Callable[..., Iterator[tuple[Any, Any]]]] = []


def allowed_processors() -> int:
    """Count the processors that this process may use.

    Its affinity and the quota of its control group limit them.
    """
    if _shares:
        return _shares[-1]
    import joblib

    return int(joblib.cpu_count())


def share_processors(count: int) -> None:
    """Let this process use `count` processors, for it works beside others."""
    _shares[:] = [count]


def imap_isolated(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    timeout: Timeout,
    workers: int | None = None,
    size: Callable[[Item], int] | None = None,
) -> Iterator[tuple[Item, Result | Exception]]:
    """Map `work` over items in worker processes, in order.

    An exception, crash or hang is the item's result. Items are taken a few ahead of the workers, who compute with one
    thread each and end with the iterator. The script of this process is run again in the workers only where `work` is
    defined in it.

    Args:
        work: importable, as are its arguments and results.
        items: what is worked on.
        timeout: seconds that one item may take before its worker is killed; a function of the item is importable.
        workers: processes; as many as there are allowed processors when None.
        size: bytes of an item, for heavy ones: no more are taken ahead than make up `HELD`.

    Raises:
        UsageError: when the script that defines `work` calls this outside of `if __name__ == "__main__":`.
        HarnessError: when no worker can start.
    """
    mapper = _mappers[-1] if _mappers else imap_here
    yield from mapper(work, items, timeout=timeout, workers=workers, size=size)


@contextlib.contextmanager
def mapped_by(mapper: Callable[..., Iterator[tuple[Any, Any]]]) -> Iterator[None]:
    """Let `mapper` do what `imap_isolated` is asked for in the block."""
    _mappers.append(mapper)
    try:
        yield
    finally:
        _mappers.pop()


def imap_here(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    timeout: Timeout,
    workers: int | None = None,
    size: Callable[[Item], int] | None = None,
) -> Iterator[tuple[Item, Result | Exception]]:
    """Map `work` over items in worker processes of this machine; see `imap_isolated`."""
    if getattr(multiprocessing.current_process(), "_inheriting", False):  # a worker that runs its parent's script
        raise UsageError(_UNGUARDED)
    scripted = b"__main__" in pickle.dumps(work)
    context = SpawnContext() if scripted else _WithoutScript()  # a fork would copy locks of the libraries in use
    count = workers or allowed_processors()
    pending: deque[tuple[Item, Future[Result | Exception]]] = deque()
    with pebble.ProcessPool(max_workers=count, context=context, initializer=_start) as pool:
        try:
            for item in items:
                pending.append((item, _scheduled(pool, work, item, timeout)))
                while len(pending) > AHEAD * count or _held(pending, size) > HELD:
                    yield _first(pool, pending, timeout)
            while pending:
                yield _first(pool, pending, timeout)
        except BrokenProcessPool as error:
            pool.stop()  # type: ignore[no-untyped-call]
            if scripted:
                raise UsageError(_UNGUARDED) from error
            msg = f"no worker process could start or answer ({error}), perhaps for want of memory; run it again"
            raise HarnessError(msg) from error
        except BaseException:
            pool.stop()  # type: ignore[no-untyped-call]
            raise


_UNGUARDED = (
    "worker processes run the script again that defines their work: put what it does below "
    '`if __name__ == "__main__":`, or the work into a module of its own'
)
_hiding = threading.RLock()


@contextlib.contextmanager
def without_script() -> Iterator[None]:
    """Start processes in the block that do not run the script of this one again.

    Threads that look something up in `__main__` meanwhile find it.
    """
    with _hiding:
        script = sys.modules["__main__"]
        hidden = types.ModuleType("__main__")
        hidden.__dict__.update({name: value for name, value in vars(script).items() if name != "__file__"})
        hidden.__spec__ = None
        sys.modules["__main__"] = hidden
        try:
            yield
        finally:
            sys.modules["__main__"] = script


class _Worker(SpawnProcess):
    """Process that does not run its parent's script."""

    @staticmethod
    def _Popen(process_obj: Any) -> Any:  # noqa: N802 - a name of multiprocessing
        with without_script():
            return SpawnProcess._Popen(process_obj)


class _WithoutScript(SpawnContext):
    Process = _Worker


def _scheduled(
    pool: pebble.ProcessPool, work: Callable[[Item], Result], item: Item, timeout: Timeout
) -> Future[Result | Exception]:
    try:
        return pool.schedule(work, args=[item], timeout=_seconds(timeout, item))
    except RuntimeError as error:  # all workers died before they took any work
        raise BrokenProcessPool(str(error)) from error


def _held(pending: Iterable[tuple[Any, Any]], size: Callable[[Any], int] | None) -> int:
    """Bytes of the items that are pending; 0 where their size is not told."""
    return 0 if size is None else sum(size(item) for item, _ in pending)


def _seconds(timeout: Timeout, item: Any) -> float:
    """Seconds that an item may take."""
    return timeout(item) if callable(timeout) else timeout


def _first(
    pool: pebble.ProcessPool, pending: deque[tuple[Item, Future[Result]]], timeout: Timeout
) -> tuple[Item, Result | Exception]:
    item, future = pending.popleft()
    while not wait([future], LOOKED).done:
        if not pool.active and not future.done():  # scheduled while the pool broke, which forgets it
            msg = "all workers died"
            raise BrokenProcessPool(msg)
    try:
        return item, future.result()
    except TookTooLong as error:  # pebble's, or one of the work, such as of a disk
        return item, HungError(_seconds(timeout, item)) if error.args[:1] == ("Task timeout",) else error
    except pebble.ProcessExpired as error:
        return item, CrashedError(error.exitcode)
    except BrokenProcessPool:
        raise
    except Exception as error:
        return item, error


def _start() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and stops its workers
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
        os.environ[variable] = "1"  # read when the libraries are imported, which the work does later
