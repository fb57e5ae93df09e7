"""Work on many files as tasks of a Dask cluster, which this process takes part in."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from harness.system import processes

if TYPE_CHECKING:
    from distributed import Client

SMALLEST = 8
"""Files of a task at least, since each begins worker processes."""
TASKS = 4
"""Tasks for each thread of the workers, so that a slow one is not waited for."""
FIRST = 1_000_000
"""Priority over units, which may wait for these files."""
LOOPBACK = ("//127.0.0.1", "//[::1]", "//localhost")
"""Ends of the hosts of workers that their own machine alone reaches."""


@contextlib.contextmanager
def shared_with(address: str) -> Iterator[None]:
    """Share what `imap_isolated` does in the block with the workers of a scheduler.

    Args:
        address: of the scheduler; its workers find files at the same paths.
    """
    with contextlib.ExitStack() as stack:

        @functools.cache
        def connected() -> Client:  # when the first files come
            from distributed import Client

            return stack.enter_context(Client(address, set_as_default=False))

        stack.enter_context(processes.mapped_by(functools.partial(_map, connected)))
        yield


def _map(
    connected: Callable[[], Client],
    work: Callable[[Any], Any],
    items: Iterable[Any],
    *,
    timeout: processes.Timeout,
    workers: int | None,
    size: Callable[[Any], int] | None,
) -> Iterator[tuple[Any, Any]]:
    """Map `work` over items in order, heavy ones a few at a time."""
    for portion in _portions(items, size):
        yield from _map_portion(connected, work, portion, timeout, workers)


def _portions(items: Iterable[Any], size: Callable[[Any], int] | None) -> Iterator[list[Any]]:
    """Divide items into lists that make up `HELD` bytes; into one where none is told."""
    portion, held = [], 0
    for item in items:
        portion.append(item)
        held += 0 if size is None else size(item)
        if held > processes.HELD:
            yield portion
            portion, held = [], 0
    yield portion


def _map_portion(
    connected: Callable[[], Client],
    work: Callable[[Any], Any],
    items: list[Any],
    timeout: processes.Timeout,
    workers: int | None,
) -> Iterator[tuple[Any, Any]]:
    """Map `work` over items in order; this process takes them from the last on."""
    if len(items) < 2 * SMALLEST:
        yield from processes.imap_here(work, items, timeout=timeout, workers=workers)
        return
    client = connected()
    threads: Counter[str] = Counter()
    for address, number in client.nthreads().items():
        threads[_host(address)] += number
    size = max(SMALLEST, -(-len(items) // (TASKS * (threads.total() + 1))))
    parts = [items[start : start + size] for start in range(0, len(items), size)]
    name = uuid.uuid4().hex
    tasks = [
        client.submit(
            do_files, work, part, timeout, workers, threads, key=f"files-{name}-{number}", priority=FIRST, pure=False
        )
        for number, part in enumerate(parts)
    ]
    here: dict[int, list[tuple[Any, Any]]] = {}
    left = len(parts)
    try:
        for number, task in enumerate(tasks):
            while number not in here and task.status != "finished":
                if task.status == "pending":  # at the last the part itself, which may wait behind this process
                    mine = left = left - 1
                else:  # its workers died, or the scheduler is gone
                    mine = number
                client.cancel([tasks[mine]])
                here[mine] = list(processes.imap_here(work, parts[mine], timeout=timeout, workers=workers))
            yield from here.pop(number) if number in here else task.result()
    finally:
        client.cancel(tasks)


def do_files(
    work: Callable[[Any], Any],
    part: list[Any],
    timeout: processes.Timeout,
    workers: int | None,
    threads: Mapping[str, int],
) -> list[tuple[Any, Any]]:
    """Work on files in a worker's own processes: at most `workers`.

    Workers of one host share its processors among its `threads`. One that may not use all of them is taken to have
    those that it may use to itself, unless only its own machine reaches it: then they are those of all its workers.
    """
    from distributed import get_worker

    multiprocessing.current_process().daemon = False  # else it might have no children
    worker = get_worker()
    host, allowed, own = _host(worker.address), processes.allowed_processors(), worker.state.nthreads
    together = host.endswith(LOOPBACK) or allowed >= (os.cpu_count() or 1)
    share = max(1, allowed // (threads.get(host, own) if together else own))
    return list(processes.imap_here(work, part, timeout=timeout, workers=min(share, workers or share)))


def _host(address: str) -> str:
    """Protocol and host of a worker's address, without the port."""
    return address.rpartition(":")[0]
