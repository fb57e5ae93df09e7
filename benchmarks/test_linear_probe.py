"""The search over nine strengths of a linear probe, beside a loop of scikit-learn's LogisticRegression."""

from __future__ import annotations

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from harness.functional.logistic import fit_logistic, logistic_objective

from .spectra import with_spectrum

DIM, CLASSES = 512, 101
STRENGTHS = [10.0**power for power in range(-6, 3)]
TOLERANCE = 1e-6
"""Of the largest entry of the gradient of the mean loss: what both mean by it, and what the probe uses."""
NATS = 2e-3
"""By which objectives may differ: where a penalty leaves almost no loss, gradients are small long before the end."""


@pytest.mark.parametrize(("spectrum", "n"), [("flat", 9_494), ("steep", 2_020)])  # of steep ones scikit-learn is slow
def test_strength_search(beside, benchmark, spectrum, n):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % CLASSES
    x = torch.randn(CLASSES, DIM, generator=generator)[labels] / 2 + torch.randn(n, DIM, generator=generator)
    x = with_spectrum(x, spectrum)
    x = (x - x.mean(0)) / x.std(0)
    strengths = torch.tensor(STRENGTHS)

    def scikit_learn(tolerance):
        return [
            LogisticRegression(C=1 / (n * strength), max_iter=2000, tol=tolerance).fit(x.numpy(), labels.numpy())
            for strength in STRENGTHS
        ]

    def ours():
        return fit_logistic(x, labels, strengths, classes=CLASSES, tolerance=TOLERANCE)

    def objectives(found):
        weight = torch.stack([torch.from_numpy(model.coef_) for model in found]).to(x)
        bias = torch.stack([torch.from_numpy(model.intercept_) for model in found]).to(x)
        return logistic_objective(x, labels, strengths, weight, bias)

    def check(fitted, theirs):
        assert fitted.converged.all()
        assert (fitted.objective <= objectives(theirs["scikit-learn"]) * (1 + 1e-4) + NATS).all()
        early = objectives(theirs["scikit-learn at its default tolerance"]) / fitted.objective
        assert (early > 1 - 1e-4).all()
        benchmark.extra_info.update(default_objectives_over_ours=[round(float(ratio), 3) for ratio in early])

    beside(
        ours,
        {
            "scikit-learn": lambda: scikit_learn(TOLERANCE),
            "scikit-learn at its default tolerance": lambda: scikit_learn(1e-4),
        },
        clips=len(STRENGTHS),
        rounds=2,
        check=check,
    )
