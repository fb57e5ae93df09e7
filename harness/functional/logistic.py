"""Multinomial logistic regression with an L2 penalty, many problems in one batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from harness.functional.lbfgs import InverseHessians
from harness.functional.linear import LinearClassifiers, expect_points
from harness.functional.placement import faster_device, has_fast_bfloat16
from harness.functional.product import product, stacked_product, stacked_transposed_product

_HISTORY = 6
_ARMIJO = 1e-4
_HALVINGS = 30
_ROUGH = 10
"""Number of first steps that may multiply in bfloat16; later its rounding shows."""
_EASY = 10
"""Number of steps in which well-conditioned problems are solved; others go on in the axes of their points."""
_PAYS = 100
"""Steps that the axes of the points may cost."""
_FITTED = 1 / 32
"""Share of its curvature at the start that the loss is expected to have on the way to the optimum."""


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
    residual = residual.scatter_add(2, index, -torch.ones_like(residual[:, :, :1])) / residual.shape[1]
    return residual.mT @ x + strengths[:, None, None] * weight, residual.sum(1)


def fit_logistic(
    x: Tensor, labels: Tensor, strengths: Tensor, *, classes: int, tolerance: float = 1e-6, iterations: int = 1000
) -> Logistic:
    """Minimise `logistic_objective` for P problems at once, by full-batch L-BFGS.

    Each problem has its own line search, and is solved when the largest entry of its gradient is at most `tolerance`,
    or when rounding allows no further descent. Where the device multiplies bfloat16 faster than float32, float32 points
    are first multiplied so; whether a problem is solved is judged in the points' own precision. Problems that ten steps
    do not solve go on along the principal axes of all points, scaled by the curvature that they leave to expect, where
    finding them takes less than it saves: features of a network vary by orders of magnitude. On a CPU with 2 N <= D
    the problems are solved in the span of their points, which holds the optimum. Where small problems keep a GPU
    waiting for launches, the CPU solves them.

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
    points = x[None] if x.ndim == 2 else x
    solved = _solve(points.to(device), labels.to(device), strengths.to(device), classes, tolerance, iterations)
    return Logistic(*(part.to(x.device) for part in solved))


def _scores(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """(P, N, C) scores of (N, D) or (P, N, D)."""
    if x.ndim == 3:
        return stacked_product(x, weight)[:, :, 0] + bias[:, None]
    return stacked_product(x[None], weight)[0].transpose(0, 1) + bias[:, None]


def _solve(
    x: Tensor, labels: Tensor, strengths: Tensor, classes: int, tolerance: float, iterations: int
) -> tuple[Tensor, ...]:
    """Fields of `Logistic` for points (G, N, D), G = P or 1."""
    if x.device.type == "cpu" and 2 * x.shape[1] <= x.shape[2]:
        basis = torch.linalg.qr(x.mT).Q  # (G, D, N)
        weight, *others = _solve(x @ basis, labels, strengths, classes, tolerance, iterations)
        return weight @ basis.mT, *others
    exact = torch.cat([x, torch.ones_like(x[:, :, :1])], 2)
    rough = has_fast_bfloat16(x)
    problems = _Problems.start(exact.to(torch.bfloat16) if rough else exact, labels, strengths, classes)
    parameters = problems.parameters.clone()
    objective = torch.empty_like(problems.loss)
    converged = torch.zeros(len(strengths), dtype=torch.bool, device=x.device)
    if rough:
        for _ in range(min(_ROUGH, iterations)):
            if (problems.solved(tolerance) | problems.stuck).any():
                break
            problems.step()
        problems.use(exact)
    for done in problems.descend(tolerance, iterations):
        parameters[done.index], objective[done.index] = done.turned_back(done.parameters), done.objective
        converged[done.index] = done.solved(tolerance)
    return parameters[:, :, :-1].contiguous(), parameters[:, :, -1], objective, converged


@dataclass(slots=True)
class _Problems:
    """P problems on G sets of points, each at its current point; G is P or 1.

    The last of the D + 1 numbers of a point is 1, that of the weights the bias.
    """

    index: Tensor
    """(P,) positions among all problems."""
    x: Tensor
    """(G, N, D + 1)."""
    labels: Tensor
    """(G, N, P / G, 1)."""
    strengths: Tensor
    """(P, 1, 1)."""
    parameters: Tensor
    """(P, C, D + 1)."""
    scores: Tensor
    """(G, N, P / G, C)."""
    residual: Tensor
    """(G, N, P / G, C) probabilities, less 1 at the labels."""
    loss: Tensor
    """(P,) float64 mean cross-entropy."""
    gradient: Tensor
    stuck: Tensor
    """(P,) bool: the latest line search found no descent."""
    hessians: InverseHessians
    axes: Tensor | None = None
    """(D, D) of which the points, parameters and gradient are coordinates, where not of unit vectors."""
    steps: int = 0

    @classmethod
    def start(cls, x: Tensor, labels: Tensor, strengths: Tensor, classes: int) -> _Problems:
        """Start at the optimum of an infinite strength.

        It has zero weights, and the class frequencies as biases.
        """
        count, n = labels.shape
        sets = len(x)
        frequencies = strengths.new_zeros(count, classes)
        frequencies.scatter_add_(1, labels, torch.ones_like(labels, dtype=strengths.dtype)).div_(n)
        parameters = strengths.new_zeros(count, classes, x.shape[2])
        parameters[:, :, -1] = frequencies.log()
        scores = parameters[:, :, -1].view(sets, 1, -1, classes).repeat(1, n, 1, 1)
        index = labels.view(sets, -1, n).mT[..., None].contiguous()
        problems = cls(
            index=torch.arange(count, device=x.device),
            x=x,
            labels=index,
            strengths=strengths[:, None, None],
            parameters=parameters,
            scores=scores,
            residual=torch.empty_like(scores),
            loss=torch.empty(count, dtype=torch.float64, device=x.device),
            gradient=parameters,
            stuck=torch.zeros(count, dtype=torch.bool, device=x.device),
            hessians=InverseHessians(torch.zeros_like(parameters).flatten(1), _HISTORY),
        )
        problems._evaluate()
        return problems

    def at(self, keep: Tensor) -> _Problems:
        """Select the problems where `keep` (P,) holds."""
        shared = len(self.x) == 1
        return replace(
            self,
            index=self.index[keep],
            x=self.x if shared else self.x[keep],
            labels=self.labels[:, :, keep] if shared else self.labels[keep],
            strengths=self.strengths[keep],
            parameters=self.parameters[keep],
            scores=self.scores[:, :, keep] if shared else self.scores[keep],
            residual=self.residual[:, :, keep] if shared else self.residual[keep],
            loss=self.loss[keep],
            gradient=self.gradient[keep],
            stuck=self.stuck[keep],
            hessians=self.hessians.select(keep),
        )

    @property
    def objective(self) -> Tensor:
        """(P,) float64."""
        weights = self.parameters[:, :, :-1]
        return self.loss + self.strengths[:, 0, 0] * _dot(weights, weights) / 2

    def solved(self, tolerance: float) -> Tensor:
        """(P,) bool: the largest entry of the gradient is at most `tolerance`."""
        return self.turned_back(self.gradient).abs().amax((1, 2)) <= tolerance

    def use(self, x: Tensor) -> None:
        """Go on with the same points in another precision."""
        self.x = x
        self.scores = stacked_product(self.x, self.parameters)
        self.residual = torch.empty_like(self.scores)
        self.stuck = torch.zeros_like(self.stuck)
        self._evaluate()

    def turned_back(self, numbers: Tensor) -> Tensor:
        """Give parameters or gradients (P, C, D + 1) by the dimensions in which the points came."""
        return numbers if self.axes is None else _turned(numbers, self.axes.mT)

    def turn(self) -> None:
        """Go on in the principal axes of the points, scaled by the curvature that is likely along each."""
        points = self.x[:, :, :-1].flatten(0, 1)
        squares, self.axes = torch.linalg.eigh(product(points.mT, points) / len(points))
        curvature = squares.clamp(min=0) * (_FITTED / self.scores.shape[3])
        of_bias = torch.full_like(self.strengths, _FITTED / self.scores.shape[3])
        scale = torch.cat([curvature + self.strengths, of_bias], 2).rsqrt().expand_as(self.parameters)
        self.x = _turned(self.x, self.axes)
        self.parameters = _turned(self.parameters, self.axes)
        self.gradient = self._gradient()
        self.hessians = InverseHessians(self.gradient.flatten(1), _HISTORY, scale.flatten(1))

    def _axes_pay(self) -> bool:
        """Compare what finding the axes and turning the points takes with steps."""
        sets, n, dim = self.x.shape
        return dim * (sets * n + 8 * dim) <= _PAYS * self.scores.numel()

    def descend(self, tolerance: float, iterations: int) -> Iterator[_Problems]:
        """Step all until they are solved, stuck or have made `iterations` steps.

        Yields groups as they are done.
        """
        problems = self
        while problems.steps < iterations:
            leaving = problems.solved(tolerance) | problems.stuck
            left = int(leaving.sum())
            if left == len(leaving):
                break
            if 4 * left >= len(leaving):  # fewer would not pay the copy of the others
                yield problems.at(leaving)
                problems = problems.at(~leaving)
            if problems.steps >= _EASY and problems.axes is None and problems._axes_pay():
                problems.turn()
            problems.step()
        yield problems

    def step(self) -> None:
        """Step each problem along the L-BFGS direction, halving until it descends.

        The first try is a Newton step along that direction.
        """
        direction = self.hessians.directions().view_as(self.gradient)
        slope = _dot(self.gradient, direction)
        change = stacked_product(self.x, direction)  # of the scores, for a step of 1
        weights, along, strengths = self.parameters[:, :, :-1], direction[:, :, :-1], self.strengths[:, 0, 0]
        linear, square = strengths * _dot(weights, along), strengths * _dot(along, along)
        step = -slope / (self._curvature(change) + square).clamp(min=torch.finfo(torch.float32).tiny)
        self.scores.addcmul_(change, self._per_score(step))
        loss = self._measure()
        slack = 8 * torch.finfo(change.dtype).eps * self.objective.abs()

        def descends() -> Tensor:
            gain = loss - self.loss + step * linear + step.square() * square / 2
            return gain <= _ARMIJO * step * slope + slack

        accepted = descends()
        if not accepted.all():
            loss = self._exact_loss()  # the fast one is infinite where a probability is 0
            for _ in range(_HALVINGS):
                accepted = descends()
                if accepted.all():
                    break
                shorter = torch.where(accepted, step, step / 2)
                self.scores.addcmul_(change, self._per_score(shorter - step))
                step, loss = shorter, self._exact_loss()
            self.scores.addcmul_(change, self._per_score(torch.where(accepted, 0.0, -step)))
            step, loss = torch.where(accepted, step, 0.0), torch.where(accepted, loss, self.loss)
            self._measure()
        self.stuck = ~accepted
        self.loss = loss
        moved = direction.mul_(step.to(direction)[:, None, None])
        self.parameters = self.parameters + moved
        self.gradient = self._gradient()
        self.hessians.update(moved.flatten(1), self.gradient.flatten(1))
        self.steps += 1

    def _evaluate(self) -> None:
        self._measure()
        self.loss = self._exact_loss()
        self.gradient = self._gradient()
        self.hessians.correct(self.gradient.flatten(1))

    def _measure(self) -> Tensor:
        """Find the residual at the scores, and the loss.

        The loss is (P,) float64, infinite where a probability underflows.
        """
        torch.softmax(self.scores, 3, out=self.residual)
        own = self.residual.gather(3, self.labels)
        self.residual.scatter_add_(3, self.labels, torch.full_like(own, -1.0))
        return self._mean(-own.log())

    def _exact_loss(self) -> Tensor:
        return self._mean(-self.scores.log_softmax(3).gather(3, self.labels))

    def _gradient(self) -> Tensor:
        gradient = stacked_transposed_product(self.residual, self.x).div_(self.x.shape[1])
        gradient[:, :, :-1].addcmul_(self.strengths, self.parameters[:, :, :-1])
        return gradient

    def _curvature(self, change: Tensor) -> Tensor:
        """(P,) float64 second derivative of the loss along `change` of the scores.

        Spoils the residual.
        """
        own = change.gather(3, self.labels)
        weighted = self.residual.mul_(change)
        mean = weighted.sum(3, keepdim=True) + own
        return self._mean(weighted.mul_(change).sum(3, keepdim=True) + own.square() - mean.square())

    def _mean(self, of_points: Tensor) -> Tensor:
        """(P,) float64 mean of (G, N, P / G, 1) over points."""
        return of_points.mean((1, 3), dtype=torch.float64).flatten()

    def _per_score(self, of_problems: Tensor) -> Tensor:
        """(P,) -> (G, 1, P / G, 1), of the scores' type."""
        return of_problems.view(len(self.x), 1, -1, 1).to(self.scores)


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


def _turned(numbers: Tensor, axes: Tensor) -> Tensor:
    """Give the first D of the numbers (..., D + 1) by `axes` (D, D)."""
    turned = product(numbers[..., :-1].flatten(0, 1), axes).view_as(numbers[..., :-1])
    return torch.cat([turned, numbers[..., -1:]], 2)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(2).sum(1, dtype=torch.float64)
