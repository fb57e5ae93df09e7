from types import SimpleNamespace

import pytest
import torch
from torch.autograd import DeviceType

from harness.profiling.counters import count
from harness.profiling.cuda_counters import tally_calls, tally_copies


def event(name, start=5.0, device=DeviceType.CPU, end=None):
    return SimpleNamespace(name=name, time_range=SimpleNamespace(start=start, end=end or start), device_type=device)


EVENTS = [
    event("cudaDeviceSynchronize", 0.5),  # the profiler's own
    event("harness: counted", 1.0, end=10.0),
    event("harness: counted", 1.5, device=DeviceType.CUDA, end=12.0),  # its mark on the device
    event("aten::add"),
    event("cudaLaunchKernel"),
    event("cudaLaunchKernelExC_v11060"),
    event("cuLaunchKernelEx"),
    event("cudaMemcpyAsync"),
    event("cudaStreamSynchronize"),
    event("cudaDeviceSynchronize", 10.5),
    event("void gemm", device=DeviceType.CUDA),
    event("Memcpy HtoD (Pageable -> Device)", device=DeviceType.CUDA),
    event("Memcpy HtoD (Pinned -> Device)", device=DeviceType.CUDA),
    event("Memcpy DtoH (Device -> Pageable)", device=DeviceType.CUDA),
    event("Memcpy DtoD (Device -> Device)", device=DeviceType.CUDA),
    event("Memset (Device)", device=DeviceType.CUDA),
]


def test_calls_inside_the_function_count():
    assert tally_calls(EVENTS) == (3, 1)


def test_copies_by_direction():
    assert tally_copies(EVENTS) == (2, 1, 1)


@pytest.mark.gpu
def test_a_function_on_a_gpu():
    x = torch.ones(1000, 1000, device="cuda")

    def work():
        return (x + 1).sum().item()

    counts = count(work, device="cuda")
    assert (counts.kernels, counts.synchronisations) == (2, 1)
    assert (counts.copies, counts.copies_to_device, counts.copies_to_host) == (1, 0, 1)
    assert counts.peak_bytes >= 4_000_000
    assert counts.allocations >= 2  # a large sum takes memory for its parts
    assert counts.bytes_moved == 3 * 4_000_000 + 4
    assert count(work, device="cuda").flat() == counts.flat()


@pytest.mark.gpu
def test_copies_on_a_gpu():
    x, pinned = torch.ones(1000), torch.ones(1000).pin_memory()
    there = torch.ones(1000, device="cuda")

    def work():
        x.to("cuda")
        pinned.to("cuda", non_blocking=True)
        there.clone()
        return there.tolist()

    counts = count(work, device="cuda")
    assert (counts.copies_to_device, counts.copies_to_host) == (2, 1)
    assert counts.copies == 4
