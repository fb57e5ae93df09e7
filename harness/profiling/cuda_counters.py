"""Launches, copies, waits and memory of a CUDA device."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch.autograd import DeviceType  # type: ignore[attr-defined]
from torch.profiler import ProfilerActivity, profile, record_function

LAUNCHES = frozenset(
    {
        "cudaLaunchKernel",
        "cudaLaunchKernelExC",
        "cudaLaunchCooperativeKernel",
        "cuLaunchKernel",
        "cuLaunchKernelEx",
        "cuLaunchCooperativeKernel",
        "cudaGraphLaunch",
        "cuGraphLaunch",
    }
)
"""Calls that launch a kernel; a CUDA graph is launched as one."""
WAITS = frozenset(
    {
        "cudaDeviceSynchronize",
        "cudaStreamSynchronize",
        "cudaEventSynchronize",
        "cudaMemcpy",
        "cudaMemcpy2D",
        "cudaMemset",
        "cuCtxSynchronize",
        "cuStreamSynchronize",
        "cuEventSynchronize",
    }
)
"""Calls that wait for the device."""
_WINDOW = "harness: counted"
_SUFFIX = re.compile(r"(_v\d+|_ptsz|_ptds)+$")  # of the version of an interface, which some releases of CUPTI name


@dataclass(frozen=True, slots=True, kw_only=True)
class CudaCounts:
    """Work that a function asked of a CUDA device."""

    kernels: int
    """Launches."""
    synchronisations: int
    copies: int
    """Copies to, from and on the device, and between devices."""
    copies_to_device: int
    copies_to_host: int
    allocations: int
    """Blocks taken from PyTorch's allocator."""
    peak_bytes: int
    """Most bytes that tensors held beyond what they held before."""


def count_cuda(function: Callable[[], object], device: torch.device) -> CudaCounts:
    """Call `function`, and count what it asks of a CUDA device, by the profiler.

    Calls of all threads count. What the profiler itself does before and after is left out.

    Raises:
        RuntimeError: when the profiler saw no call of CUDA although memory was taken, as without rights to CUPTI.
    """
    torch.cuda.synchronize(device)
    torch.cuda.reset_peak_memory_stats(device)
    held = torch.cuda.memory_allocated(device)
    taken = _blocks(device)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        with record_function(_WINDOW):
            function()
        torch.cuda.synchronize(device)
    launches, waits = tally_calls(profiler.events() or ())
    to_device, to_host, other = tally_copies(profiler.events() or ())
    allocations = _blocks(device) - taken
    if allocations and not launches + to_device + to_host + other:
        msg = "the profiler saw no call of CUDA: allow this user the performance counters of the GPU"
        raise RuntimeError(msg)
    return CudaCounts(
        kernels=launches,
        synchronisations=waits,
        copies=to_device + to_host + other,
        copies_to_device=to_device,
        copies_to_host=to_host,
        allocations=allocations,
        peak_bytes=torch.cuda.max_memory_allocated(device) - held,
    )


def _blocks(device: torch.device) -> int:
    return int(torch.cuda.memory_stats(device)["allocation.all.allocated"])


def tally_calls(events: Iterable[Any]) -> tuple[int, int]:
    """Count launches and waits among the profiler's events, inside the function only."""
    there = [event for event in events if event.device_type == DeviceType.CPU]
    window = next(event.time_range for event in there if event.name == _WINDOW)
    names = [_SUFFIX.sub("", event.name) for event in there if window.start <= event.time_range.start < window.end]
    return sum(name in LAUNCHES for name in names), sum(name in WAITS for name in names)


def tally_copies(events: Iterable[Any]) -> tuple[int, int, int]:
    """Count copies to the device, to the host, and others, among events."""
    names = [event.name for event in events if event.device_type == DeviceType.CUDA]
    copies = [name.removeprefix("Memcpy ") for name in names if name.startswith("Memcpy ")]
    to_device, to_host = (sum(name.startswith(way) for name in copies) for way in ("HtoD", "DtoH"))
    return to_device, to_host, len(copies) - to_device - to_host
