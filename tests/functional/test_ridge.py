"""Ridge regression beside scikit-learn's, closed forms and least squares."""

from __future__ import annotations

import pytest
import torch
from sklearn.linear_model import Ridge

from harness.functional.ridge import fit_ridge


def draw(n, dim):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, dim, generator=generator, dtype=torch.float64) + 3
    return x, x[:, 0] - 2 * x[:, 1] + torch.randn(n, generator=generator, dtype=torch.float64) + 5


@pytest.mark.parametrize(("n", "dim"), [(40, 6), (12, 50), (20, 20)])
def test_it_equals_scikit_learn(n, dim):
    x, targets = draw(n, dim)
    strengths = torch.tensor([1e-3, 0.1, 10.0], dtype=torch.float64)
    fitted = fit_ridge(x, targets, strengths)
    queries = draw(9, dim)[0] + 1
    for row, strength in enumerate(strengths.tolist()):
        model = Ridge(alpha=n * strength, solver="svd").fit(x, targets)
        torch.testing.assert_close(fitted.predict(queries)[row], torch.from_numpy(model.predict(queries)))
        torch.testing.assert_close(fitted.weight[row], torch.from_numpy(model.coef_))
        assert fitted.bias[row].item() == pytest.approx(model.intercept_)


def test_closed_forms():
    x, targets = draw(40, 6)
    none, all_of_it = fit_ridge(x, targets, torch.tensor([1e-12, 1e12], dtype=torch.float64)).predict(x)
    whole = torch.cat([x, torch.ones(40, 1, dtype=torch.float64)], 1)
    torch.testing.assert_close(none, whole @ torch.linalg.lstsq(whole, targets).solution)
    torch.testing.assert_close(all_of_it, targets.mean().expand(40))
    orthogonal = torch.tensor([[1.0], [-1.0], [1.0], [-1.0]])
    halved = fit_ridge(orthogonal, torch.tensor([3.0, -1.0, 3.0, -1.0]), torch.tensor([1.0]))
    assert (halved.weight.item(), halved.bias.item()) == pytest.approx((1.0, 1.0))  # 2 without a penalty


def test_a_column_that_does_not_vary_has_no_weight():
    x, targets = draw(40, 6)
    x[:, 3] = 7.0
    assert fit_ridge(x, targets, torch.tensor([1e-3])).weight[0, 3].item() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("x", "targets", "strengths", "message"),
    [
        (torch.zeros(3, 2), torch.zeros(4), [1.0], r"x must be \(N, D\) and targets \(N,\)"),
        (torch.zeros(0, 2), torch.zeros(0), [1.0], "not empty"),
        (torch.full((3, 2), torch.nan), torch.zeros(3), [1.0], "must be finite"),
        (torch.zeros(3, 2), torch.tensor([0, torch.inf, 0]), [1.0], "must be finite"),
        (torch.zeros(3, 2), torch.zeros(3), [0.0], r"strengths must be \(P,\) and positive"),
    ],
)
def test_what_is_wrong(x, targets, strengths, message):
    with pytest.raises(ValueError, match=message):
        fit_ridge(x, targets, torch.tensor(strengths))
