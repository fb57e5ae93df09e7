"""Binary logistic regressions in one batch beside scikit-learn's, one at a time."""

from __future__ import annotations

import pytest
import torch
from sklearn.linear_model import LogisticRegression

from harness.functional.one_vs_rest import fit_one_vs_rest


def draw(n=60, dim=5, classes=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, dim, generator=generator, dtype=torch.float64)
    noisy = x @ torch.randn(dim, classes, generator=generator, dtype=torch.float64)
    return x, noisy + torch.randn(n, classes, generator=generator, dtype=torch.float64) > 1.0


@pytest.mark.parametrize("dim", [5, 200])
def test_it_equals_scikit_learn(dim):
    x, membership = draw(dim=dim)
    strengths = torch.tensor([1.0, 0.1, 0.01], dtype=torch.float64)
    fitted = fit_one_vs_rest(x, membership, strengths)
    assert fitted.converged.all()
    queries = torch.randn(7, dim, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    scores = fitted.scores(queries)
    assert scores.shape == (3, 7, 4)
    for row, strength in enumerate(strengths.tolist()):
        for own in range(4):
            model = LogisticRegression(C=1 / (len(x) * strength), tol=1e-10, max_iter=10_000).fit(x, membership[:, own])
            expected = torch.from_numpy(model.decision_function(queries))
            torch.testing.assert_close(scores[row, :, own], expected, rtol=1e-3, atol=1e-4)


def test_a_class_of_no_point_or_of_all_has_scores_without_end():
    x, membership = draw()
    whole = torch.cat([membership, torch.zeros(60, 1).bool(), torch.ones(60, 1).bool()], 1)
    strengths = torch.tensor([1.0, 0.1], dtype=torch.float64)
    fitted, alone = fit_one_vs_rest(x, whole, strengths), fit_one_vs_rest(x, membership, strengths)
    scores = fitted.scores(x)
    assert (scores[:, :, 4] == -torch.inf).all()
    assert (scores[:, :, 5] == torch.inf).all()
    torch.testing.assert_close(scores[:, :, :4], alone.scores(x), rtol=1e-4, atol=1e-5)
    assert fitted.converged.all()


@pytest.mark.parametrize(
    ("membership", "message"),
    [
        (torch.zeros(3, 2), r"membership must be \(3, C\) bool like x, got \(3, 2\) torch.float32"),
        (torch.zeros(4, 2).bool(), r"membership must be \(3, C\)"),
        (torch.zeros(3, 0).bool(), r"membership must be \(3, C\)"),
    ],
)
def test_wrong_shapes(membership, message):
    with pytest.raises(ValueError, match=message):
        fit_one_vs_rest(torch.zeros(3, 2), membership, torch.tensor([1.0]))
