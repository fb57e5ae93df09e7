"""Copies that do not wait, where that is safe alone."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from harness.system.prefetch import Batches, to_device


class Copied:
    """A batch that notes how it is copied."""

    def __init__(self, pinned):
        self.pinned = pinned

    def is_pinned(self):
        return self.pinned

    def to(self, device, *, non_blocking):
        return device.type, non_blocking


@pytest.mark.parametrize(
    ("device", "pinned", "waits"),
    [("cuda:1", True, False), ("cuda", False, True), ("mps", True, True), ("cpu", True, True)],
)
def test_only_pinned_memory_is_copied_to_cuda_without_waiting(device, pinned, waits):
    assert to_device(Copied(pinned), device) == (torch.device(device).type, not waits)


def test_what_is_copied_is_the_same():
    batch = torch.arange(5)
    assert torch.equal(to_device(batch, torch.device("cpu")), batch)


SLOW = 0.2
"""Seconds in which a batch is read."""


def slowly(step):
    time.sleep(SLOW)
    return step


def test_the_time_that_a_consumer_waits_is_that_of_reading_where_it_does_nothing_else():
    reading = Batches(slowly, 3)
    start = time.perf_counter()
    assert list(reading) == [0, 1, 2]
    taken = time.perf_counter() - start
    assert 3 * SLOW * 0.9 < reading.waited <= taken


def test_a_consumer_that_is_slower_than_reading_waits_for_the_first_batch_alone():
    reading = Batches(lambda step: step, 5)
    for _ in reading:
        time.sleep(SLOW / 2)
    assert reading.waited < SLOW


def test_nobody_waits_while_the_device_has_work():
    """A device that is done halfway through the reading of a batch waits for its second half."""
    done = threading.Event()

    def halfway(step):
        time.sleep(SLOW / 2)
        done.set()
        time.sleep(SLOW / 2)
        return step

    reading = Batches(halfway, 1, idle=done.is_set)
    assert list(reading) == [0]
    assert SLOW / 10 < reading.waited < 0.9 * SLOW
    never = Batches(slowly, 2, idle=lambda: False)
    assert list(never) == [0, 1]
    assert never.waited < SLOW / 10
