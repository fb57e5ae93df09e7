"""Sides of a row in turns: each waits, stopped, in a process of its own until it is called."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.results.side import OURS, Missing, Ready, run
from harness.gate.noise import busy_seconds

SHORTEST = 0.2
"""Seconds that a block takes at least, by as many calls as that needs."""
BUDGET = 10.0
"""Seconds for the blocks of one row, as far as `ROUNDS` allows."""
ROUNDS = (3, 15)
"""Fewest and most rounds, in each of which every side has one block."""
PATIENCE = 120.0
"""Seconds that a side has for its answer, for a block, and for the check."""


class FailedError(Exception):
    """A side broke, or the answers differ."""


@dataclass(frozen=True)
class Measured:
    """Blocks of one row.

    Attributes:
        items: what one call does, in the row's unit.
        threads: those of PyTorch in our process.
        blocks: mean seconds of a call of each side, round by round; a side that is not installed is not here.
        missing: modules that sides lack, by side.
        others: processors that other processes kept busy meanwhile; 0.05 is 5 % of one.
    """

    items: int
    threads: int
    blocks: dict[str, list[float]]
    missing: dict[str, str]
    others: float


class _Process:
    """A side's process, stopped while it has no turn: threads that spin would stand in the way of the other's."""

    def __init__(self, test: str, side: str, log: Path, footage: Path) -> None:
        context = multiprocessing.get_context("spawn")
        self._side, self._log = side, log
        self._connection, child = context.Pipe()
        self._process = context.Process(target=run, args=(test, side, child, log, footage))
        self._process.start()
        child.close()

    def start(self) -> tuple[Ready | Missing, bytes]:
        """Wait for the answer, and stop the process."""
        message = self._receive()
        answer = self._connection.recv_bytes() if isinstance(message, Ready) else b""
        self._each("suspend")
        return message, answer

    def block(self, calls: int) -> float:
        """Time `calls` calls, and give the mean in seconds."""
        self._each("resume")
        self._connection.send(calls)
        seconds = self._receive()
        self._each("suspend")
        return statistics.fmean(seconds)

    def finish(self, answers: Mapping[str, bytes]) -> None:
        """Let it check the answers and end."""
        self._each("resume")
        self._connection.send(None)
        self._connection.send(dict(answers))
        self._process.join(PATIENCE)
        if self._process.exitcode != 0:
            raise self._failure()

    def kill(self) -> None:
        self._each("kill")
        self._process.join()
        self._connection.close()

    def busy_seconds(self) -> float:
        """Seconds that its processors have worked for it."""
        times = [process.cpu_times() for process in self._tree()]
        return sum(time.user + time.system for time in times)

    def _receive(self):
        with contextlib.suppress(EOFError):
            if self._connection.poll(PATIENCE):
                return self._connection.recv()
        raise self._failure()

    def _failure(self) -> FailedError:
        lines = self._log.read_text(errors="replace").strip().splitlines() if self._log.exists() else []
        reasons = [line for line in lines if line.startswith("E  ")] or lines[-3:]
        return FailedError(f"{self._side}: {' '.join(' '.join(reasons[:3]).split()) or 'took too long'}")

    def _tree(self) -> list[psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            root = psutil.Process(self._process.pid)
            return [root, *root.children(recursive=True)]
        return []

    def _each(self, action: str) -> None:
        for process in self._tree():
            with contextlib.suppress(psutil.NoSuchProcess):
                getattr(process, action)()


@contextlib.contextmanager
def _starting(test: str) -> Iterator[dict[str, _Process]]:
    """Yield an empty mapping of processes, all of which are killed at the end."""
    processes: dict[str, _Process] = {}
    try:
        yield processes
    finally:
        for process in processes.values():
            process.kill()


def measure(test: str, footage: Path, *, budget: float, seed: int = 0) -> Measured:
    """Measure one test of `benchmarks/`, each of its sides in a process of its own.

    Args:
        test: its name, as pytest wants it.
        footage: folder for encoded videos, kept from row to row.
        budget: seconds for the blocks.
        seed: of the order of blocks.

    Raises:
        FailedError: a side broke or took too long, or the answers differ.
    """
    with tempfile.TemporaryDirectory() as folder, _starting(test) as processes:

        def start(side: str) -> None:
            processes[side] = _Process(test, side, Path(folder, f"{len(processes)}.log"), footage)

        start(OURS)
        messages = {OURS: processes[OURS].start()}
        ready = messages[OURS][0]
        if isinstance(ready, Missing):
            raise FailedError(f"{ready.module} is not installed")
        for peer in ready.peers:
            start(peer)
        messages |= {peer: processes[peer].start() for peer in ready.peers}
        missing = {side: message.module for side, (message, _) in messages.items() if isinstance(message, Missing)}
        answers = {side: answer for side, (_, answer) in messages.items() if side not in missing}
        present = {side: processes[side] for side in answers}
        calls = {side: max(1, math.ceil(SHORTEST / messages[side][0].seconds)) for side in present}
        expected = sum(calls[side] * messages[side][0].seconds for side in present)
        rounds = min(max(round(budget / expected), ROUNDS[0]), ROUNDS[1])
        blocks, others = _rounds(present, calls, rounds, random.Random(seed))
        answers.pop(OURS)
        for side, process in present.items():
            process.finish(answers if side == OURS else {})
        return Measured(ready.items, ready.threads, blocks, missing, others)


def _rounds(
    processes: Mapping[str, _Process], calls: Mapping[str, int], rounds: int, order: random.Random
) -> tuple[dict[str, list[float]], float]:
    """Time the blocks, and what other processes took meanwhile."""
    blocks: dict[str, list[float]] = {side: [] for side in processes}
    turns = list(processes)
    start, busy = time.perf_counter(), busy_seconds() - sum(process.busy_seconds() for process in processes.values())
    for _ in range(rounds):
        order.shuffle(turns)
        for side in turns:
            blocks[side].append(processes[side].block(calls[side]))
    busy = busy_seconds() - sum(process.busy_seconds() for process in processes.values()) - busy
    return blocks, max(0.0, busy) / (time.perf_counter() - start)
