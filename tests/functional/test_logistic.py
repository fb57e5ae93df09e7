import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from harness.functional import logistic, logistic_descent
from harness.functional.logistic import fit_logistic, logistic_gradient, logistic_objective
from harness.functional.logistic_descent import Problems
from harness.profiling.counters import count

STRENGTHS = torch.tensor([1e-3, 1e-2, 1e-1, 1.0], dtype=torch.float64)


def draw(n=120, dim=6, classes=4, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % classes
    centres = torch.randn(classes, dim, generator=generator, dtype=dtype)
    return centres[labels] + torch.randn(n, dim, generator=generator, dtype=dtype), labels


@pytest.fixture(params=[True, False])
def rotated(request, monkeypatch):
    """Problems go on along the principal axes of their points after a step, or never."""
    calls = []

    def rotate(problems, inner=Problems.rotate):
        calls.append(len(problems.loss))
        inner(problems)

    monkeypatch.setattr(logistic, "_ROUGH", 1)
    monkeypatch.setattr(logistic_descent, "_PLAIN_STEPS", 1)
    monkeypatch.setattr(Problems, "_axes_pay", lambda problems, *limits: request.param)
    monkeypatch.setattr(Problems, "rotate", rotate)
    yield
    assert bool(calls) == request.param


def peer(x, labels, strength, tol=1e-8):
    model = LogisticRegression(C=1 / (len(x) * float(strength)), tol=tol, max_iter=5000).fit(x.numpy(), labels.numpy())
    return torch.from_numpy(model.coef_)[None], torch.from_numpy(model.intercept_)[None]


def centred(bias):
    return bias - bias.mean(-1, keepdim=True)  # a constant added to all biases changes nothing


@pytest.mark.parametrize("shape", [(120, 6), (30, 50)])
@pytest.mark.usefixtures("rotated")
def test_scikit_learn_agrees(shape):
    x, labels = draw(*shape)
    fitted = fit_logistic(x, labels, STRENGTHS, classes=4, tolerance=1e-8)
    assert fitted.converged.all()
    for row, strength in enumerate(STRENGTHS):
        weight, bias = peer(x, labels, strength)
        expected = logistic_objective(x, labels, strength[None], weight, bias).item()
        assert fitted.objective[row].item() == pytest.approx(expected, rel=1e-4)
        torch.testing.assert_close(fitted.weight[row], weight[0], rtol=0, atol=1e-3)
        torch.testing.assert_close(centred(fitted.bias[row]), centred(bias[0]), rtol=0, atol=1e-3)


@pytest.mark.parametrize("shape", [(400, 20), (60, 90)])
@pytest.mark.usefixtures("rotated")
def test_float32_reaches_an_objective_that_scikit_learn_does_not_undercut(shape):
    x, labels = draw(*shape, dtype=torch.float32)
    strengths = STRENGTHS.float()
    fitted = fit_logistic(x, labels, strengths, classes=4, tolerance=1e-6)
    assert fitted.converged.all()
    for row, strength in enumerate(STRENGTHS):
        weight, bias = peer(x.double(), labels, strength)
        best = logistic_objective(x.double(), labels, strength[None], weight, bias).item()
        assert fitted.objective[row].item() <= best * (1 + 1e-4)
        torch.testing.assert_close(fitted.weight[row].double(), weight[0], rtol=0, atol=1e-2)


def test_objective_is_that_of_plain_loops():
    x, labels = draw(10, 3, 3)
    weight, bias = torch.randn(2, 3, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    strengths = torch.tensor([0.1, 2.0], dtype=torch.float64)
    found = logistic_objective(x, labels, strengths, weight, bias)
    for p in range(2):
        total = 0.0
        for point, label in zip(x.numpy(), labels.tolist(), strict=True):
            scores = weight[p].numpy() @ point + bias[p].numpy()
            total += np.log(np.exp(scores).sum()) - scores[label]
        assert found[p].item() == pytest.approx(total / 10 + strengths[p].item() / 2 * (weight[p] ** 2).sum().item())


@pytest.mark.parametrize("shared", [True, False])
def test_gradient_is_that_of_autograd(shared):
    x, labels = draw(12, 3, 4)
    if not shared:
        x, labels = torch.stack([x, x.flip(0) * 2]), torch.stack([labels, labels.roll(1)])
    weight = torch.randn(2, 4, 3, dtype=torch.float64, requires_grad=True)
    bias = torch.randn(2, 4, dtype=torch.float64, requires_grad=True)
    strengths = torch.tensor([0.3, 1.7], dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda w, b: logistic_objective(x, labels, strengths, w, b), (weight, bias))
    expected = torch.autograd.grad(logistic_objective(x, labels, strengths, weight, bias).sum(), (weight, bias))
    with torch.no_grad():
        found = logistic_gradient(x, labels, strengths, weight, bias)
    torch.testing.assert_close(found, expected)


@pytest.mark.usefixtures("rotated")
def test_the_gradient_vanishes_at_the_solution():
    x, labels = draw()
    fitted = fit_logistic(x, labels, STRENGTHS, classes=4, tolerance=1e-7)
    by_weight, by_bias = logistic_gradient(x, labels, STRENGTHS, fitted.weight, fitted.bias)
    assert by_weight.abs().max() <= 1.01e-7
    assert by_bias.abs().max() <= 1.01e-7


@pytest.mark.usefixtures("rotated")
def test_problems_of_their_own_points_equal_lone_ones():
    sets = [draw(80, 5, 3, seed) for seed in range(3)]
    x, labels = torch.stack([s[0] for s in sets]), torch.stack([s[1] for s in sets])
    labels[1] = labels[1].flip(0)
    strengths = torch.tensor([1e-2, 1e-1, 3.0], dtype=torch.float64)
    together = fit_logistic(x, labels, strengths, classes=3, tolerance=1e-9)
    for p in range(3):
        alone = fit_logistic(x[p], labels[p], strengths[p : p + 1], classes=3, tolerance=1e-9)
        torch.testing.assert_close(together.weight[p], alone.weight[0], rtol=0, atol=1e-6)
        torch.testing.assert_close(centred(together.bias[p]), centred(alone.bias[0]), rtol=0, atol=1e-6)
    assert together.predict(x).shape == (3, 80)
    assert torch.equal(together.predict(x)[2], together.predict(x[2])[2])


def test_fewer_points_than_dimensions_lose_nothing_by_the_reduction():
    x, labels = draw(12, 30, 3)
    strengths = STRENGTHS[1:3]
    fitted = fit_logistic(x, labels, strengths, classes=3, tolerance=1e-9)
    by_weight, by_bias = logistic_gradient(x, labels, strengths, fitted.weight, fitted.bias)
    assert max(by_weight.abs().max(), by_bias.abs().max()) < 1e-8
    assert fitted.weight.shape == (2, 3, 30)
    stacked = fit_logistic(torch.stack([x, x]), labels, strengths, classes=3, tolerance=1e-9)
    torch.testing.assert_close(stacked.weight, fitted.weight, rtol=0, atol=1e-6)


def test_an_infinite_strength_leaves_the_class_frequencies():
    x, labels = draw(40, 3, 2)
    labels[:10] = 1
    fitted = fit_logistic(x, labels, torch.tensor([1e8]), classes=2)
    torch.testing.assert_close(fitted.bias[0].softmax(0), labels.bincount() / 40.0, check_dtype=False)
    assert fitted.weight.abs().max() < 1e-6


def test_two_balanced_points_in_closed_form():
    """By symmetry w = (-a, a) with 2 a strength = 1 - sigmoid(2 a) at x = -1, +1."""
    fitted = fit_logistic(
        torch.tensor([[-1.0], [1.0]], dtype=torch.float64),
        torch.tensor([0, 1]),
        torch.tensor([0.05], dtype=torch.float64),
        classes=2,
        tolerance=1e-10,
    )
    a = fitted.weight[0, 1, 0].item()
    assert fitted.weight[0, 0, 0].item() == pytest.approx(-a)
    assert a * 0.05 == pytest.approx((1 - 1 / (1 + np.exp(-2 * a))), rel=1e-8)


def test_a_class_without_points_is_never_predicted():
    x, labels = draw(60, 4, 3)
    with_gap = torch.tensor([0, 2, 4])[labels]
    fitted = fit_logistic(x, with_gap, STRENGTHS, classes=5, tolerance=1e-8)
    dense = fit_logistic(x, labels, STRENGTHS, classes=3, tolerance=1e-8)
    torch.testing.assert_close(fitted.weight[:, [0, 2, 4]], dense.weight, rtol=0, atol=1e-5)
    assert fitted.bias[:, [1, 3]].isneginf().all()
    assert fitted.weight[:, [1, 3]].eq(0).all()
    torch.testing.assert_close(fitted.objective, dense.objective)
    assert set(fitted.predict(5 * x).unique().tolist()) == {0, 2, 4}


def test_one_class_is_always_predicted():
    x, labels = draw(20, 4, 1)
    fitted = fit_logistic(x, labels, STRENGTHS, classes=3)
    assert fitted.converged.all()
    assert fitted.objective.tolist() == [0] * 4
    assert fitted.predict(x).eq(0).all()


def test_iterations_that_run_out_are_told():
    x, labels = draw()
    fitted = fit_logistic(x, labels, STRENGTHS, classes=4, tolerance=1e-12, iterations=2)
    done = fit_logistic(x, labels, STRENGTHS, classes=4)
    assert not fitted.converged.any()
    assert (fitted.objective > done.objective).all()
    assert (fitted.objective < np.log(4)).all()


def test_more_precision_than_there_is_ends_without_convergence():
    x, labels = draw(dtype=torch.float32)
    strengths = STRENGTHS.float()
    fitted = fit_logistic(x, labels, strengths, classes=4, tolerance=0.0, iterations=80)
    exact = fit_logistic(x.double(), labels, STRENGTHS, classes=4, tolerance=1e-9)
    assert not fitted.converged.any()
    torch.testing.assert_close(fitted.objective, exact.objective, rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": torch.zeros(3)}, "x must be"),
        ({"x": torch.zeros(2, 6, 2)}, "x must be"),
        ({"x": torch.zeros(0, 2), "labels": torch.zeros(0).long()}, "x must be"),
        ({"x": torch.full((6, 2), torch.nan)}, "finite"),
        ({"x": torch.zeros(6, 2).long()}, "floating point"),
        ({"labels": torch.zeros(5).long()}, "labels must be"),
        ({"labels": torch.tensor([0, 1, 2, 3, 0, 0])}, r"in \[0, 3\)"),
        ({"labels": torch.tensor([0, 1, 2, -1, 0, 0])}, r"in \[0, 3\)"),
        ({"labels": torch.zeros(6)}, "int64"),
        ({"strengths": torch.tensor([0.0])}, "positive"),
        ({"strengths": torch.ones(1, 1)}, "positive"),
    ],
)
def test_bad_input_is_named(change, message):
    arguments = {"x": torch.rand(6, 2), "labels": torch.tensor([0, 1, 2, 0, 1, 2]), "strengths": torch.ones(1)}
    with pytest.raises(ValueError, match=message):
        fit_logistic(**{**arguments, **change}, classes=3)


@pytest.mark.parametrize("fast", [True, False])
def test_first_steps_in_bfloat16_change_nothing_beyond_the_tolerance(fast, monkeypatch):
    monkeypatch.setattr(logistic, "has_fast_bfloat16", lambda x: fast)
    x, labels = draw(300, 20, dtype=torch.float32)
    strengths = STRENGTHS.float()
    fitted = fit_logistic(x, labels, strengths, classes=4, tolerance=1e-6)
    exact = fit_logistic(x.double(), labels, STRENGTHS, classes=4, tolerance=1e-9)
    assert fitted.converged.all()
    by_weight, by_bias = logistic_gradient(x.double(), labels, STRENGTHS, fitted.weight.double(), fitted.bias.double())
    assert max(by_weight.abs().max(), by_bias.abs().max()) <= 1.5e-6
    torch.testing.assert_close(fitted.objective, exact.objective, rtol=1e-6, atol=0)


def steps_of(monkeypatch, *arguments, **options):
    """Steps until all problems are solved, and what is found."""
    steps = []

    def step(problems, inner=Problems.step):
        steps.append(problems.steps)
        inner(problems)

    with monkeypatch.context() as patch:
        patch.setattr(Problems, "step", step)
        fitted = fit_logistic(*arguments, **options)
    assert fitted.converged.all()
    return len(steps), fitted


def steep(n, dim, sets=None):
    """Points whose deviation falls along axes of no dimension, as the square of their number."""
    x, labels = draw(n, dim)
    axes = torch.linalg.qr(torch.randn(dim, dim, generator=torch.Generator().manual_seed(1), dtype=x.dtype)).Q
    x = x / torch.arange(1, dim + 1).square() @ axes
    if sets is None:
        return x, labels
    return torch.stack([x, -x, 2 * x, x.flip(0)][:sets]), torch.stack([labels, labels, labels, labels.flip(0)][:sets])


@pytest.mark.parametrize(("n", "dim", "sets"), [(400, 40, None), (400, 40, 4), (40, 400, 4)])
def test_points_that_vary_by_orders_of_magnitude_take_fewer_steps_along_their_axes(n, dim, sets, monkeypatch):
    arguments, options = (*steep(n, dim, sets), STRENGTHS / 10), {"classes": 4, "tolerance": 1e-8}
    monkeypatch.setattr(Problems, "_axes_pay", lambda problems, *limits: True)
    along, found = steps_of(monkeypatch, *arguments, **options)
    monkeypatch.setattr(Problems, "_axes_pay", lambda problems, *limits: False)
    plain, expected = steps_of(monkeypatch, *arguments, **options)
    torch.testing.assert_close(found.objective, expected.objective, rtol=1e-9, atol=0)
    assert along < 0.7 * plain


@pytest.mark.parametrize(
    ("n", "classes", "small", "pays"), [(400, 4, 1, True), (40, 2, 1, False), (400, 4, 10**7, False)]
)
def test_axes_are_found_where_they_cost_less_than_they_save(n, classes, small, pays, monkeypatch):
    rotated = []
    monkeypatch.setattr(logistic_descent, "_SMALL", small)
    monkeypatch.setattr(Problems, "rotate", lambda problems: rotated.append(problems.steps))
    x, labels = steep(n, 40)
    fit_logistic(x, labels % classes, STRENGTHS / 10, classes=classes, tolerance=1e-8)
    assert rotated == ([10] if pays else [])


def test_axes_are_not_found_for_the_last_steps(monkeypatch):
    monkeypatch.setattr(logistic_descent, "_SMALL", 1)
    monkeypatch.setattr(Problems, "rotate", lambda problems: pytest.fail("found"))
    x, labels = draw(400, 40)
    steps, _ = steps_of(monkeypatch, x, labels, STRENGTHS[1:], classes=4, tolerance=1e-5)
    assert steps > 10


@pytest.mark.usefixtures("rotated")
def test_dimensions_of_zeros_have_no_weight():
    x, labels = draw(200, 12, dtype=torch.float32)
    x[:, ::3] = 0
    fitted = fit_logistic(x, labels, torch.tensor([1e-6]), classes=4, tolerance=1e-5)
    assert not fitted.weight[:, :, ::3].any()
    assert fitted.weight.any()


@pytest.mark.usefixtures("rotated")
def test_a_set_of_huge_points_harms_no_other():
    x, labels = draw(200, 12, dtype=torch.float32)
    sets = x.repeat(3, 1, 1)
    sets[0] *= 1e20
    fitted = fit_logistic(sets, labels, torch.full((3,), 1e-2), classes=4, tolerance=1e-6)
    alone = fit_logistic(x, labels, torch.tensor([1e-2]), classes=4, tolerance=1e-6)
    assert fitted.converged.tolist() == [False, True, True]
    torch.testing.assert_close(fitted.objective[1:], alone.objective.expand(2), rtol=1e-5, atol=0)


@pytest.mark.usefixtures("rotated")
def test_points_far_from_0_are_not_called_solved_beyond_what_rounding_allows():
    x, labels = steep(400, 60)
    x = ((x - x.mean(0)) / x.std(0) + 100).float()
    fitted = fit_logistic(x, labels, STRENGTHS.float(), classes=4, tolerance=1e-5)
    gradients = logistic_gradient(x.double(), labels, STRENGTHS, fitted.weight.double(), fitted.bias.double())
    largest = torch.stack([part.abs().flatten(1).amax(1) for part in gradients]).amax(0)
    assert (largest > 1e-4).any()
    assert not fitted.converged[largest > 1e-4].any()


@pytest.mark.usefixtures("rotated")
def test_standardised_points_are_called_solved():
    x, labels = steep(600, 100)
    x = ((x - x.mean(0)) / x.std(0)).float()
    x[:, ::7] = 0
    fitted = fit_logistic(x, labels, torch.logspace(-5, 2, 8), classes=4, tolerance=1e-6)
    assert fitted.converged.all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", [(200, 12), (40, 100)])
def test_half_precision_is_taken_as_it_is(dtype, shape, monkeypatch):
    x, labels = draw(*shape, dtype=torch.float32)
    exact = fit_logistic(x, labels, torch.tensor([1e-1]), classes=4)
    monkeypatch.setattr(Problems, "_axes_pay", lambda problems, *limits: True)
    monkeypatch.setattr(Problems, "rotate", lambda problems: pytest.fail("rounded"))
    fitted = fit_logistic(x.to(dtype), labels, torch.tensor([1e-1]), classes=4, tolerance=1e-5, iterations=15)
    torch.testing.assert_close(fitted.objective, exact.objective, rtol=0.05, atol=0)


def test_an_outlier_of_probability_0_in_float32_has_a_finite_loss():
    """One mislabelled point far out: its loss exceeds what float32 tells from 0 as a probability."""
    x = torch.tensor([[-1.0], [1.0]]).repeat(200, 1)
    x = torch.cat([x, torch.tensor([[200.0]])])
    labels = torch.tensor([0, 1]).repeat(200)
    labels = torch.cat([labels, torch.tensor([0])])
    strengths = torch.tensor([1e-3])
    fitted = fit_logistic(x, labels, strengths, classes=2, tolerance=1e-4)
    exact = fit_logistic(x.double(), labels, strengths.double(), classes=2, tolerance=1e-9)
    assert fitted.objective.isfinite().all()
    torch.testing.assert_close(fitted.objective, exact.objective, rtol=1e-4, atol=0)


@pytest.mark.parametrize("along_axes", [True, False])
def test_kernels_and_synchronisations_of_a_step_do_not_depend_on_the_number_of_problems(along_axes, monkeypatch):
    monkeypatch.setattr(Problems, "_axes_pay", lambda problems, *limits: along_axes)
    x, labels = draw(40, 30, 4)

    def of_a_step(problems):
        few, many = (
            count(
                lambda n=n: fit_logistic(
                    x, labels, STRENGTHS[:1].expand(problems), classes=4, tolerance=1e-15, iterations=n
                )
            )
            for n in (20, 30)
        )
        return (many.kernels - few.kernels) / 10, (many.synchronisations - few.synchronisations) / 10

    kernels, synchronisations = of_a_step(1)
    assert kernels <= 130
    assert synchronisations <= 3
    assert of_a_step(8) == (kernels, synchronisations)
