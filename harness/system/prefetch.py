"""Read batches in another thread while the network computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

AHEAD = 2


class Batches:
    """Batches that are functions of their step alone, read ahead.

    A fit can go on at any step.

    Args:
        draw: step -> batch; called in another thread.
        steps: how many there are.
    """

    dataset = None
    """mmengine's loop looks here for meta information."""

    def __init__(self, draw: Callable[[int], Any], steps: int) -> None:
        self._draw = draw
        self._steps = steps

    def __iter__(self) -> Iterator[Any]:
        return self.starting(0)

    def starting(self, first: int) -> Generator[Any, None, None]:
        """Yield the batches from step `first` on; close the iterator to end its thread."""
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="batches") as pool:
            waiting = deque(pool.submit(self._draw, step) for step in range(first, min(first + AHEAD, self._steps)))
            for step in range(first + AHEAD, self._steps + AHEAD):
                if not waiting:
                    return
                batch = waiting.popleft().result()
                if step < self._steps:
                    waiting.append(pool.submit(self._draw, step))
                yield batch
