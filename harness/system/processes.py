"""Process pool that survives crashes and hangs."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from typing import TypeVar

import pebble

AHEAD = 4
"""Items that wait for each worker."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class CrashedError(Exception):
    """A worker process ended in the middle of its work.

    Args:
        exit_code: what it ended with; negative for a signal.
    """

    def __init__(self, exit_code: int) -> None:
        super().__init__(f"the worker crashed (exit code {exit_code})")


class HungError(Exception):
    """A worker process was killed because it took too long.

    Args:
        timeout: seconds that it had.
    """

    def __init__(self, timeout: float) -> None:
        super().__init__(f"the worker was not done in {timeout:g} s")


def allowed_processors() -> int:
    """Count the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def imap_isolated(
    work: Callable[[Item], Result], items: Iterable[Item], *, timeout: float, workers: int | None = None
) -> Iterator[tuple[Item, Result | Exception]]:
    """Map `work` over items in worker processes, in order.

    An exception, crash or hang is the item's result. Items are taken a few ahead of the workers, who compute with one
    thread each and end with the iterator.

    Args:
        work: importable, as are its arguments and results.
        items: what is worked on.
        timeout: seconds that one item may take before its worker is killed.
        workers: processes; as many as there are allowed processors when None.
    """
    context = multiprocessing.get_context("spawn")  # a fork would copy the threads' locks of the libraries in use
    count = workers or allowed_processors()
    pending: deque[tuple[Item, Future[Result | Exception]]] = deque()
    with pebble.ProcessPool(max_workers=count, context=context, initializer=_start) as pool:
        try:
            for item in items:
                pending.append((item, pool.schedule(work, args=[item], timeout=timeout)))
                if len(pending) > AHEAD * count:
                    yield _first(pending, timeout)
            while pending:
                yield _first(pending, timeout)
        except BaseException:
            pool.stop()  # type: ignore[no-untyped-call]
            raise


def _first(pending: deque[tuple[Item, Future[Result]]], timeout: float) -> tuple[Item, Result | Exception]:
    item, future = pending.popleft()
    try:
        return item, future.result()
    except TookTooLong:
        return item, HungError(timeout)
    except pebble.ProcessExpired as error:
        return item, CrashedError(error.exitcode)
    except Exception as error:
        return item, error


def _start() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it too, and stops its workers
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
        os.environ[variable] = "1"  # read when the libraries are imported, which the work does later
