"""Machines on sums of kernels against scikit-learn, a slow twin and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import optimize
from sklearn.svm import LinearSVC

from harness.functional.kernel_svm import fit_kernel_machines, learn_kernel_weights


def points(seed=0, count=40):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 5, generator=generator, dtype=torch.float64)
    noise = 0.8 * torch.randn(count, generator=generator)
    labels = x @ torch.tensor([1.0, -1, 0.5, 0, 0], dtype=torch.float64) + noise > 0
    return x, torch.where(labels, 1.0, -1.0)


def value(kernels, targets, cost, weights):
    """Dual value of one problem by a bounded quasi-Newton search."""
    kernel = (weights[:, None, None] * kernels).sum(0) + 1
    form = (targets[:, None] * kernel * targets).numpy()
    solved = optimize.minimize(
        lambda a: (a @ form @ a / 2 - a.sum(), form @ a - 1),
        np.zeros(len(targets)),
        jac=True,
        bounds=[(0, cost)] * len(targets),
        options={"maxiter": 20000, "maxfun": 200000, "ftol": 1e-15, "gtol": 1e-10},
    )
    return -solved.fun, solved.x * targets.numpy()


def test_a_linear_kernel_gives_scikit_learns_linear_machine():
    x, targets = points()
    costs = torch.tensor([0.1, 10.0])
    machines = fit_kernel_machines(
        (x @ x.mT)[None], targets.expand(2, -1), costs, torch.ones(2, 1), tolerance=1e-9, iterations=200_000
    )
    assert machines.converged.all()
    scores = machines.scores((x @ x.mT)[None])
    for cost, ours in zip(costs.tolist(), scores, strict=True):
        reference = LinearSVC(loss="hinge", C=cost, tol=1e-10, max_iter=2_000_000).fit(x.numpy(), targets.numpy())
        np.testing.assert_allclose(ours.numpy(), reference.decision_function(x.numpy()), atol=2e-4)


def test_problems_of_a_batch_do_not_see_each_other_and_a_start_changes_nothing():
    x, targets = points()
    y, _ = points(1)
    kernels = torch.stack([x @ x.mT, y @ y.mT])
    weights = torch.tensor([[1.0, 0.0], [0.3, 0.7]])
    batch = fit_kernel_machines(
        kernels, torch.stack([targets, -targets]), torch.tensor([1.0, 5.0]), weights, tolerance=1e-8, iterations=100_000
    )
    for number, (sign, cost) in enumerate(((1, 1.0), (-1, 5.0))):
        _, expected = value(kernels, sign * targets, cost, weights[number].double())
        np.testing.assert_allclose(batch.coefficients[number].numpy(), expected, atol=3e-3 * cost)
    again = fit_kernel_machines(
        kernels,
        torch.stack([targets, -targets]),
        torch.tensor([1.0, 5.0]),
        weights,
        start=batch.coefficients,
        tolerance=1e-8,
        iterations=100_000,
    )
    torch.testing.assert_close(again.coefficients, batch.coefficients, rtol=0, atol=1e-2)


def test_the_learnt_weights_are_the_minimum_of_the_released_objective():
    x, targets = points()
    noise, _ = points(7)
    kernels = torch.stack([torch.nn.functional.normalize(one, dim=1) for one in (x, noise)])
    kernels = kernels @ kernels.mT
    machines = learn_kernel_weights(kernels, targets[None], 10.0)
    (learnt,) = machines.weights
    assert learnt[0] > 1.3 * learnt[1]

    def objective(d):
        return value(kernels, targets, 10.0, torch.tensor(np.maximum(d, 0)))[0] + np.maximum(d, 0).sum()

    best = optimize.minimize(objective, [1.0, 1.0], method="Nelder-Mead", options={"xatol": 1e-4, "fatol": 1e-6})
    assert objective(learnt.numpy()) == pytest.approx(best.fun, rel=2e-3)


def test_equal_kernels_share_a_weight_that_is_determined_and_a_small_cost_gives_none():
    x, targets = points()
    kernel = torch.nn.functional.normalize(x, dim=1)
    kernel = kernel @ kernel.mT
    (twice,) = learn_kernel_weights(torch.stack([kernel, kernel]), targets[None], 10.0).weights
    (once,) = learn_kernel_weights(kernel[None], targets[None], 10.0).weights
    assert twice.sum() == pytest.approx(once.item(), rel=0.05)
    assert learn_kernel_weights(kernel[None], targets[None], 1e-3).weights.abs().max() < 1e-6


def test_machines_that_did_not_converge_say_so():
    x, targets = points()
    machines = fit_kernel_machines(
        (x @ x.mT)[None], targets[None], torch.tensor([1000.0]), torch.ones(1, 1), iterations=25
    )
    assert not machines.converged.any()
