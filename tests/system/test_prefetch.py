"""Copies that do not wait, where that is safe alone."""

from __future__ import annotations

import pytest
import torch

from harness.system.prefetch import to_device


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
