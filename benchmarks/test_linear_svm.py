"""The search over seven costs of linear support vector machines, beside a loop of scikit-learn's LinearSVC."""

from __future__ import annotations

import warnings

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from harness.functional.svm import fit_svm, svm_objective

N, DIM, CLASSES = 2_400, 256, 32  # ten times as many numbers take scikit-learn a quarter of an hour
COSTS = [10.0**power for power in range(-3, 4)]


def test_cost_search(beside):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(N) % CLASSES
    x = torch.randn(CLASSES, DIM, generator=generator)[labels] / 2 + torch.randn(N, DIM, generator=generator)
    x = (x - x.mean(0)) / x.std(0)
    costs = torch.tensor(COSTS)

    def scikit_learn():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return [LinearSVC(C=cost, dual=False).fit(x.numpy(), labels.numpy()) for cost in COSTS]

    def check(fitted, theirs):
        models = theirs["scikit-learn"]
        weight = torch.stack([torch.from_numpy(model.coef_) for model in models]).to(x)
        bias = torch.stack([torch.from_numpy(model.intercept_) for model in models]).to(x)
        assert fitted.converged.all()
        assert (fitted.objective <= svm_objective(x, labels, costs, weight, bias) * (1 + 1e-4)).all()

    beside(
        lambda: fit_svm(x, labels, costs, classes=CLASSES),
        {"scikit-learn": scikit_learn},
        clips=len(COSTS) * CLASSES,
        rounds=1,
        check=check,
    )
