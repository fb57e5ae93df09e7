"""The search over seven costs of linear support vector machines, beside a loop of scikit-learn's LinearSVC."""

from __future__ import annotations

import time
import warnings

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from harness.functional.svm import fit_svm, svm_objective

N, DIM, CLASSES = 2_400, 256, 32  # ten times as many numbers take scikit-learn a quarter of an hour
COSTS = [10.0**power for power in range(-3, 4)]


def test_cost_search(benchmark):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(N) % CLASSES
    x = torch.randn(CLASSES, DIM, generator=generator)[labels] / 2 + torch.randn(N, DIM, generator=generator)
    x = (x - x.mean(0)) / x.std(0)
    costs = torch.tensor(COSTS)

    start = time.perf_counter()
    objectives = []
    for cost in COSTS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = LinearSVC(C=cost, dual=False).fit(x.numpy(), labels.numpy())
        weight, bias = (torch.from_numpy(a).to(x)[None] for a in (model.coef_, model.intercept_))
        objectives.append(svm_objective(x, labels, torch.tensor([cost]), weight, bias))
    peer = time.perf_counter() - start

    fitted = benchmark.pedantic(lambda: fit_svm(x, labels, costs, classes=CLASSES), rounds=3, warmup_rounds=1)
    assert fitted.converged.all()
    assert (fitted.objective <= torch.cat(objectives) * (1 + 1e-4)).all()
    benchmark.extra_info.update(
        solves_per_s=round(len(COSTS) * CLASSES / benchmark.stats.stats.median, 2),
        threads=torch.get_num_threads(),
        times_as_fast_as={"scikit-learn": round(peer / benchmark.stats.stats.median, 3)},
    )
