"""Batches read in another thread and copied to the device."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import torch
from torch import Tensor

AHEAD = 2
POLL = 1e-3
"""Seconds between two looks at a device that is busy."""


class Batches:
    """Batches that are functions of their step alone, read ahead.

    A fit can go on at any step.

    Args:
        draw: step -> batch; called in another thread.
        steps: how many there are.
        idle: tells if the consumer's device has nothing to do; only then somebody waits for a batch. One that computes
            as it is called is idle whenever it asks for a batch.
    """

    dataset = None
    """mmengine's loop looks here for meta information."""

    def __init__(self, draw: Callable[[int], Any], steps: int, *, idle: Callable[[], bool] = lambda: True) -> None:
        self._draw = draw
        self._steps = steps
        self._idle = idle
        self.waited = 0.0
        """Seconds that the consumer has waited for batches."""

    def __iter__(self) -> Iterator[Any]:
        return self.starting(0)

    def starting(self, first: int) -> Generator[Any, None, None]:
        """Yield the batches from step `first` on; close the iterator to end its thread."""
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as pool:
            waiting = deque(pool.submit(self._draw, step) for step in range(first, min(first + AHEAD, self._steps)))
            for step in range(first + AHEAD, self._steps + AHEAD):
                if not waiting:
                    return
                batch = self._wait(waiting.popleft())
                if step < self._steps:
                    waiting.append(pool.submit(self._draw, step))
                yield batch

    def _wait(self, coming: Future[Any]) -> Any:
        while not self._idle() and not coming.done():
            wait([coming], timeout=POLL)
        asked = time.perf_counter()
        batch = coming.result()
        self.waited += time.perf_counter() - asked
        return batch


def to_device(batch: Tensor, device: torch.device | str) -> Tensor:
    """Copy a batch to a device.

    The computation goes on meanwhile only where that is safe: from pinned memory to CUDA.
    """
    device = torch.device(device)
    return batch.to(device, non_blocking=device.type == "cuda" and batch.is_pinned())


def pinned_to_device(batch: Tensor, device: torch.device | str) -> Tensor:
    """Copy a batch to a device, to CUDA through pinned memory, so that nobody waits."""
    pageable = torch.device(device).type == "cuda" and batch.device.type == "cpu"
    return to_device(batch.pin_memory() if pageable else batch, device)
