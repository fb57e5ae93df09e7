"""Counters of a function's work, which do not vary with a machine's load."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch

from harness.profiling.allocations import count_allocations
from harness.profiling.cuda_counters import count_cuda
from harness.profiling.operators import counting_operators
from harness.video import tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Counters of one call of a function."""

    calls: dict[str, int]
    """Calls of each operator of PyTorch by name, without its overload."""
    operators: int
    """Their sum."""
    kernels: int
    """Launches; on a CPU operators that compute or copy.

    Views and allocations are left out.
    """
    synchronisations: int
    """Waits for the device. On a CPU: operators that would wait for a CUDA device."""
    copies: int
    """Copies of memory. On a CPU: `clone`, `copy_` and changes of type or place."""
    bytes_moved: int
    """Bytes of the tensors that kernels read and write.

    Each tensor counts as often as it is named.
    """
    flops: int
    """Floating-point operations.

    Those of products, convolutions, attention and factorisations.
    """
    frames_decoded: int
    """Frames of videos, whether they were wanted or not."""
    bytes_read: int
    """Compressed bytes of videos."""
    allocations: int | None
    """Blocks of memory taken for tensors and frames; None on a CPU without memray."""
    peak_bytes: int | None
    """Most bytes held in such blocks at a time; None as there."""
    memory_varies: bool = False
    """True if several threads took memory on a CPU, whose order changes both."""
    copies_to_device: int | None = None
    """Copies from the host to a CUDA device; None on a CPU."""
    copies_to_host: int | None = None
    """Copies from a CUDA device to the host; None on a CPU."""

    def flat(self) -> dict[str, int]:
        """Counters by name that are equal from call to call, for a gate to compare."""
        names = COMPARED - {"allocations", "peak_bytes"} if self.memory_varies else COMPARED
        counters = {name: getattr(self, name) for name in sorted(names)}
        return {name: count for name, count in counters.items() if count is not None}


COMPARED = frozenset(field.name for field in fields(Counts)) - {"calls", "memory_varies"}


def count(function: Callable[[], object], *, device: str | torch.device = "cpu") -> Counts:
    """Count what a call of `function` does in this process.

    It is called twice: the first call loads libraries and fills caches, and is not counted. Work of child processes is
    not seen.

    Args:
        function: does the same work at each call.
        device: where its tensors are.

    Raises:
        RuntimeError: when a CUDA device is not there, or its counters must not be read.

    >>> x = torch.ones(2, 3)
    >>> counts = count(lambda: (x @ x.mT).sum().item())
    >>> counts.calls, counts.kernels, counts.synchronisations, counts.flops
    ({'transpose': 1, 'mm': 1, 'sum': 1, '_local_scalar_dense': 1}, 2, 1, 24)
    """
    function()
    place = torch.device(device)
    before = tally.total()
    with counting_operators(on_host=place.type == "cpu") as operators:
        measured = _cuda(function, place) if place.type == "cuda" else _memory(function)
    after = tally.total()
    counted: dict[str, Any] = {
        "kernels": operators.kernels,
        "synchronisations": operators.synchronisations,
        "copies": operators.copies,
        "memory_varies": place.type == "cpu" and operators.threaded,
        **measured,
    }
    return Counts(
        calls=dict(operators.calls),
        operators=operators.calls.total(),
        bytes_moved=operators.bytes_moved,
        flops=operators.flops,
        frames_decoded=after.frames - before.frames,
        bytes_read=after.bytes - before.bytes,
        **counted,
    )


def _cuda(function: Callable[[], object], device: torch.device) -> dict[str, int | None]:
    return asdict(count_cuda(function, device))


def _memory(function: Callable[[], object]) -> dict[str, int | None]:
    taken = count_allocations(function)
    return {"allocations": taken and taken.blocks, "peak_bytes": taken and taken.peak_bytes}
