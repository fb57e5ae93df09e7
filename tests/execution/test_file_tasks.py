"""Work on files, shared with the workers of a cluster."""

from __future__ import annotations

import math
import os
import time
from types import SimpleNamespace

import pytest

from harness.execution.file_tasks import _map, do_files, shared_with
from harness.system import processes
from harness.system.processes import imap_isolated

distributed = pytest.importorskip("distributed")


def squared(number):
    if number == 13:
        raise ValueError("unlucky")
    time.sleep(0.01)
    return number**2, os.getppid()


def test_heavy_files_are_not_read_all_at_once(monkeypatch):
    monkeypatch.setattr(processes, "HELD", 100)
    monkeypatch.setattr(processes, "imap_here", lambda work, items, **_: ((item, work(item)) for item in items))
    taken = []
    items = (taken.append(number) or number for number in range(30))
    outcomes = _map(pytest.fail, math.sqrt, items, timeout=60, workers=None, size=lambda _: 40)
    assert next(outcomes) == (0, 0)
    assert taken == [0, 1, 2]
    assert [item for item, _ in outcomes] == list(range(1, 30))
    assert list(_map(pytest.fail, math.sqrt, [], timeout=60, workers=None, size=None)) == []


@pytest.mark.parametrize(
    ("address", "asked", "whole", "given"),
    [
        ("tcp://10.0.0.1:4000", None, 8, 2),  # four threads of the host may use all of it
        ("tcp://10.0.0.1:4000", 1, 8, 1),
        ("tcp://10.0.0.1:4000", None, 64, 8),  # this worker is bound to its own
        ("tcp://127.0.0.1:4000", None, 64, 4),  # all workers are bound to the same
        ("tls://[::1]:4000", None, 64, 8),
    ],
)
def test_workers_of_one_host_share_the_processors_that_they_are_not_bound_to(monkeypatch, address, asked, whole, given):
    worker = SimpleNamespace(address=address, state=SimpleNamespace(nthreads=1))
    monkeypatch.setattr(distributed, "get_worker", lambda: worker)
    monkeypatch.setattr(processes, "allowed_processors", lambda: 8)
    monkeypatch.setattr(os, "cpu_count", lambda: whole)
    monkeypatch.setattr(processes, "imap_here", lambda work, items, *, timeout, workers: [workers])
    threads = {"tcp://10.0.0.1": 4, "tcp://10.0.0.2": 8, "tcp://127.0.0.1": 2, "tls://[::1]": 1}
    assert do_files(math.sqrt, [], 60, asked, threads) == [given]


@pytest.fixture
def cluster():
    """One worker in a process of its own."""
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster:
        yield cluster


def test_files_are_done_once_in_order_by_workers_and_here(cluster):
    with shared_with(cluster.scheduler_address):
        outcomes = list(imap_isolated(squared, range(200), timeout=60))
    assert [item for item, _ in outcomes] == list(range(200))
    assert isinstance(outcomes[13][1], ValueError)
    assert [outcome[0] for item, outcome in outcomes if item != 13] == [n**2 for n in range(200) if n != 13]
    parents = {outcome[1] for item, outcome in outcomes if item != 13}
    assert os.getpid() in parents
    assert len(parents) == 2


def test_a_worker_that_is_busy_is_not_waited_for(cluster):
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        busy = client.submit(time.sleep, 120)
        start = time.monotonic()
        with shared_with(cluster.scheduler_address):
            outcomes = list(imap_isolated(squared, range(40), timeout=60))
        assert time.monotonic() - start < 60
        assert len(outcomes) == 40
        busy.cancel()
