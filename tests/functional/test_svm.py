import numpy as np
import pytest
import torch
from sklearn.svm import LinearSVC
from torch.utils._python_dispatch import TorchDispatchMode

from harness.functional import svm
from harness.functional.svm import fit_svm, svm_gradient, svm_objective

COSTS = torch.tensor([1e-3, 1e-1, 1.0, 1e2], dtype=torch.float64)


def draw(n=120, dim=6, classes=4, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    centres = torch.randn(classes, dim, generator=generator, dtype=dtype)
    return centres[labels] + torch.randn(n, dim, generator=generator, dtype=dtype), labels


def peer(x, labels, cost, **arguments):
    model = LinearSVC(C=float(cost), dual=False, tol=1e-10, max_iter=100_000, **arguments)
    model.fit(x.numpy(), labels.numpy())
    return torch.from_numpy(model.coef_)[None], torch.from_numpy(model.intercept_)[None]


@pytest.mark.parametrize("shape", [(120, 6), (400, 40), (30, 50)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_scikit_learn_agrees(shape, dtype):
    x, labels = draw(*shape)
    fitted = fit_svm(x.to(dtype), labels, COSTS.to(dtype), classes=4)
    assert fitted.converged.all()
    assert fitted.weight.dtype == fitted.bias.dtype == dtype
    for row, cost in enumerate(COSTS):
        weight, bias = peer(x, labels, cost)
        expected = svm_objective(x, labels, cost[None], weight, bias).item()
        assert fitted.objective[row].item() <= expected * (1 + 1e-4)
        torch.testing.assert_close(fitted.weight[row].double(), weight[0], rtol=0, atol=1e-2)
        torch.testing.assert_close(fitted.bias[row].double(), bias[0], rtol=0, atol=1e-2)
        assert torch.equal(fitted.predict(3 * x.to(dtype))[row], (3 * x @ weight[0].mT + bias[0]).argmax(1))


def test_scikit_learn_agrees_on_emphasised_positives():
    x, labels = draw(200, 8)
    fitted = fit_svm(x, labels, COSTS, classes=4, positive_weight=2.0)
    for row, cost in enumerate(COSTS):
        for of_class in range(4):
            weight, bias = peer(x, (labels == of_class).long(), cost, class_weight={0: 1.0, 1: 2.0})
            torch.testing.assert_close(fitted.weight[row, of_class], weight[0, 0], rtol=0, atol=1e-3)
            assert fitted.bias[row, of_class].item() == pytest.approx(bias.item(), abs=1e-3)


@pytest.mark.parametrize("positive_weight", [1.0, 2.0])
def test_objective_is_that_of_plain_loops(positive_weight):
    x, labels = draw(10, 3, 3)
    weight, bias = torch.randn(2, 3, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    costs = torch.tensor([0.1, 2.0], dtype=torch.float64)
    found = svm_objective(x, labels, costs, weight, bias, positive_weight=positive_weight)
    for p in range(2):
        total = 0.0
        for of_class in range(3):
            w, b = weight[p, of_class].numpy(), bias[p, of_class].item()
            total += (w @ w + b * b) / 2
            for point, label in zip(x.numpy(), labels.tolist(), strict=True):
                own = label == of_class
                slack = max(0.0, 1 - (1 if own else -1) * (w @ point + b))
                total += costs[p].item() * (positive_weight if own else 1) * slack**2
        assert found[p].item() == pytest.approx(total)


def test_gradient_is_that_of_autograd():
    x, labels = draw(12, 3, 4)
    weight = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    costs = torch.tensor([0.3, 1.7], dtype=torch.float64)

    def objective(w, b):
        return svm_objective(x, labels, costs, w, b, positive_weight=2.0)

    assert torch.autograd.gradcheck(objective, (weight, bias))
    expected = torch.autograd.grad(objective(weight, bias).sum(), (weight, bias))
    with torch.no_grad():
        torch.testing.assert_close(svm_gradient(x, labels, costs, weight, bias, positive_weight=2.0), expected)


def test_two_points_in_closed_form():
    """By symmetry b = 0, and w minimises w^2 / 2 + 2 cost (1 - a w)^2: w = 4 cost a / (1 + 4 cost a^2)."""
    a, costs = 0.7, torch.tensor([0.2, 30.0], dtype=torch.float64)
    fitted = fit_svm(torch.tensor([[-a], [a]], dtype=torch.float64), torch.tensor([0, 1]), costs, classes=2)
    expected = 4 * costs * a / (1 + 4 * costs * a**2)
    torch.testing.assert_close(fitted.weight[:, 1, 0], expected)
    torch.testing.assert_close(fitted.weight[:, 0, 0], -expected)
    torch.testing.assert_close(fitted.bias, torch.zeros(2, 2, dtype=torch.float64), rtol=0, atol=1e-12)
    both = 2 * (expected.square() / 2 + 2 * costs * (1 - a * expected).square())
    torch.testing.assert_close(fitted.objective, both)


@pytest.mark.parametrize("shape", [(300, 12), (12, 30)])
def test_the_gradient_vanishes_at_the_solution(shape):
    x, labels = draw(*shape)
    fitted = fit_svm(x, labels, COSTS, classes=4, tolerance=1e-14)
    assert fitted.converged.all()
    gradients = svm_gradient(x, labels, COSTS, fitted.weight, fitted.bias)
    assert max(gradient.abs().max() for gradient in gradients) < 1e-5


def test_the_gap_bounds_the_distance_to_the_optimum():
    x, labels = draw(300, 12)
    exact = fit_svm(x, labels, COSTS, classes=4, tolerance=1e-13)
    for tolerance in (1e-1, 1e-3):
        fitted = fit_svm(x, labels, COSTS, classes=4, tolerance=tolerance)
        assert fitted.converged.all()
        assert (fitted.objective <= exact.objective * (1 + 2 * tolerance)).all()


def test_costs_come_back_in_the_order_given():
    x, labels = draw()
    order = torch.tensor([2, 0, 3, 1])
    fitted, shuffled = (fit_svm(x, labels, costs, classes=4) for costs in (COSTS, COSTS[order]))
    torch.testing.assert_close(shuffled.weight, fitted.weight[order])
    torch.testing.assert_close(shuffled.objective, fitted.objective[order])


def test_little_memory_changes_nothing(monkeypatch):
    x, labels = draw(200, 30, 5)
    fitted = fit_svm(x, labels, COSTS, classes=5)
    monkeypatch.setattr(svm, "_MEMORY", 500)
    pieces = fit_svm(x, labels, COSTS, classes=5)
    torch.testing.assert_close(pieces.weight, fitted.weight, rtol=0, atol=1e-8)
    assert pieces.converged.all()


def test_more_dimensions_than_points_are_as_in_an_orthonormal_basis(monkeypatch):
    """Slow twin: a whole basis of the points' span, by QR."""
    x, labels = draw(40, 200)
    costs = torch.logspace(-3, 3, 7, dtype=torch.float64)
    fitted = fit_svm(x, labels, costs, classes=4, tolerance=1e-12)
    monkeypatch.setattr(svm, "_factor", lambda x: torch.linalg.qr(torch.cat([x, x.new_ones(len(x), 1)], 1).mT).R.mT)
    peer = fit_svm(x, labels, costs, classes=4, tolerance=1e-12)
    assert fitted.converged.all()
    torch.testing.assert_close(fitted.objective, peer.objective, rtol=1e-9, atol=0)
    torch.testing.assert_close(fitted.weight, peer.weight, rtol=0, atol=1e-6)
    torch.testing.assert_close(fitted.bias, peer.bias, rtol=0, atol=1e-6)


def test_repeated_points_of_more_dimensions_are_as_their_cost_multiplied():
    x, labels = draw(40, 200)
    fitted = fit_svm(x.repeat(3, 1), labels.repeat(3), COSTS, classes=4, tolerance=1e-12)
    once = fit_svm(x, labels, 3 * COSTS, classes=4, tolerance=1e-12)
    assert fitted.converged.all()
    torch.testing.assert_close(fitted.weight, once.weight, rtol=0, atol=1e-6)
    torch.testing.assert_close(fitted.bias, once.bias, rtol=0, atol=1e-6)


def test_points_of_many_dimensions_are_never_held_in_float64(monkeypatch):
    class Largest(TorchDispatchMode):
        found = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            result = function(*args, **(kwargs or {}))
            outputs = result if isinstance(result, (tuple, list)) else (result,)
            sizes = [one.numel() for one in outputs if isinstance(one, torch.Tensor) and one.dtype == torch.float64]
            self.found = max(self.found, *sizes, 0)
            return result

    x, labels = draw(40, 3000, dtype=torch.float32)
    monkeypatch.setattr(svm, "_MEMORY", 2**12)
    with Largest() as largest:
        fitted = fit_svm(x, labels, COSTS.float(), classes=4)
    assert fitted.converged.all()
    assert largest.found <= 4 * 3000  # the weights of one cost


def test_correlated_columns_and_repeated_points_converge():
    x, labels = draw(150, 10)
    x = torch.cat([x, x * 1e-3, x.cumsum(1)], 1).repeat(2, 1)
    fitted = fit_svm(x, labels.repeat(2), torch.logspace(-5, 3, 9, dtype=torch.float64), classes=4)
    assert fitted.converged.all()
    assert torch.isfinite(fitted.weight).all()


def test_a_class_without_points_is_never_predicted():
    x, labels = draw(60, 4, 3)
    fitted = fit_svm(x, torch.tensor([0, 2, 4])[labels], COSTS, classes=5)
    dense = fit_svm(x, labels, COSTS, classes=3)
    torch.testing.assert_close(fitted.weight[:, [0, 2, 4]], dense.weight)
    assert fitted.bias[:, [1, 3]].isneginf().all()
    torch.testing.assert_close(fitted.objective, dense.objective)
    assert set(fitted.predict(5 * x).unique().tolist()) == {0, 2, 4}


def test_iterations_that_run_out_are_told():
    x, labels = draw()
    fitted = fit_svm(x, labels, COSTS, classes=4, tolerance=1e-12, iterations=1)
    done = fit_svm(x, labels, COSTS, classes=4)
    assert not fitted.converged.all()
    assert (fitted.objective >= done.objective).all()
    assert np.isfinite(fitted.objective.numpy()).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.zeros(3)}, "x must be"),
        ({"x": torch.zeros(0, 2), "labels": torch.zeros(0).long()}, "x must be"),
        ({"x": torch.full((6, 2), torch.nan)}, "finite"),
        ({"x": torch.zeros(6, 2).long()}, "floating point"),
        ({"labels": torch.zeros(5).long()}, "labels must be"),
        ({"labels": torch.tensor([0, 1, 2, 3, 0, 0])}, r"in \[0, 3\)"),
        ({"labels": torch.zeros(6)}, "int64"),
        ({"costs": torch.tensor([0.0])}, "positive"),
        ({"costs": torch.ones(1, 1)}, "positive"),
        ({"costs": torch.ones(0)}, "costs"),
        ({"positive_weight": 0.0}, "positive_weight"),
    ],
)
def test_bad_input_is_named(change, message):
    arguments = {"x": torch.rand(6, 2), "labels": torch.tensor([0, 1, 2, 0, 1, 2]), "costs": torch.ones(1)}
    with pytest.raises(ValueError, match=message):
        fit_svm(**{**arguments, **change}, classes=3)
