"""The grid of an MLP probe in one batch, beside a loop of scikit-learn's MLPClassifier and one of torch's layers."""

from __future__ import annotations

import itertools
import math
import warnings

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from torch import nn

from harness.evaluators.cards import MLP_LEARNING_RATES, MLP_WEIGHT_DECAYS
from harness.functional.mlp import mlp_gradients, mlp_logits, mlp_parameters
from harness.functional.probes import fit_probes, order, predict_probes

VIDEOS, DIM, WIDTH, CLASSES = 1024, 512, 512, 101
EPOCHS, BATCH = 5, 256
STEPS = EPOCHS * VIDEOS // BATCH
GRID = list(itertools.product(MLP_LEARNING_RATES, MLP_WEIGHT_DECAYS))


def scikit_learn(x, labels):
    """Accuracies (9,) of classifiers of the same size, trained for as many steps of Adam, with L2 instead of decay."""
    found = []
    for lr, decay in GRID:
        model = MLPClassifier(
            WIDTH, alpha=decay, learning_rate_init=lr, batch_size=BATCH, max_iter=EPOCHS, tol=0.0, random_state=0
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # of few epochs
            found.append(model.fit(x.numpy(), labels.numpy()).score(x.numpy(), labels.numpy()))
    return torch.tensor(found)


def loop(start, x, labels):
    """Logits (9, N, C) of modules that are trained one after the other."""
    logits = []
    for lr, decay in GRID:
        module = nn.Sequential(nn.Linear(DIM, WIDTH), nn.ReLU(), nn.Linear(WIDTH, CLASSES))
        with torch.no_grad():
            for parameter, value in zip(module.parameters(), start.values(), strict=True):
                parameter.copy_(value[0])
        weights, biases = [module[0].weight, module[2].weight], [module[0].bias, module[2].bias]
        groups = [{"params": weights, "weight_decay": decay}, {"params": biases, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=lr)
        for step, batch in enumerate(order(torch.arange(VIDEOS), STEPS, BATCH, seed=0)):
            for group in optimizer.param_groups:
                group["lr"] = lr * (1 + math.cos(math.pi * step / STEPS)) / 2
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(x[batch]), labels[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            logits.append(module(x))
    return torch.stack(logits)


def batched(start, x, labels):
    options = {"steps": STEPS, "batch_size": BATCH, "seed": 0, "advance": lambda: None}
    every, rates = torch.arange(VIDEOS), torch.tensor(GRID).T
    probes = fit_probes(mlp_gradients, start, lambda batch: x[batch], labels, every, *rates, **options)
    return predict_probes(mlp_logits, probes, lambda batch: x[batch], every)


def test_grid(beside):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(VIDEOS) % CLASSES
    x = torch.randn(CLASSES, DIM, generator=generator)[labels] / 2 + torch.randn(VIDEOS, DIM, generator=generator)
    start = mlp_parameters(DIM, WIDTH, CLASSES, count=1, seed=0)

    def check(logits, theirs):
        one_by_one, by_scikit_learn = theirs["loop over the grid"], theirs["scikit-learn"]
        assert (logits.softmax(2) - one_by_one.softmax(2)).abs().max() < 1e-3  # AdamW's first steps amplify rounding
        accuracies = (logits.argmax(2) == labels).double().mean(1)
        assert float(accuracies.max()) > float(by_scikit_learn.max()) - 0.02  # another start, order and penalty

    peers = {
        "scikit-learn": lambda: scikit_learn(x, labels),
        "loop over the grid": lambda: loop(start, x, labels),
    }
    clips = len(GRID) * STEPS * BATCH
    ratios = beside(lambda: batched(start, x, labels), peers, clips=clips, rounds=3, check=check)
    assert min(ratios.values()) >= 0.8
