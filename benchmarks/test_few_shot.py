"""Logistic regression from few videos a class, over shots and draws, beside a loop of scikit-learn's."""

from __future__ import annotations

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from harness.evaluators.few_shot import SHOTS, TOLERANCE
from harness.functional.draws import draw_ranks
from harness.functional.logistic import fit_logistic, logistic_objective
from harness.functional.standardise import scaling

from .spectra import with_spectrum

CLASSES, OF_EACH, DIM = 101, 94, 512
ROUNDS = 2
NEAR = 3e-3
"""Relative difference of objectives that gradients of that tolerance leave open."""


@pytest.mark.parametrize(("spectrum", "draws"), [("flat", 20), ("steep", 4)])  # of steep ones scikit-learn is slow
# With one point a class scikit-learn asks whether the labels are quantities.
@pytest.mark.filterwarnings("ignore:The number of unique classes is greater than 50%:UserWarning")
def test_shots_and_draws(beside, spectrum, draws):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(CLASSES).repeat(OF_EACH)
    points = torch.randn(CLASSES, DIM, generator=generator)[labels] / 2
    points += torch.randn(len(labels), DIM, generator=generator)
    points = with_spectrum(points, spectrum)
    ranks = draw_ranks(labels, [""] * len(labels), draws, seed=0)
    problems = []
    for shots in SHOTS:
        drawn = (ranks < shots).nonzero()[:, 1].view(draws, -1)
        mean, factor = scaling(points[drawn])
        strengths = points.new_full((draws,), 1 / drawn.shape[1])  # scikit-learn's C = 1
        problems.append(((points[drawn] - mean) * factor, labels[drawn], strengths))

    def ours():
        return [fit_logistic(*problem, classes=CLASSES, tolerance=TOLERANCE) for problem in problems]

    def scikit_learn():
        return [
            [
                LogisticRegression(C=1.0, tol=TOLERANCE, max_iter=1000).fit(a, b)
                for a, b in zip(x.numpy(), y.numpy(), strict=True)
            ]
            for x, y, _ in problems
        ]

    def check(found, theirs):
        for problem, classifiers, fitted in zip(problems, theirs["scikit-learn"], found, strict=True):
            weight = torch.stack([torch.from_numpy(model.coef_) for model in classifiers]).to(problem[0])
            bias = torch.stack([torch.from_numpy(model.intercept_) for model in classifiers]).to(problem[0])
            assert fitted.converged.all()
            reached = logistic_objective(*problem, fitted.weight, fitted.bias)
            assert (reached <= logistic_objective(*problem, weight, bias) * (1 + NEAR)).all()

    beside(ours, {"scikit-learn": scikit_learn}, clips=len(SHOTS) * draws, rounds=ROUNDS, check=check)
