"""Batches that probes are trained on, and starts that they have in common or of their own."""

from __future__ import annotations

from functools import partial

import torch

from harness.functional.probes import autograd_gradients, fit_probes, order


def test_every_sample_is_learnt_from_as_often():
    batches = order(torch.tensor([3, 5, 8, 9, 11]), 10, 3, seed=0)
    assert batches.shape == (10, 3)
    assert batches.flatten().bincount().tolist() == [0, 0, 0, 6, 0, 6, 0, 0, 6, 6, 0, 6]
    assert len({tuple(batches.flatten()[first : first + 5].tolist()) for first in range(0, 30, 5)}) > 1


def scaled(parameters, x):
    """Logits of probes that have one number a class each."""
    return (x * parameters["scale_weight"][:, None]).contiguous()


def test_probes_start_from_one_start_or_each_from_its_own():
    x = torch.randn(20, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = torch.arange(20) % 3
    starts = torch.tensor([[1.0, 2.0, 3.0], [0.5, -1.0, 0.0]], dtype=torch.float64)

    def fit(start, count):
        rates = torch.full((count,), 0.1, dtype=torch.float64), torch.full((count,), 0.3, dtype=torch.float64)
        options = {"steps": 4, "batch_size": 6, "seed": 0, "advance": lambda: None}
        start = {"scale_weight": start}
        fitted = fit_probes(
            partial(autograd_gradients, scaled),
            start,
            lambda batch: x[batch],
            labels,
            torch.arange(20),
            *rates,
            **options,
        )
        return fitted["scale_weight"]

    together = fit(starts, 2)
    for number in range(2):
        torch.testing.assert_close(together[number], fit(starts[number : number + 1], 1)[0])
    torch.testing.assert_close(fit(starts[:1], 3), together[:1].expand(3, -1))
    assert torch.equal(starts[0], torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))  # is not trained itself
