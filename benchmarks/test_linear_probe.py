"""The search over nine strengths of a linear probe, beside a loop of scikit-learn's LogisticRegression."""

from __future__ import annotations

import time

import torch
from sklearn.linear_model import LogisticRegression

from harness.functional.logistic import fit_logistic, logistic_objective

N, DIM, CLASSES = 9_494, 512, 101
STRENGTHS = [10.0**power for power in range(-6, 3)]


def test_strength_search(benchmark):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(N) % CLASSES
    x = torch.randn(CLASSES, DIM, generator=generator)[labels] / 2 + torch.randn(N, DIM, generator=generator)
    x = (x - x.mean(0)) / x.std(0)
    strengths = torch.tensor(STRENGTHS)

    start = time.perf_counter()
    objectives = []
    for strength in STRENGTHS:
        model = LogisticRegression(C=1 / (N * strength), max_iter=500).fit(x.numpy(), labels.numpy())
        weight, bias = (torch.from_numpy(a).to(x)[None] for a in (model.coef_, model.intercept_))
        objectives.append(logistic_objective(x, labels, torch.tensor([strength]), weight, bias))
    peer = time.perf_counter() - start

    fitted = benchmark.pedantic(lambda: fit_logistic(x, labels, strengths, classes=CLASSES), rounds=3, warmup_rounds=1)
    assert (fitted.objective <= torch.cat(objectives) * (1 + 1e-4)).all()
    benchmark.extra_info.update(
        solves_per_s=round(len(STRENGTHS) / benchmark.stats.stats.median, 2),
        threads=torch.get_num_threads(),
        times_as_fast_as={"scikit-learn": round(peer / benchmark.stats.stats.median, 3)},
    )
