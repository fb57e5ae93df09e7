"""What a step of the harness does beside the step of a bare PyTorch loop."""

from __future__ import annotations

from functools import partial

import torch

from harness.methods.supervised import Classifier
from harness.profiling.counters import count
from harness.profiling.operators import SYNCHRONISING
from harness.testing.fixtures import PlainBackbone
from harness.training.loop import EVERY
from harness.training.session import TrainingSession
from harness.values import Batch, Budget
from harness.video.transforms import normalise

CLIPS = torch.randint(256, (4, 3, 8, 32, 32), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
LABELS = torch.tensor([0, 1, 2, 0])
KERNELS_OF_A_LOOK = 4
"""Kernels with which the losses of some steps become one number."""


def learner():
    torch.manual_seed(0)
    loss = Classifier(PlainBackbone().build(seed=0), PlainBackbone.card.dim, 3, 0.1)
    return loss, torch.optim.SGD(loss.parameters(), lr=0.01, momentum=0.9, fused=True)


def ours(steps):
    loss, optimizer = learner()
    session = TrainingSession(Budget(frames=0, seed=0))
    session.train(
        loss,
        PlainBackbone.inputs,
        lambda _: Batch(CLIPS, LABELS),
        steps=steps,
        optimizer=optimizer,
        schedule="cosine",
        clip_gradients=1.0,
    )
    return loss


def bare(steps):
    loss, optimizer = learner()
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    loss.train()
    for _ in range(steps):
        value = loss(normalise(CLIPS, PlainBackbone.inputs), LABELS)
        optimizer.zero_grad()
        value.backward()
        torch.nn.utils.clip_grad_norm_(loss.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return loss


def test_it_ends_with_the_same_weights():
    for mine, theirs in zip(ours(EVERY).state_dict().values(), bare(EVERY).state_dict().values(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


def test_between_two_looks_at_the_loss_a_step_has_the_kernels_of_a_bare_one():
    """Costs of beginning and ending a training are in both lengths, and fall out."""
    ours(1)  # what is made once is made
    mine, theirs = ([count(partial(train, steps)) for steps in (EVERY, 2 * EVERY)] for train in (ours, bare))
    kernels, waits, copies = (
        [number(long) - number(short) for short, long in (mine, theirs)]
        for number in (lambda counts: counts.kernels, waited, lambda counts: counts.copies)
    )
    assert 0 <= kernels[0] - kernels[1] <= KERNELS_OF_A_LOOK
    assert waits == [1, 0]  # the look at the loss
    assert copies[0] == copies[1]


def waited(counts):
    """Operators that would wait for a device; what moves batches to where they already are is none."""
    return sum(calls for name, calls in counts.calls.items() if name in SYNCHRONISING)


def test_pixels_are_normalised_in_two_kernels_and_no_copy():
    normalise(CLIPS, PlainBackbone.inputs)
    counts = count(lambda: normalise(CLIPS, PlainBackbone.inputs))
    assert counts.calls == {"sub": 1, "div_": 1}
    assert counts.copies == counts.synchronisations == 0
