"""Classifiers of one hidden layer in one batch beside modules of torch, one after the other."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from harness.functional.mlp import mlp_gradients, mlp_logits, mlp_parameters
from harness.functional.probes import fit_probes, order, predict_probes

DIM, WIDTH, CLASSES, SAMPLES, STEPS, BATCH = 12, 16, 5, 40, 25, 8
GRID = [(1e-3, 0.0), (1e-2, 0.01), (1e-2, 10.0), (3e-2, 1.0)]


def twin(parameters, number=0):
    """One of the classifiers as a module."""
    module = nn.Sequential(nn.Linear(DIM, WIDTH), nn.ReLU(), nn.Linear(WIDTH, CLASSES)).double()
    one = {name: value[number].detach() for name, value in parameters.items()}
    module.load_state_dict(
        {
            "0.weight": one["hidden_weight"],
            "0.bias": one["hidden_bias"],
            "2.weight": one["class_weight"],
            "2.bias": one["class_bias"],
        }
    )
    return module


def several(count):
    """Parameters in the precision in which AdamW's first steps are not of rounding errors."""
    return {name: value.double() for name, value in mlp_parameters(DIM, WIDTH, CLASSES, count=count, seed=0).items()}


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(SAMPLES, DIM, generator=generator).double(), torch.randint(
        CLASSES, (SAMPLES,), generator=generator
    )


def test_logits_and_gradients_are_those_of_torchs_layers(data):
    (x, labels), parameters = data, several(3)
    logits, gradients = mlp_logits(parameters, x), mlp_gradients(parameters, x, labels)
    assert logits.shape == (3, SAMPLES, CLASSES)
    assert list(gradients) == list(parameters)
    for number in range(3):
        module = twin(parameters, number)
        expected = module(x)
        torch.testing.assert_close(logits[number], expected)
        nn.functional.cross_entropy(expected, labels).backward()
        for ours, theirs in zip(gradients.values(), module.parameters(), strict=True):
            torch.testing.assert_close(ours[number], theirs.grad)


def trained(module, x, labels, batches, lr, decay):
    """Train a module by torch's AdamW, cosine to 0, its biases not decaying."""
    groups = [
        {"params": [module[0].weight, module[2].weight], "weight_decay": decay},
        {"params": [module[0].bias, module[2].bias], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=lr)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 + math.cos(math.pi * step / STEPS)) / 2)
    for batch in batches:
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(x[batch]), labels[batch]).backward()
        optimizer.step()
        schedule.step()
    return module


@pytest.mark.parametrize("count", [1, len(GRID)])
def test_a_grid_is_trained_as_a_loop_over_it_would(count, data):
    (x, labels), start, chosen = data, several(count), torch.arange(0, SAMPLES, 2)
    lrs, decays = torch.tensor(GRID, dtype=torch.float64).T
    options = {"steps": STEPS, "batch_size": BATCH, "seed": 3, "advance": lambda: None}
    probes = fit_probes(mlp_gradients, start, lambda batch: x[batch], labels, chosen, lrs, decays, **options)
    logits = predict_probes(mlp_logits, probes, lambda batch: x[batch], torch.arange(SAMPLES))
    batches = order(chosen, STEPS, BATCH, seed=3)
    for number, (lr, decay) in enumerate(GRID):
        module = trained(twin(start, number % count), x, labels, batches, lr, decay)
        with torch.no_grad():
            torch.testing.assert_close(logits[number], module(x), rtol=1e-7, atol=1e-7)
    assert (logits[0] - logits[1]).abs().max() > 0.1


def test_weights_are_drawn_as_torch_draws_those_of_linear_layers():
    drawn = mlp_parameters(100, 400, 7, count=3, seed=0)
    for name, inputs in (("hidden_weight", 100), ("hidden_bias", 100), ("class_weight", 400), ("class_bias", 400)):
        assert float(drawn[name].abs().max()) == pytest.approx(inputs**-0.5, rel=0.15)
        assert float(drawn[name].abs().max()) <= inputs**-0.5
    assert float(drawn["hidden_weight"].std()) == pytest.approx((1 / 300) ** 0.5, rel=0.02)
    again, other = (mlp_parameters(100, 400, 7, count=3, seed=seed) for seed in (0, 1))
    assert all(torch.equal(drawn[name], again[name]) for name in drawn)
    assert not torch.equal(drawn["hidden_weight"], other["hidden_weight"])
    assert not torch.equal(drawn["hidden_weight"][0], drawn["hidden_weight"][1])
