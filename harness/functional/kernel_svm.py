"""Support vector machines on sums of kernels, all classes and costs in one batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

SHRINK, GROW, DECREASE = 0.3, 2.1, 0.3
"""Constants of Varma's search for a step's length.

Factors of the length after a failure and a success, and the share of the slope that a success gains.
"""


@dataclass(frozen=True, slots=True)
class KernelMachines:
    """Machines of J problems, each a class against the rest at a cost."""

    coefficients: Tensor
    """(J, N) signed dual coefficients."""
    weights: Tensor
    """(J, M) of the kernels."""
    converged: Tensor
    """(J,) bool: the duality gap is within the tolerance."""

    def scores(self, kernels: Tensor) -> Tensor:
        """(J, Q) decision values from kernels (M, Q, N) between Q queries and the points."""
        return _combined(kernels, self.weights, self.coefficients)


def fit_kernel_machines(
    kernels: Tensor,
    targets: Tensor,
    costs: Tensor,
    weights: Tensor,
    *,
    start: Tensor | None = None,
    tolerance: float = 1e-4,
    iterations: int = 5000,
) -> KernelMachines:
    """Minimise |w|^2 / 2 + cost * sum_i max(0, 1 - y_i f(x_i)) for J problems.

    f lies in the space of the kernel sum_m weight_m K_m + 1, so that the bias is a weight like the others: with a
    linear kernel this is scikit-learn's `LinearSVC(loss="hinge")`. Solved in the dual by projected gradients with
    momentum that restarts (O'Donoghue and Candes 2015), until the duality gap of each is at most `tolerance` of its
    objective. float64.

    Args:
        kernels: (M, N, N), each symmetric and positive semi-definite.
        targets: (J, N) of 1 and -1.
        costs: (J,) positive.
        weights: (J, M), not negative.
        start: (J, N) signed coefficients to start from; 0 when None.
        tolerance: of the objective, relative.
        iterations: at most.
    """
    kernels, sign = kernels.to(torch.float64), targets.to(torch.float64)
    weights, limit = weights.to(torch.float64), costs.to(torch.float64)[:, None]
    # No eigenvalue exceeds the largest sum of absolute values of a row.
    step = 1 / (torch.einsum("jm,mn->jn", weights, kernels.abs().sum(2)) + len(kernels[0])).amax(1, keepdim=True)
    alpha = torch.zeros_like(sign) if start is None else (start * sign).clamp(min=0).minimum(limit)
    ahead, momentum = alpha, sign.new_ones(len(sign), 1)
    converged = torch.zeros(len(sign), dtype=torch.bool, device=sign.device)
    for iteration in range(iterations):
        gradient = 1 - sign * _combined(kernels, weights, ahead * sign)
        following = (ahead + step * gradient).clamp(min=0).minimum(limit)
        back = ((ahead - following) * (following - alpha)).sum(1, keepdim=True) > 0
        momentum = torch.where(back, 1.0, momentum)
        grown = (1 + (1 + 4 * momentum.square()).sqrt()) / 2
        ahead = following + torch.where(back, 0.0, (momentum - 1) / grown) * (following - alpha)
        alpha, momentum = following, grown
        if iteration % 25 == 24:
            converged = _gap(kernels, sign, limit, weights, alpha) <= tolerance
            if bool(converged.all()):
                break
    return KernelMachines(alpha * sign, weights, converged)


def learn_kernel_weights(
    kernels: Tensor, targets: Tensor, cost: float, *, steps: int = 40, searches: int = 8
) -> KernelMachines:
    """Learn weights of the kernels together with J machines (GMKL).

    Minimises over d >= 0 the value of `fit_kernel_machines` plus sum_m d_m, by projected gradients with Armijo's rule;
    the gradient is 1 - b^T K_m b / 2 with the signed coefficients b.

    Args:
        kernels: (M, N, N), normalised alike.
        targets: (J, N) of 1 and -1.
        cost: of the hinge loss; with a small one all weights are 0.
        steps: of the weights, at most.
        searches: of a step's length, at most.

    Source: Varma and Babu, "More generality in efficient multiple kernel learning", ICML 2009, section 3, with the
    regulariser and the constants of their released solver.
    """
    kernels = kernels.to(torch.float64)
    count = len(targets)
    costs = kernels.new_full((count,), cost)
    weights = kernels.new_full((count, len(kernels)), 1 / len(kernels))
    length = kernels.new_ones(count, 1)
    machines = fit_kernel_machines(kernels, targets, costs, weights)
    value, gradient = _value(kernels, targets, machines)
    for _ in range(steps):
        open_ = torch.ones(count, dtype=torch.bool, device=weights.device)
        moved = False
        for _ in range(searches):
            trial = torch.where(open_[:, None], (weights - length * gradient).clamp(min=0), weights)
            gain = DECREASE * ((weights - trial) * gradient).sum(1)
            tried = fit_kernel_machines(kernels, targets, costs, trial, start=machines.coefficients)
            tried_value, tried_gradient = _value(kernels, targets, tried)
            good = open_ & (tried_value <= value - gain) & (gain > 1e-6 * value.abs().clamp(min=1e-12))
            weights = torch.where(good[:, None], trial, weights)
            gradient = torch.where(good[:, None], tried_gradient, gradient)
            value = torch.where(good, tried_value, value)
            coefficients = torch.where(good[:, None], tried.coefficients, machines.coefficients)
            machines = KernelMachines(coefficients, weights, torch.where(good, tried.converged, machines.converged))
            moved = moved or bool(good.any())
            open_ = open_ & ~good
            length = torch.where(good[:, None], length * GROW, length * torch.where(open_, SHRINK, 1.0)[:, None])
            if not bool(open_.any()):
                break
        if not moved:
            break
    return machines


def _combined(kernels: Tensor, weights: Tensor, coefficients: Tensor) -> Tensor:
    """(J, Q) products of weighted kernels (M, Q, N) and coefficients (J, N)."""
    kernels = kernels.to(coefficients.dtype)
    values = coefficients.sum(1, keepdim=True).expand(-1, kernels.shape[1])
    for number, kernel in enumerate(kernels):
        values = values + weights[:, number, None] * (coefficients @ kernel.mT)
    return values


def _gap(kernels: Tensor, sign: Tensor, limit: Tensor, weights: Tensor, alpha: Tensor) -> Tensor:
    """Duality gap relative to the primal value, (J,)."""
    scores = _combined(kernels, weights, alpha * sign)
    penalty = (alpha * sign * scores).sum(1) / 2
    primal = penalty + (limit * (1 - sign * scores).clamp(min=0)).sum(1)
    return (primal - (alpha.sum(1) - penalty)) / primal.clamp(min=1e-12)


def _value(kernels: Tensor, targets: Tensor, machines: KernelMachines) -> tuple[Tensor, Tensor]:
    """Value (J,) of the problem of the weights, and its gradient (J, M)."""
    signed = machines.coefficients
    energies = torch.stack([(signed @ kernel * signed).sum(1) for kernel in kernels], 1)
    bias = signed.sum(1).square()
    dual = (signed * targets).sum(1) - ((machines.weights * energies).sum(1) + bias) / 2
    return dual + machines.weights.sum(1), 1 - energies / 2
