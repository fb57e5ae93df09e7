"""The search over nine strengths of a linear probe, beside a loop of scikit-learn's LogisticRegression."""

from __future__ import annotations

import time
from itertools import pairwise

import torch
from sklearn.linear_model import LogisticRegression

from harness.functional.logistic import fit_logistic, logistic_objective

N, DIM, CLASSES = 9_494, 512, 101
STRENGTHS = [10.0**power for power in range(-6, 3)]
TOLERANCE = 1e-6
"""Of the largest entry of the gradient of the mean loss: what both mean by it, and what the probe uses."""
NATS = 2e-3
"""By which objectives may differ: where a penalty leaves almost no loss, gradients are small long before the end."""


def test_strength_search(benchmark):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(N) % CLASSES
    x = torch.randn(CLASSES, DIM, generator=generator)[labels] / 2 + torch.randn(N, DIM, generator=generator)
    x = (x - x.mean(0)) / x.std(0)
    strengths = torch.tensor(STRENGTHS)

    def theirs(tolerance):
        return [
            LogisticRegression(C=1 / (N * strength), max_iter=2000, tol=tolerance).fit(x.numpy(), labels.numpy())
            for strength in STRENGTHS
        ]

    seconds = []
    for _ in range(2):  # in turns, as the machine's speed drifts
        times = [time.perf_counter()]
        models = theirs(TOLERANCE)
        times.append(time.perf_counter())
        early = theirs(1e-4)
        times.append(time.perf_counter())
        fitted = fit_logistic(x, labels, strengths, classes=CLASSES, tolerance=TOLERANCE)
        times.append(time.perf_counter())
        seconds.append([after - before for before, after in pairwise(times)])
    peer, peer_early, own = map(min, zip(*seconds, strict=True))

    def objectives(found):
        weight = torch.stack([torch.from_numpy(model.coef_) for model in found]).to(x)
        bias = torch.stack([torch.from_numpy(model.intercept_) for model in found]).to(x)
        return logistic_objective(x, labels, strengths, weight, bias)

    assert fitted.converged.all()
    assert (fitted.objective <= objectives(models) * (1 + 1e-4) + NATS).all()
    benchmark.pedantic(lambda: fit_logistic(x, labels, strengths, classes=CLASSES), rounds=3)
    benchmark.extra_info.update(
        solves_per_s=round(len(STRENGTHS) / benchmark.stats.stats.median, 2),
        threads=torch.get_num_threads(),
        times_as_fast_as={
            "scikit-learn": round(peer / own, 3),
            "scikit-learn at its default tolerance": round(peer_early / own, 3),
        },
        # How far above ours it then stops.
        default_objectives_over_ours=[round(float(o), 3) for o in objectives(early) / fitted.objective],
    )
