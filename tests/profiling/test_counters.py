import dataclasses
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from harness.functional.kmeans import kmeans
from harness.profiling import allocations
from harness.profiling.counters import count

POINTS = torch.randn(300, 16, generator=torch.Generator().manual_seed(0))
PROGRAM = """
import json, sys, torch
from harness.functional.kmeans import kmeans
from harness.profiling.counters import count
points = torch.randn(300, 16, generator=torch.Generator().manual_seed(0))
print(json.dumps(count(lambda: kmeans(points, 5, [0, 1])).flat()))
"""


def clustering():
    return kmeans(POINTS, 5, [0, 1])


def test_two_calls_count_alike():
    first, second = count(clustering), count(clustering)
    assert first == second
    assert first.kernels > 100
    assert first.operators == sum(first.calls.values()) > first.kernels


def test_another_process_counts_alike():
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == count(clustering).flat()


def test_flat_holds_what_was_counted():
    counts = count(clustering)
    flat = counts.flat()
    assert flat["kernels"] == counts.kernels
    assert "calls" not in flat
    assert "copies_to_host" not in flat  # of a GPU
    threaded = dataclasses.replace(counts, peak_bytes=7, allocations=2, memory_varies=True)
    assert not {"peak_bytes", "allocations"} & threaded.flat().keys()
    assert dataclasses.replace(threaded, memory_varies=False).flat()["peak_bytes"] == 7


def test_the_counted_call_is_the_second():
    calls = []

    def work():
        calls.append(len(calls))
        return torch.ones(calls[-1] + 1, 3) + 1

    counts = count(work)
    assert calls == [0, 1]
    assert counts.bytes_moved == 2 * 3 * 4 * 3  # ones written; read and written by the sum


def test_memory_is_counted_where_memray_is(monkeypatch):
    pytest.importorskip("memray")
    size = 2**20

    def work():
        a = torch.empty(size, dtype=torch.uint8)
        b = torch.empty(2 * size, dtype=torch.uint8)
        del a
        torch.empty(size // 2, dtype=torch.uint8)
        return b

    counts = count(work)
    assert (counts.allocations, counts.peak_bytes) == (3, 3 * size)
    monkeypatch.setattr(allocations.importlib.util, "find_spec", lambda name: None)
    assert (count(work).allocations, count(work).peak_bytes) == (None, None)


def test_memory_of_several_threads_is_not_compared():
    pytest.importorskip("memray")

    def work():
        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(torch.ones, 5000).result()
            return held + 1

    counts = count(work)
    assert counts.memory_varies
    assert counts.allocations == 2
    assert not {"peak_bytes", "allocations"} & counts.flat().keys()


def profiled(function):
    """Operators that the profiler saw, without those that others called."""
    with profile(
        activities=[ProfilerActivity.CPU],
        experimental_config=torch._C._profiler._ExperimentalConfig(profile_all_threads=True),
    ) as profiler:
        function()
    return [event.name.removeprefix("aten::") for event in profiler.events() if event.name.startswith("aten::")]


@pytest.mark.parametrize("name", ["mm", "add", "cumsum", "sort", "_local_scalar_dense"])
def test_calls_are_those_that_the_profiler_sees(name):
    def work():
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda size: (torch.ones(size, 4) @ torch.ones(4, 4)).cumsum(0), [2, 3, 4]))
        thread = threading.Thread(target=lambda: torch.arange(3).sort())
        thread.start()
        thread.join()
        return (torch.ones(3) + 1).sum().item()

    seen = profiled(work)
    assert seen.count(name) > 0
    assert count(work).calls[name] == seen.count(name)
