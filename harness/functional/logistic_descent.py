"""Descent of many logistic regressions in one batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from harness.functional.lbfgs import InverseHessians
from harness.functional.product import product, stacked_product, stacked_transposed_product

_HISTORY = 6
_ARMIJO = 1e-4
_HALVINGS = 30
_PLAIN_STEPS = 10
"""Number of steps in which well-conditioned problems are solved."""
_SMALL = 5 * 10**7
"""Floating-point operations of a step of which hundreds take a moment only."""
_SAVED = 1 / 2
"""Share of the further steps that the axes save at least where they matter."""
_WAIT_OF_GPU = 50
"""Steps that a GPU may make while it finds axes; assumed, not measured."""
_CURVATURE = 1 / 32
"""Typical curvature on the way to the optimum, as a share of that at the start.

Of 1/8 to 1/128, tried on points of steep and flat spectra and on images of digits, it was within a fifth of the fewest
steps.
"""


@dataclass(slots=True)
class Problems:
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
    first: Tensor
    """(P,) largest entry of the gradient at the start."""
    own_basis: bool
    """Each set's D numbers are of a basis of its own."""
    axes: Tensor | None = None
    """(D, D) of all numbers, (G, D, D) of own bases; None before they are found."""
    steps: int = 0

    @classmethod
    def start(cls, x: Tensor, labels: Tensor, strengths: Tensor, classes: int, *, own_basis: bool) -> Problems:
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
            first=strengths,
            own_basis=own_basis,
        )
        problems._evaluate()
        problems.first = problems.gradient.abs().amax((1, 2))
        return problems

    def at(self, keep: Tensor) -> Problems:
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
            first=self.first[keep],
            axes=self.axes if self.axes is None or self.axes.ndim == 2 or shared else self.axes[keep],
        )

    @property
    def objective(self) -> Tensor:
        """(P,) float64."""
        weights = self.parameters[:, :, :-1]
        return self.loss + self.strengths[:, 0, 0] * _dot(weights, weights) / 2

    def solved(self, tolerance: float) -> Tensor:
        """(P,) bool: the largest entry of the gradient is at most `tolerance`."""
        if self.axes is not None:
            # A row's largest entry is at least its length over the root of their number, along any axes.
            least: Tensor = self.gradient.norm(dim=2).amax(1) / self.gradient.shape[2] ** 0.5
            if not (least <= tolerance).any():
                return least <= tolerance
        return self.rotated_back(self.gradient).abs().amax((1, 2)) <= tolerance

    def use(self, x: Tensor) -> None:
        """Go on with the same points in another precision."""
        self.x = x
        self.scores = stacked_product(self.x, self.parameters)
        self.residual = torch.empty_like(self.scores)
        self.stuck = torch.zeros_like(self.stuck)
        self._evaluate()

    def rotated_back(self, numbers: Tensor) -> Tensor:
        """Give parameters or gradients (P, C, D + 1) by the original dimensions."""
        return numbers if self.axes is None else _rotated(numbers, self.axes.mT)

    def rotate(self) -> None:
        """Go on along the principal axes, scaled by the curvature expected of each."""
        points, limits = self.x[:, :, :-1], torch.finfo(self.x.dtype)
        trace = points.square().sum((1, 2), keepdim=True).div_(points.shape[1]).clamp(limits.tiny, limits.max)
        points = points / trace.sqrt()  # so that sets count alike
        if not self.own_basis:
            points = points.flatten(0, 1)
        moment = product(points.mT, points).div_(points.shape[-2])
        squares, axes = torch.linalg.eigh(moment)
        axes *= moment.diagonal(dim1=-2, dim2=-1)[..., None] != 0  # else rounding gives weights to dimensions of zeros
        rotated = product(points, axes).view_as(self.x[:, :, :-1]) * trace.sqrt()
        self.axes = axes
        self.x = torch.cat([rotated, self.x[:, :, -1:]], 2)
        self.parameters = _rotated(self.parameters, self.axes)
        self.gradient = self._gradient()
        share = _CURVATURE / self.scores.shape[3]
        curvature = squares.clamp(min=0).view(-1, 1, squares.shape[-1]) * trace * share + self.strengths
        scale = (
            torch.cat([curvature, torch.full_like(curvature[:, :, :1], share)], 2).rsqrt().expand_as(self.parameters)
        )
        self.hessians = InverseHessians(self.gradient.flatten(1), _HISTORY, scale.flatten(1))

    def _axes_pay(self, tolerance: float, iterations: int) -> bool:
        """Compare the cost of axes with that of the steps that they may save."""
        sets, n, dim = self.x.shape
        if 4 * self.scores.numel() * dim < _SMALL:
            return False
        found = sets if self.own_basis else 1
        now = self.gradient.abs().amax((1, 2))
        pace = (self.first / now).log().clamp(min=0.1)
        further = (self.steps * (now / tolerance).log() / pace).nan_to_num(0.0, posinf=iterations)
        further = further.clamp(0, iterations - self.steps)
        saved = _SAVED * float(further.mean()) - _WAIT_OF_GPU * self.x.is_cuda
        return dim * (sets * n + 10 * dim * found) <= saved * self.scores.numel()

    def descend(self, tolerance: float, iterations: int) -> Iterator[Problems]:
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
            precise = problems.x.dtype.itemsize >= 4  # half precision would round along the axes what is small
            if problems.steps == _PLAIN_STEPS and precise and problems._axes_pay(tolerance, iterations):
                problems.rotate()
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


def _rotated(numbers: Tensor, axes: Tensor) -> Tensor:
    """Give the first D of the numbers (..., D + 1) by axes (D, D) or (1 or ..., D, D)."""
    places = numbers[..., :-1]
    rotated = (
        product(places.flatten(0, 1), axes) if axes.ndim == 2 else product(places, axes.expand(len(places), -1, -1))
    )
    return torch.cat([rotated.view_as(places), numbers[..., -1:]], 2)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum(2).sum(1, dtype=torch.float64)
