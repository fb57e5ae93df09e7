"""Learning rates and weight decays among which a probe's training is chosen."""

from __future__ import annotations

import itertools
import math

from harness.errors import UsageError
from harness.functional.probes import Parameters

Pair = tuple[float, float]
"""A learning rate and a weight decay."""

AT_ONCE = 2**28
"""Most parameters that are trained in one run; a larger grid is trained in parts."""


def probe_grid(lrs: tuple[float, ...], weight_decays: tuple[float, ...]) -> list[Pair]:
    """Pair each learning rate with each weight decay.

    Raises:
        UsageError: when one of them is impossible or given twice, or there is none.
    """
    if not lrs or len(set(lrs)) < len(lrs) or not all(0 < lr < math.inf for lr in lrs):
        msg = f"lrs must be different positive numbers, at least one, got {list(lrs)}"
        raise UsageError(msg)
    if not weight_decays or len(set(weight_decays)) < len(weight_decays) or not min(weight_decays) >= 0:
        msg = f"weight_decays must be different numbers from 0 on, at least one, got {list(weight_decays)}"
        raise UsageError(msg)
    return list(itertools.product(lrs, weight_decays))


def in_parts(grid: list[Pair], start: Parameters) -> list[list[Pair]]:
    """Cut a grid into parts that are trained in one run each.

    Args:
        grid: pairs, one a probe.
        start: parameters (P, ...) of probes of the same size.
    """
    size = max(1, AT_ONCE // sum(value[0].numel() for value in start.values()))
    return [grid[first : first + size] for first in range(0, len(grid), size)]


def spell_pairs(grid: list[Pair]) -> list[str]:
    """Write pairs for the notes of a run.

    >>> spell_pairs([(0.001, 0.1)])
    ['0.001, 0.1']
    """
    return [f"{lr:g}, {decay:g}" for lr, decay in grid]
