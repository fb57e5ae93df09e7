"""A neighbour whose load comes and goes: one process a processor that works and sleeps for random times."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

SPELL = (0.2, 2.0)
"""Shortest and longest spell of work or sleep in seconds."""


@contextmanager
def neighbour() -> Iterator[None]:
    """Let the neighbour work in the block."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=_work, args=(seed,), daemon=True) for seed in range(os.cpu_count() or 1)]
    for process in processes:
        process.start()
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.join()


def _work(seed: int) -> None:
    spells, parent = random.Random(seed), os.getppid()
    while os.getppid() == parent:  # a killed parent ends nobody
        end = time.perf_counter() + spells.uniform(*SPELL)
        while time.perf_counter() < end:
            sum(range(10_000))
        time.sleep(spells.uniform(*SPELL))
