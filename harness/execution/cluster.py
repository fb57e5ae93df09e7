"""Units as tasks of a Dask cluster, whose workers share the store."""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import dataclasses
import functools
import multiprocessing
import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, UsageError
from harness.execution.failures import Failure
from harness.execution.outcomes import keep, new_run
from harness.execution.pending import PendingUnits, failure_meanwhile, is_to_do
from harness.execution.supervision import Recorder, Supervisor
from harness.store.locks import lock
from harness.store.runs import Store
from harness.system import progress
from harness.system.processes import without_script
from harness.system.text import printable
from harness.video.shared_frames import shared_folder

if TYPE_CHECKING:
    from pathlib import Path

    from distributed import Client, Future

    from harness.execution.executor import Told
    from harness.execution.outcomes import Outcome
    from harness.execution.units import Workplace
    from harness.execution.work_units import Unit
    from harness.store.specs import EvalSpec
    from harness.system.children import Limits

LOCAL = "local"
"""Address of a cluster that is started for the command, on this machine."""
GPU = "GPU"
"""Resource of workers that have one."""
LATEST = 0.5
"""Longest time in seconds that small steps of progress are held back."""
LOOKED = 1.0
"""Seconds between two looks at whether a task is still wanted."""
LATE = 10.0
"""Seconds that events of tasks which are done may be late."""
CONNECTING = "20s"
BEGUN, FINISHED, ENDED = "begun", "finished", "ended"


class ClusterExecutor:
    """Computes the cells that the store does not have, on the workers of a scheduler.

    A task is done by the worker's own children, as on one machine, and writes into the store, which all workers have
    at the same path. If a worker dies, another one takes over its unfinished task.

    Args:
        address: of the scheduler.
        workplace: of every task.
        limits: of each child.
        told: of cells; called by one thread at a time.
        devices: of the workers of this machine; none where each has the workplace's.
    """

    def __init__(
        self,
        address: str,
        workplace: Workplace,
        *,
        limits: Limits | None = None,
        told: Told | None = None,
        devices: Sequence[str] = (),
    ) -> None:
        self._address = address
        self._place = workplace
        self._devices = tuple(devices)
        self._limits = limits
        self._told = told or (lambda cell, run: None)
        self._store = Store(workplace.store)

    def execute(self, units: Iterable[Unit], *, title: str, retry_failed: bool = False) -> None:
        """Compute and store what is not stored; see `Executor.execute`.

        Raises:
            UsageError: when there is no such scheduler, or no worker has what the units need.
            HarnessError: when the scheduler goes away.
            StoreError: when a worker cannot read or write the store.
        """
        pending = PendingUnits(units, self._store, retry_failed=retry_failed)
        with contextlib.ExitStack() as stack:
            stack.enter_context(progress.one_at_a_time())
            bar = stack.enter_context(progress.bar(title, total=pending.cells))
            if not pending:
                return
            client = stack.enter_context(_connected(self._address))
            needs = self._needs(client)
            topic = f"harness-{uuid.uuid4().hex}"
            cells = {cell.key: cell for unit in pending.all() for cell in unit.evaluations}
            screen = _Screen(bar, self._told, cells, self._store)
            stack.callback(screen.close)
            client.subscribe_topic(topic, screen)
            stack.callback(client.unsubscribe_topic, topic)
            tasks = self._submit(pending, client, topic, needs)
            stack.callback(client.cancel, list(tasks.values()))
            self._wait(tasks, screen)

    def _submit(
        self, pending: PendingUnits, client: Client, topic: str, needs: Mapping[str, float]
    ) -> dict[Future, Unit]:
        by_key: dict[str, Future] = {}
        tasks: dict[Future, Unit] = {}
        for rank, unit in enumerate(pending.all()):
            before = {fit.key: by_key[fit.key] for fit in unit.after if fit.key in by_key}
            task = client.submit(
                do_unit,
                unit,
                self._place,
                self._limits,
                topic,
                pending.retried(unit),
                before,
                self._devices,
                key=f"{topic}-{unit.key}",
                priority=-rank,
                resources=needs or None,
                pure=False,
            )
            by_key[unit.key], tasks[task] = task, unit
        return tasks

    def _wait(self, tasks: Mapping[Future, Unit], screen: _Screen) -> None:
        from distributed import KilledWorker, as_completed

        for task in as_completed(tasks):
            try:
                task.result()
            except KilledWorker as error:
                failure = Failure("failed", f"the workers that did it died {error.allowed_failures + 1} times")
                for cell in tasks[task].evaluations:
                    if self._store.get(cell.key) is None:
                        run = new_run(cell, status=failure.status, reason=failure.reason, provenance={})
                        self._store.write(run)
                        screen.put(tasks[task].key, FINISHED, cell.key)
            except (CancelledError, OSError, TimeoutError) as error:
                if task.status == "error":  # of the work, not of the connection
                    raise
                msg = f"scheduler {self._address} is gone; the same command goes on with what is stored"
                raise HarnessError(msg) from error
        screen.expect_all()

    def _needs(self, client: Client) -> dict[str, float]:
        """Resources of a task, which some worker has to have."""
        needs: dict[str, float] = {GPU: 1.0} if self._place.device.startswith("cuda") else {}
        memory = self._limits.memory_gb if self._limits else None
        workers = _workers(client)
        if memory is not None and any("MEMORY" in worker["resources"] for worker in workers):
            needs["MEMORY"] = memory * 2**30
        for name, amount in needs.items():
            if workers and all(worker["resources"].get(name, 0) < amount for worker in workers):
                needed = f"{name}={amount:g}"
                msg = f"no worker of {self._address} has {needed}; start one with `dask worker --resources {needed}`"
                raise UsageError(msg)
        return needs


@dataclasses.dataclass(frozen=True, slots=True)
class Scheduler:
    """A scheduler that answers."""

    address: str
    scale: Callable[[int], object] = lambda workers: None
    """Sets the number of workers of a local one; others keep their own."""


@contextlib.contextmanager
def scheduler(address: str, *, jobs: int, device: str) -> Iterator[Scheduler]:
    """A scheduler that answers; for `LOCAL` one is started for the block.

    Args:
        address: of a scheduler, or `LOCAL`.
        jobs: workers of a local one.
        device: of its workers.

    Raises:
        UsageError: when Dask is not installed, or no scheduler answers.
    """
    try:
        from distributed import LocalCluster
    except ImportError:
        msg = "--dask needs dask.distributed: pip install 'video-harness[dask]'"
        raise UsageError(msg) from None
    if address != LOCAL:
        if not address.rpartition(":")[2].isdigit():
            msg = f"--dask {address}: expected `local`, or the address of a scheduler as in tcp://host:8786"
            raise UsageError(msg)
        with _connected(address):
            pass
        yield Scheduler(address)
        return
    resources = {GPU: 1} if device.startswith("cuda") else {}
    with without_script():
        cluster = LocalCluster(n_workers=jobs, threads_per_worker=1, resources=resources, dashboard_address=":0")
    with cluster:
        yield Scheduler(cluster.scheduler_address, cluster.scale)


def device_of_workers(address: str) -> str:
    """Device of the workers of a scheduler: "cuda" where one has a GPU, else "cpu".

    Raises:
        UsageError: when no scheduler answers.
    """
    with _connected(address) as client:
        return "cuda" if any(worker["resources"].get(GPU, 0) >= 1 for worker in _workers(client)) else "cpu"


def _workers(client: Client) -> list[dict[str, Any]]:
    """Records that a scheduler has of its workers."""
    return list(client.scheduler_info(n_workers=-1)["workers"].values())


@contextlib.contextmanager
def _connected(address: str) -> Iterator[Client]:
    """A client of a scheduler.

    Raises:
        UsageError: when none answers.
    """
    from distributed import Client

    with contextlib.ExitStack() as stack:
        try:
            client = stack.enter_context(Client(address, timeout=CONNECTING, set_as_default=False))
        except (OSError, ValueError) as error:
            msg = f"--dask {address}: no scheduler answers there ({printable(str(error))})"
            raise UsageError(msg) from error
        stack.enter_context(client.as_current())
        yield client


def do_unit(
    unit: Unit,
    workplace: Workplace,
    limits: Limits | None,
    topic: str,
    retried: frozenset[str],
    before: Mapping[str, Failure | None],
    devices: Sequence[str] = (),
) -> Failure | None:
    """Do a unit on a worker, unless it is stored; tell its progress by events.

    Args:
        unit: the work.
        workplace: the store and the device, at the worker.
        limits: of each child.
        topic: of the events.
        retried: keys of cells that are computed again, unless they are done by now.
        before: failures of the fits that it depends on, by key.
        devices: of the workers of this machine, by their numbers; none where each has the workplace's.
    """
    from distributed import get_worker

    worker, supervisor = get_worker(), Supervisor(limits)
    device = own_device(workplace.device, devices, worker.name)
    workplace = dataclasses.replace(workplace, device=device, frames=_frames_of_worker())
    multiprocessing.current_process().daemon = False  # else it might have no children, which end with it anyway
    store = Store(workplace.store)
    store.hold()

    def tell(kind: str, *values: Any) -> None:
        worker.log_event(topic, (unit.key, kind, *values))

    def finished(cell: EvalSpec, outcome: Outcome) -> None:
        keep(store, outcome)
        telling.flush()
        tell(FINISHED, cell.key)

    telling = _Telling(tell)
    recorder = Recorder(begun=lambda cell: tell(BEGUN, cell.key), finished=finished)
    with progress.sent_to(telling), _stopping(supervisor, worker), lock(workplace.store, unit.key):
        keys = {cell.key for cell in unit.evaluations}
        missing = {key for key in keys if is_to_do(key, store, retried=key in retried)}
        todo = unit.only(missing)
        for key in keys - missing:
            tell(FINISHED, key)
        try:
            failure = unit.failure_after(before) or failure_meanwhile(unit, todo, store)
            return supervisor.do(todo, workplace, recorder, failure)
        finally:
            telling.flush()
            tell(ENDED)


def own_device(device: str, devices: Sequence[str], name: object) -> str:
    """Device of a worker: its own, where workers have numbers and devices are listed.

    >>> own_device("cuda:0", ["cuda:0", "cuda:1"], 3), own_device("cuda", [], "tcp://a:1")
    ('cuda:1', 'cuda')
    """
    return devices[name % len(devices)] if devices and isinstance(name, int) else device


@functools.cache
def _frames_of_worker() -> Path:
    """Folder of decoded videos that the units of this worker share, until it ends."""
    ending = contextlib.ExitStack()
    atexit.register(ending.close)
    return ending.enter_context(shared_folder())


@contextlib.contextmanager
def _stopping(supervisor: Supervisor, worker: Any) -> Iterator[None]:
    """Stop the work of a task that nobody waits for any more."""
    key, done = worker.get_current_task(), threading.Event()

    def watch() -> None:
        while not done.wait(LOOKED):
            task = worker.state.tasks.get(key)
            if task is None or task.state in {"cancelled", "released", "forgotten"}:
                supervisor.stop()
                return

    threading.Thread(target=watch, name="stop unwanted work", daemon=True).start()
    try:
        yield
    finally:
        done.set()


class _Telling:
    """Watcher of progress that tells it as plain values, not too often."""

    def __init__(self, tell: Callable[..., None]) -> None:
        self._tell = tell
        self._advanced: dict[int, progress.Advanced] = {}
        self._last = time.monotonic()

    def __call__(self, event: progress.Event) -> None:
        if isinstance(event, progress.Advanced):
            before = self._advanced.get(event.task)
            amount = event.amount + (before.amount if before else 0)
            self._advanced[event.task] = dataclasses.replace(event, amount=amount)
            if time.monotonic() - self._last < LATEST:
                return
        self.flush()
        if not isinstance(event, progress.Advanced):
            self._send(event)

    def flush(self) -> None:
        """Tell what was not told yet."""
        self._last = time.monotonic()
        for event in self._advanced.values():
            self._send(event)
        self._advanced.clear()

    def _send(self, event: progress.Event) -> None:
        self._tell(type(event).__name__, *dataclasses.astuple(event))


class _Screen:
    """Receiver of the workers' events: shows progress, and tells of cells.

    Args:
        bar: of the whole work.
        told: of cells.
        cells: by key.
        store: where the runs are.
    """

    def __init__(self, bar: progress.Bar, told: Told, cells: Mapping[str, EvalSpec], store: Store) -> None:
        self._bar = bar
        self._told = told
        self._waiting = dict(cells)
        self._store = store
        self._relays: dict[str, progress.Relay] = {}
        self._events: queue.SimpleQueue[tuple[Any, ...] | None] = queue.SimpleQueue()
        context = contextvars.copy_context()
        self._thread = threading.Thread(target=context.run, args=(self._show,), name="screen", daemon=True)
        self._thread.start()

    def __call__(self, event: tuple[float, tuple[Any, ...]]) -> None:
        """Take an event, with its time, in the client's own thread."""
        self.put(*event[1])

    def put(self, unit: str, kind: str, *values: Any) -> None:
        """Take what happened in a unit, to be shown in a thread that has the time."""
        self._events.put((unit, kind, *values))

    def close(self) -> None:
        """Show what came so far."""
        self._events.put(None)
        self._thread.join()
        for relay in self._relays.values():
            relay.close()

    def expect_all(self) -> None:
        """Wait for the last events, which come by another way than results."""
        deadline = time.monotonic() + LATE
        while self._waiting and time.monotonic() < deadline:
            time.sleep(LATEST / 10)

    def _show(self) -> None:
        while (event := self._events.get()) is not None:
            unit, kind, *values = event
            if kind == BEGUN:
                if values[0] in self._waiting:
                    self._told(self._waiting[values[0]], None)
            elif kind == FINISHED:
                self._finish(values[0])
            elif kind == ENDED:
                if unit in self._relays:
                    self._relays.pop(unit).close()
            else:
                self._relays.setdefault(unit, progress.Relay())(progress.EVENTS[kind](*values))

    def _finish(self, key: str) -> None:
        cell = self._waiting.pop(key, None)
        run = self._store.get(key)
        if cell is not None and run is not None:
            self._told(cell, run)
            self._bar.advance()
