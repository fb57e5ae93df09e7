"""Starts for k-means by k-means++, for several seeds at once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from harness.functional.product import product

_WORTH_RECORDING = 16
"""Steps that pay for recording one of them."""


def plus_plus(x: Tensor, k: int, seeds: Sequence[int]) -> Tensor:
    """Draw K of the points `x` (N, D) by greedy k-means++, for R seeds.

    Returns indices (R, K) int64.

    The points are taken as they are: `harness.functional.kmeans.kmeans_plus_plus` checks and centres them.
    """
    draws = torch.stack([_draw(k, seed) for seed in seeds], dim=1).to(x.device)
    starts = _Starts(x, draws)
    _repeat(starts.step, k - 1, x.device)
    return starts.chosen


def _draw(k: int, seed: int) -> Tensor:
    """Uniform numbers (K, L) float64.

    Drawn on the CPU, so that every device starts alike.
    """
    return torch.rand((k, 2 + int(math.log(k))), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class _Starts:
    """Starts chosen so far.

    A step works in place and with fixed shapes, so that it can be recorded.
    """

    def __init__(self, x: Tensor, draws: Tensor) -> None:
        self._x = x
        self._doubled = -2 * x
        self._norms = x.square().sum(1)
        self._zero = x.new_zeros(())
        self._draws = draws  # (K, R, L)
        self._uniform = (draws * len(x)).long().clamp_(max=len(x) - 1)
        k, repeats, tries = draws.shape
        self._first = torch.arange(repeats, device=x.device) * tries  # row of each seed's first candidate
        self._place = torch.zeros(1, dtype=torch.int64, device=x.device)
        self.chosen = torch.empty((repeats, k), dtype=torch.int64, device=x.device)
        """(R, K) indices."""
        self.chosen[:, :1] = self._uniform[0, :, :1]
        self._nearest = self._squared(self.chosen[:, 0]).clamp_(min=0)  # (R, N) squared distances
        self._place += 1

    def step(self) -> None:
        """Choose the next start for every seed."""
        draws = self._draws.index_select(0, self._place).squeeze(0)
        uniform = self._uniform.index_select(0, self._place).squeeze(0)
        cumulative = self._nearest.cumsum(1, dtype=torch.float64)
        total = cumulative[:, -1:]
        candidates = torch.searchsorted(cumulative, draws * total, right=True).clamp_(max=len(self._x) - 1)
        candidates = torch.where(total > 0, candidates, uniform)  # (R, L); uniform when no other point is left
        distances = self._squared(candidates.flatten())
        stacked = distances.view(*candidates.shape, -1)
        torch.clamp(stacked, self._zero, self._nearest[:, None], out=stacked)
        best = stacked.sum(2, dtype=torch.float64).argmin(1)
        self.chosen.index_copy_(1, self._place, candidates.gather(1, best[:, None]))
        torch.index_select(distances, 0, best + self._first, out=self._nearest)
        self._place += 1

    def _squared(self, index: Tensor) -> Tensor:
        """(M, N) squared distances of points `index` (M,) to all points.

        Rounding may make them negative; those to themselves are 0.
        """
        distances = product(self._doubled.index_select(0, index), self._x.mT, self._norms)
        distances.add_(self._norms.index_select(0, index)[:, None])
        return distances.scatter_(1, index[:, None], 0.0)


def _repeat(step: Callable[[], None], times: int, device: torch.device) -> None:
    """Run a step that works in place so many times.

    On a CUDA device it is recorded once and then replayed: its kernels are shorter than their launches.
    """
    if device.type != "cuda" or times < _WORTH_RECORDING:
        for _ in range(times):
            step()
        return
    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    graph = torch.cuda.CUDAGraph()
    stream.wait_stream(torch.cuda.current_stream(device))
    # Not by `torch.cuda.graph`, which hands all cached memory back first. Other threads may go on using the device.
    with torch.cuda.stream(stream):
        step()  # libraries take their memory in a first call
        graph.capture_begin(capture_error_mode="thread_local")
        step()
        graph.capture_end()
        for _ in range(times - 1):
            graph.replay()
    stream.synchronize()  # before the recording and its memory go
