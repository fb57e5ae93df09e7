"""Multinomial logistic regression with an L2 penalty, many problems in one batch."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.functional.linear import LinearClassifiers, expect_points
from harness.functional.logistic_descent import Problems
from harness.functional.placement import faster_device, has_fast_bfloat16
from harness.functional.product import stacked_product, stacked_transposed_product

_ROUGH = 10
"""Number of first steps that may multiply in bfloat16; later its rounding shows."""

_ROUNDING = 2
"""Factor by which a gradient that is computed anew may exceed the tolerance."""


class Logistic(LinearClassifiers):
    """P logistic regressions; converged where the gradient fell below the tolerance."""

    def predict(self, x: Tensor) -> Tensor:
        """(P, N) int64 most probable classes of `x`, (N, D) or (P, N, D)."""
        return _scores(x, self.weight, self.bias).argmax(2)


def logistic_objective(x: Tensor, labels: Tensor, strengths: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Mean cross-entropy in nats plus strength / 2 * |weight|^2: (P,) float64.

    The bias is not penalised.

    scikit-learn's `LogisticRegression(C=1 / (N * strength))` minimises this times N * C.

    Args:
        x: (N, D) points of all problems, or (P, N, D) of each.
        labels: (N,) or (P, N) int64 classes in [0, C).
        strengths: (P,).
        weight: (P, C, D).
        bias: (P, C).
    """
    logs = _scores(x, weight, bias).log_softmax(2)
    own = logs.gather(2, labels.expand(len(weight), -1)[:, :, None])
    penalty = weight.to(torch.float64).square().sum((1, 2)) / 2
    return -own.mean((1, 2), dtype=torch.float64) + strengths * penalty


def logistic_gradient(
    x: Tensor, labels: Tensor, strengths: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradient of `logistic_objective` by `weight` (P, C, D) and `bias` (P, C).

    Arguments as there.
    """
    residual = _scores(x, weight, bias).softmax(2)
    index = labels.expand(len(weight), -1)[:, :, None]
    residual = residual.scatter_add(2, index, -torch.ones_like(residual[:, :, :1]))
    shared = x.ndim == 2
    arranged = residual.transpose(0, 1)[None] if shared else residual[:, :, None]
    by_weight = stacked_transposed_product(arranged, x[None] if shared else x) / residual.shape[1]
    return by_weight + strengths[:, None, None] * weight, residual.mean(1)


def fit_logistic(
    x: Tensor, labels: Tensor, strengths: Tensor, *, classes: int, tolerance: float = 1e-6, iterations: int = 1000
) -> Logistic:
    """Minimise `logistic_objective` for P problems at once, by full-batch L-BFGS.

    Each problem has its own line search, and is solved when the largest entry of its gradient is at most `tolerance`,
    or when rounding allows no further descent. Where the device multiplies bfloat16 faster than float32, float32 points
    are first multiplied so; whether a problem is solved is judged in the points' own precision. On a CPU with 2 N <= D
    the problems are solved in the span of their points, which holds the optimum. Where small problems keep a GPU
    waiting for launches, the CPU solves them.

    Features of networks vary by orders of magnitude more along some axes than along others. Large problems that ten
    steps do not solve therefore go on along the principal axes of the points of all, each in units of the curvature
    that its axis is expected to have, where finding the axes takes less than the steps that they are expected to save.
    So within the tolerance a result depends on the problems beside it.

    Args:
        x: (N, D) points that all problems share, or (P, N, D), with entries of the order of 1.
        labels: (N,) or (P, N) int64 classes in [0, `classes`).
        strengths: (P,) of the penalty, positive.
        classes: C.
        tolerance: of the gradient; scikit-learn's default is 1e-4 in the same scaling.
        iterations: at most.

    Raises:
        ValueError: when shapes do not fit, `x` is not finite, a label is out of range, or a strength is not positive.

    Source: Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", 1989, algorithm 2.1.

    >>> x, labels = torch.tensor([[-2.0], [-1.0], [1.0], [2.0]]), torch.tensor([0, 0, 1, 1])
    >>> fitted = fit_logistic(x, labels, torch.tensor([0.1, 10.0]), classes=2)
    >>> fitted.predict(torch.tensor([[-3.0], [3.0]])).tolist()
    [[0, 1], [0, 1]]
    """
    _check(x, labels, strengths, classes)
    problems, n, dim = len(strengths), x.shape[-2], x.shape[-1]
    labels, strengths = labels.expand(problems, -1), strengths.to(x)
    device = faster_device(x.device, flops=4 * problems * n * dim * classes)
    points, labels, strengths = x.to(device), labels.to(device), strengths.to(device)
    sets = points[None] if points.ndim == 2 else points
    weight, bias, objective, converged = _solve(sets, labels, strengths, classes, tolerance, iterations)
    # Scores are added up over the steps: points far from 0 lose more by rounding than the descent can see.
    largest = [part.abs().flatten(1).amax(1) for part in logistic_gradient(points, labels, strengths, weight, bias)]
    converged &= torch.maximum(*largest) <= _ROUNDING * tolerance
    return Logistic(*(part.to(x.device) for part in (weight, bias, objective, converged)))


def _scores(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """(P, N, C) scores of (N, D) or (P, N, D)."""
    if x.ndim == 3:
        return stacked_product(x, weight)[:, :, 0] + bias[:, None]
    return stacked_product(x[None], weight)[0].transpose(0, 1) + bias[:, None]


def _solve(
    x: Tensor,
    labels: Tensor,
    strengths: Tensor,
    classes: int,
    tolerance: float,
    iterations: int,
    *,
    own_basis: bool = False,
) -> tuple[Tensor, ...]:
    """Fields of `Logistic` for points (G, N, D), G = P or 1."""
    if x.device.type == "cpu" and 2 * x.shape[1] <= x.shape[2]:
        basis = torch.linalg.qr(x.mT.to(torch.promote_types(x.dtype, torch.float32))).Q.to(x)  # (G, D, N)
        weight, *others = _solve(x @ basis, labels, strengths, classes, tolerance, iterations, own_basis=True)
        return weight @ basis.mT, *others
    exact = torch.cat([x, torch.ones_like(x[:, :, :1])], 2)
    rough = has_fast_bfloat16(x)
    first = exact.to(torch.bfloat16) if rough else exact
    problems = Problems.start(first, labels, strengths, classes, own_basis=own_basis)
    parameters = problems.parameters.clone()
    objective = torch.empty_like(problems.loss)
    converged = torch.zeros(len(strengths), dtype=torch.bool, device=x.device)
    if rough:
        for _ in range(min(_ROUGH, iterations)):
            if (problems.solved(tolerance) | problems.stuck).any():
                break
            problems.step()
        problems.use(exact)
    del exact, first  # else held beside the rotated points of all
    for done in problems.descend(tolerance, iterations):
        parameters[done.index], objective[done.index] = done.rotated_back(done.parameters), done.objective
        converged[done.index] = done.solved(tolerance)
    return parameters[:, :, :-1].contiguous(), parameters[:, :, -1], objective, converged


def _check(x: Tensor, labels: Tensor, strengths: Tensor, classes: int) -> None:
    problems = len(strengths)
    if x.ndim not in (2, 3) or x.shape[:-2] not in ((), (problems,)) or not x.numel():
        msg = f"x must be (N, D) or ({problems}, N, D), got {tuple(x.shape)}"
        raise ValueError(msg)
    if labels.shape not in ((x.shape[-2],), (problems, x.shape[-2])):
        msg = f"labels must be ({x.shape[-2]},) or ({problems}, {x.shape[-2]}), got {tuple(labels.shape)}"
        raise ValueError(msg)
    expect_points(x, labels, classes)
    if strengths.ndim != 1 or not bool((strengths > 0).all()):
        msg = f"strengths must be (P,) and positive, got {tuple(strengths.shape)} {strengths.tolist()}"
        raise ValueError(msg)
