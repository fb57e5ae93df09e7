"""Multinomial logistic regression with an L2 penalty, many problems in one batch."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from harness.functional.linear import LinearClassifiers, expect_points
from harness.functional.product import stacked_product, stacked_transposed_product

_HISTORY = 6
_ARMIJO = 1e-4
_HALVINGS = 30
_ROUGH = 10
"""Number of first steps that may multiply in bfloat16; later its rounding shows."""


class Logistic(LinearClassifiers):
    """P logistic regressions; converged where the gradient fell below the tolerance."""

    def predict(self, x: Tensor) -> Tensor:
        """(P, N) int64 most probable classes of `x`, (N, D) or (P, N, D)."""
        return (stacked_product(x, self.weight.mT) + self.bias[:, None]).argmax(2)


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
    scores = stacked_product(x, weight.mT) + bias[:, None]
    penalty = weight.to(torch.float64).square().sum((1, 2)) / 2
    return _loss(scores.log_softmax(2), labels.expand(len(weight), -1)) + strengths * penalty


def logistic_gradient(
    x: Tensor, labels: Tensor, strengths: Tensor, weight: Tensor, bias: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradient of `logistic_objective` by `weight` (P, C, D) and `bias` (P, C).

    Arguments as there.
    """
    probabilities = (stacked_product(x, weight.mT) + bias[:, None]).softmax(2)
    parameters = torch.cat([weight.mT, bias[:, None]], 1)
    gradient = _gradient(x, labels.expand(len(weight), -1), strengths, parameters, probabilities)
    return gradient[:, :-1].mT, gradient[:, -1]


def fit_logistic(
    x: Tensor, labels: Tensor, strengths: Tensor, *, classes: int, tolerance: float = 1e-6, iterations: int = 1000
) -> Logistic:
    """Minimise `logistic_objective` for P problems at once, by full-batch L-BFGS.

    Each problem has its own line search, and is solved when the largest entry of its gradient is at most `tolerance`,
    or when rounding allows no further descent. Where the device multiplies bfloat16 faster than float32, the first
    steps on float32 points do so; whether a problem is solved is judged in the points' own precision. When 2 N <= D
    the problems are solved in the span of their points, which holds the optimum.

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
    if 2 * x.shape[-2] <= x.shape[-1]:
        basis = torch.linalg.qr(x.mT).Q  # (..., D, N)
        fitted = fit_logistic(x @ basis, labels, strengths, classes=classes, tolerance=tolerance, iterations=iterations)
        return replace(fitted, weight=fitted.weight @ basis.mT)
    rough = _has_fast_bfloat16(x)
    start = x.to(torch.bfloat16) if rough else x
    problems = _Problems.start(start, labels.expand(len(strengths), -1), strengths.to(x), classes)
    if rough:
        for _ in range(min(_ROUGH, iterations)):
            if (problems.solved(tolerance) | problems.stuck).any():
                break
            problems.descend()
        problems.use(x)
    solution = problems.parameters.clone()
    objective = problems.objective.clone()
    converged = torch.zeros(len(strengths), dtype=torch.bool, device=x.device)
    index = torch.arange(len(strengths), device=x.device)
    for _ in range(iterations):
        leaving = problems.solved(tolerance) | problems.stuck
        if 4 * leaving.sum() >= len(index):  # fewer would not pay the copy of the others
            left = index[leaving]
            converged[left] = problems.solved(tolerance)[leaving]
            solution[left], objective[left] = problems.parameters[leaving], problems.objective[leaving]
            index = index[~leaving]
            if not len(index):
                break
            problems = problems.at(~leaving)
        problems.descend()
    else:
        solution[index], objective[index] = problems.parameters, problems.objective
        converged[index] = problems.solved(tolerance)
    return Logistic(solution[:, :-1].mT.contiguous(), solution[:, -1], objective, converged)


def _has_fast_bfloat16(x: Tensor) -> bool:
    """Check for bfloat16 in hardware; elsewhere torch multiplies it slowly."""
    if x.dtype != torch.float32:
        return False
    if x.is_cuda:
        return torch.cuda.get_device_capability(x.device) >= (8, 0)
    return x.device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()


# What follows runs in the space of (D + 1, C) matrices of parameters, the transposed weights above the biases.


@dataclass(slots=True)
class _Problems:
    """Problems still in the batch, each at its current point."""

    x: Tensor
    labels: Tensor
    strengths: Tensor
    parameters: Tensor
    """(P, D + 1, C): the transposed weights above the biases."""
    logs: Tensor
    """(P, N, C) logarithms of the probabilities."""
    probabilities: Tensor
    objective: Tensor
    gradient: Tensor
    stuck: Tensor
    history: list[tuple[Tensor, Tensor, Tensor]] = field(default_factory=list)
    """Steps, changes of the gradient and inverses of their products, oldest first."""

    @classmethod
    def start(cls, x: Tensor, labels: Tensor, strengths: Tensor, classes: int) -> _Problems:
        """Start at the optimum of an infinite strength.

        It has zero weights, and the class frequencies as biases.
        """
        count, n = labels.shape
        frequencies = strengths.new_zeros(count, classes)
        frequencies.scatter_add_(1, labels, torch.ones_like(labels, dtype=strengths.dtype)).div_(n)
        parameters = strengths.new_zeros(count, x.shape[-1] + 1, classes)
        parameters[:, -1] = frequencies.log()
        logs = parameters[:, -1:].log_softmax(2).repeat(1, n, 1)
        probabilities = logs.exp()
        gradient = _gradient(x, labels, strengths, parameters, probabilities)
        stuck = torch.zeros(count, dtype=torch.bool, device=x.device)
        return cls(x, labels, strengths, parameters, logs, probabilities, _loss(logs, labels), gradient, stuck)

    def at(self, keep: Tensor) -> _Problems:
        """Select the problems where `keep` (P,) holds."""
        return replace(
            self,
            x=self.x if self.x.ndim == 2 else self.x[keep],
            labels=self.labels[keep],
            strengths=self.strengths[keep],
            parameters=self.parameters[keep],
            logs=self.logs[keep],
            probabilities=self.probabilities[keep],
            objective=self.objective[keep],
            gradient=self.gradient[keep],
            stuck=self.stuck[keep],
            history=[(s[keep], y[keep], inverse[keep]) for s, y, inverse in self.history],
        )

    def solved(self, tolerance: float) -> Tensor:
        """(P,) bool: the largest entry of the gradient is at most `tolerance`."""
        return self.gradient.abs().amax((1, 2)) <= tolerance

    def use(self, x: Tensor) -> None:
        """Go on with the same points in another precision."""
        self.x = x
        self.logs = (stacked_product(x, self.parameters[:, :-1]) + self.parameters[:, -1:]).log_softmax(2)
        self.probabilities = self.logs.exp()
        weights = self.parameters[:, :-1]
        self.objective = _loss(self.logs, self.labels) + self.strengths * _dot(weights, weights) / 2
        self.gradient = _gradient(x, self.labels, self.strengths, self.parameters, self.probabilities)
        self.stuck = torch.zeros_like(self.stuck)

    def descend(self) -> None:
        """Step each problem along the L-BFGS direction, halving until it descends.

        The first try is a Newton step along that direction.
        """
        direction = self._direction()
        slope = _dot(self.gradient, direction)
        change = stacked_product(self.x, direction[:, :-1])
        change += direction[:, -1:]  # of the scores, for a step of 1
        weights, along = self.parameters[:, :-1], direction[:, :-1]
        linear, square = self.strengths * _dot(weights, along), self.strengths * _dot(along, along)
        loss = self.objective - self.strengths * _dot(weights, weights) / 2
        # From here to the end of the step the memory of the probabilities holds other things: new memory costs more
        # than what is computed in it.
        weighted = self.probabilities.mul_(change)
        mean = weighted.sum(2)
        variance = weighted.mul_(change).sum(2) - mean.square()
        curvature = variance.mean(1, dtype=torch.float64) + square
        step = -slope / curvature.clamp(min=torch.finfo(torch.float32).tiny)
        slack = 8 * torch.finfo(change.dtype).eps * self.objective.abs()
        for _ in range(_HALVINGS):
            scores = torch.addcmul(self.logs, step.to(change)[:, None, None], change, out=self.probabilities)
            logs = scores.log_softmax(2)
            gain = _loss(logs, self.labels) - loss + step * linear + step.square() * square / 2
            descends = gain <= _ARMIJO * step * slope + slack
            if descends.all():
                break
            step = torch.where(descends, step, step / 2)
        self.stuck = ~descends
        self._move(torch.where(descends, step, 0.0).to(change)[:, None, None] * direction, logs, gain)

    def _move(self, step: Tensor, logs: Tensor, gain: Tensor) -> None:
        self.parameters = self.parameters + step
        self.logs, self.probabilities = logs, torch.exp(logs, out=self.probabilities)
        self.objective = self.objective + gain
        gradient = _gradient(self.x, self.labels, self.strengths, self.parameters, self.probabilities)
        difference = gradient - self.gradient
        rise = _dot(step, difference)
        inverse = torch.where(rise > 0, 1 / rise, 0.0).to(step)  # 0 ignores a pair that rounding spoilt
        self.history = [*self.history, (step, difference, inverse)][-_HISTORY:]
        self.gradient = gradient

    def _direction(self) -> Tensor:
        direction = -self.gradient
        factors = []
        for step, difference, inverse in reversed(self.history):
            factor = (inverse * _dot(step, direction).to(step))[:, None, None]
            factors.append(factor)
            direction.addcmul_(factor, difference, value=-1)
        if self.history:
            _, difference, inverse = self.history[-1]
            curvature = inverse * _dot(difference, difference).to(inverse)
            direction /= torch.where(curvature > 0, curvature, 1.0)[:, None, None]
        for (step, difference, inverse), factor in zip(self.history, reversed(factors), strict=True):
            back = (inverse * _dot(difference, direction).to(step))[:, None, None]
            direction.addcmul_(factor - back, step)
        uphill = _dot(self.gradient, direction) >= 0
        return torch.where(uphill[:, None, None], -self.gradient, direction)


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


def _gradient(x: Tensor, labels: Tensor, strengths: Tensor, parameters: Tensor, probabilities: Tensor) -> Tensor:
    """(P, D + 1, C) gradient of the objective."""
    residual = probabilities.scatter_add(2, labels[:, :, None], -torch.ones_like(probabilities[:, :, :1]))
    by_weights, by_bias = stacked_transposed_product(x, residual), residual.sum(1, keepdim=True)
    gradient = torch.cat([by_weights, by_bias], 1) / labels.shape[1]
    gradient[:, :-1] += strengths[:, None, None] * parameters[:, :-1]
    return gradient


def _loss(logs: Tensor, labels: Tensor) -> Tensor:
    """(P,) float64 mean cross-entropy of log-probabilities."""
    return -logs.gather(2, labels[:, :, None]).squeeze(2).mean(1, dtype=torch.float64)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(2).sum(1, dtype=torch.float64)
