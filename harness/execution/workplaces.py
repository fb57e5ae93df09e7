"""Places of this machine in which units are done at a time."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import psutil

from harness.errors import UsageError
from harness.execution.units import Workplace
from harness.system.processes import allowed_processors

MEMORY_OF_JOB = 2 * 2**30
"""Bytes that one row is expected to need, where no number of jobs is given."""
_CGROUP = Path("/sys/fs/cgroup")


def workplaces(
    *,
    store: Path,
    device: str,
    locations: Mapping[str, Path] | None = None,
    threads: int = 1,
    jobs: int | None = None,
    workers: int | None = None,
    compiled: bool = False,
    elsewhere: bool = False,
) -> list[Workplace]:
    """Divide this machine: a place on each GPU, or for each `threads` processors.

    Args:
        store: of all places.
        device: "cpu", "cuda" for all GPUs, or one such as "cuda:1".
        locations: of data sets, by name.
        threads: that libraries compute with in each place.
        jobs: number of places; one a GPU, or as many as processors and memory allow, when None.
        workers: that read videos in each place; its share of the processors when None.
        compiled: whether fits use `torch.compile`.
        elsewhere: whether other machines do the work: one place, for which what this one has is of no account.

    Raises:
        UsageError: when jobs and threads need more processors than there are, there are no workers, or `torchrun`
            started several of these processes, which would wait for each other's locks.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        msg = (
            "torchrun started several processes of a run, which divides its work by itself: start it once, with --jobs "
            "for several GPUs, or --dask for several machines"
        )
        raise UsageError(msg)
    if jobs is not None and jobs < 1:
        msg = f"--jobs {jobs}: expected at least 1"
        raise UsageError(msg)
    if workers is not None and workers < 1:
        msg = f"--workers {workers}: expected at least 1"
        raise UsageError(msg)
    place = Workplace(store=store, device=device, locations=locations or {}, threads=threads, compiled=compiled)
    if elsewhere:
        return [replace(place, processors=workers)]
    processors = allowed_processors()
    if threads > processors:
        msg = (
            f"threads: {threads}, on which trained results depend, and {processors} processors are allowed; compute "
            f"elsewhere, or change the suite with --set threads={processors}"
        )
        raise UsageError(msg)
    devices = _devices(device)
    if jobs is None:
        jobs = min(processors // threads, _free_memory() // MEMORY_OF_JOB)
        jobs = len(devices) if device.startswith("cuda") else jobs
        jobs = max(jobs, 1)
    elif jobs > 1 and jobs * threads > processors:
        msg = f"--jobs {jobs} with {threads} threads each needs {jobs * threads} processors; {processors} are allowed"
        raise UsageError(msg)
    share = workers or max(processors // jobs, 1)
    return [replace(place, device=devices[number % len(devices)], processors=share) for number in range(jobs)]


def _devices(device: str) -> list[str]:
    if device != "cuda":
        return [device]
    import torch

    count = torch.cuda.device_count()
    return [device] if count < 2 else [f"cuda:{index}" for index in range(count)]


def _free_memory() -> int:
    """Bytes of free memory, of a container where it has a limit."""
    free = psutil.virtual_memory().available
    try:
        limit, used = ((_CGROUP / name).read_text().strip() for name in ("memory.max", "memory.current"))
        return min(free, int(limit) - int(used))
    except (OSError, ValueError):
        return free
