"""One side of a benchmark in a process of its own, timed when it is told to."""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

import pytest

OURS = "ours"
SIDE = pytest.StashKey["Side"]()
"""Where the fixture `beside` finds the side that it is to measure, if any."""
LONG = 2.0
"""Seconds of a first call that needs no second one to warm up."""

Check = Callable[[Any, Mapping[str, Any]], None]
"""Asserts our answer beside those of the peers by name."""


@dataclass(frozen=True)
class Ready:
    """A side has given its answer and waits for its turns.

    Attributes:
        peers: names of the sides beside ours.
        items: what one call does, in the row's unit.
        seconds: that a call takes, roughly.
    """

    peers: tuple[str, ...]
    items: int
    threads: int
    seconds: float


@dataclass(frozen=True)
class Missing:
    """A side lacks a module."""

    module: str


class Side:
    """Plugin of pytest by which the fixture `beside` measures one side alone.

    Args:
        name: of the side.
        connection: over which it is told what to do.
        footage: folder for encoded videos, which all sides have in common.
    """

    def __init__(self, name: str, connection: Connection, footage: Path) -> None:
        self.name, self.footage = name, footage
        self._connection = connection

    def pytest_configure(self, config: pytest.Config) -> None:
        """Make it known to `beside`."""
        config.stash[SIDE] = self

    def serve(
        self,
        sides: Mapping[str, Callable[[], object]],
        answers: Mapping[str, Callable[[], object]],
        *,
        items: int,
        check: Check | None,
    ) -> NoReturn:
        """Answer, then time as many calls as each message says, then check; ends the test.

        Args:
            sides: what is timed, by name.
            answers: what gives an answer, where a timed call does not.
        """
        work = sides[self.name]
        start = time.perf_counter()
        try:
            answer = answers.get(self.name, work)()
        except ImportError as error:
            self._connection.send(Missing(error.name or str(error)))
            pytest.skip(f"{error.name} is not installed")
        first = time.perf_counter() - start
        expected = _seconds(work) if first < LONG else first
        peers = tuple(name for name in sides if name != OURS)
        self._connection.send(Ready(peers, items, _threads(), expected))
        self._connection.send_bytes(pickle.dumps(answer))
        while (calls := self._connection.recv()) is not None:
            self._connection.send([_seconds(work) for _ in range(calls)])
        others = {name: pickle.loads(given) for name, given in self._connection.recv().items()}
        if self.name == OURS and check is not None:
            check(answer, others)
        pytest.skip("measured")


def _threads() -> int:
    import torch  # here, as what starts the processes needs none of it

    return torch.get_num_threads()


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def run(test: str, name: str, connection: Connection, log: Path, footage: Path) -> None:
    """Run one test with one side; what it prints goes to `log`. The process's exit status is pytest's."""
    with log.open("w") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    unused = "ignore:Benchmark fixture was not used:pytest_benchmark.logger.PytestBenchmarkWarning"
    options = ["-q", "--capture=no", "-p", "no:cacheprovider", "-W", unused]
    raise SystemExit(pytest.main([*options, test], plugins=[Side(name, connection, footage)]))
