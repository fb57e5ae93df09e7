"""Videos of training steps: each once an epoch, whatever the batch and the ranks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from harness.training.epochs import epoch_videos


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 40), st.integers(1, 60), st.integers(0, 100))
def test_an_epoch_shows_every_video_once(count, size, seed):
    steps = -(-3 * count // size)
    shown = torch.cat([epoch_videos(count, size, step, seed=seed) for step in range(steps)])
    for epoch in range(3):
        assert shown[epoch * count : (epoch + 1) * count].sort().values.tolist() == list(range(count))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 9), st.integers(1, 4), st.integers(0, 30))
def test_the_parts_of_the_processes_are_the_batch_of_one(count, size, world, step):
    parts = [epoch_videos(count, size, step, seed=1, rank=rank, world=world) for rank in range(world)]
    assert torch.equal(torch.cat(parts), epoch_videos(count, size * world, step, seed=1))


def test_epochs_and_seeds_have_orders_of_their_own():
    first, second, other = (
        epoch_videos(100, 100, 0, seed=0),
        epoch_videos(100, 100, 1, seed=0),
        epoch_videos(100, 100, 0, seed=1),
    )
    assert not torch.equal(first, second)
    assert not torch.equal(first, other)
    first[0] = -1  # what is given away is a copy
    assert -1 not in epoch_videos(100, 100, 0, seed=0).tolist()


def test_a_step_copies_no_more_than_its_videos():
    class Largest(TorchDispatchMode):
        found = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            if function is torch.ops.aten.cat.default:
                self.found = max(self.found, result.numel(), *(part.numel() for part in args[0]))
            return result

    with Largest() as largest:
        for step in (0, 1, 124, 125):  # also from one epoch to the next
            epoch_videos(1000, 8, step, seed=0)
            epoch_videos(1003, 8, step, seed=0)
    assert largest.found == 8


@pytest.mark.parametrize("wrong", [{"count": 0}, {"size": 0}, {"step": -1}, {"rank": 2}, {"world": 0}])
def test_wrong_numbers(wrong):
    given = {"count": 5, "size": 2, "step": 0, "seed": 0, "rank": 0, "world": 2} | wrong
    with pytest.raises(ValueError, match="expected count"):
        epoch_videos(given.pop("count"), given.pop("size"), given.pop("step"), **given)
