"""One-vs-rest linear SVMs with a squared hinge, many costs and classes at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.functional.linear import LinearClassifiers, expect_points

_MEMORY = 2**25
"""Elements of the largest temporary tensor."""
_SEARCHES = 60
_ROUNDING = 16 * torch.finfo(torch.float64).eps
"""Share of a Gram matrix's trace that its eigenvalues may be off by."""


class Svm(LinearClassifiers):
    """P one-vs-rest machines; converged where the duality gap of every class did."""

    def predict(self, x: Tensor) -> Tensor:
        """(P, N) int64 classes of highest score of `x`, (N, D)."""
        return (x @ self.weight.mT + self.bias[:, None]).argmax(2)


def svm_objective(
    x: Tensor, labels: Tensor, costs: Tensor, weight: Tensor, bias: Tensor, *, positive_weight: float = 1.0
) -> Tensor:
    """Objective of P problems, (P,) float64.

    The sum over classes of (|w|^2 + b^2) / 2 + cost * sum_i s_i max(0, 1 - y_i (w x_i + b))^2.

    y_i is 1 for the points of the class, where s_i is `positive_weight`, and -1 for the rest, where s_i is 1.
    scikit-learn's `LinearSVC(C=cost)` minimises this, class after class, with weight 1.

    Args:
        x: (N, D) points.
        labels: (N,) int64 classes in [0, C).
        costs: (P,).
        weight: (P, C, D).
        bias: (P, C); a class of bias minus infinity adds nothing.
        positive_weight: of the loss of a class's own points.
    """
    sign, emphasis = _targets(labels, torch.arange(weight.shape[1], device=x.device), positive_weight, x.dtype)
    slack = (1 - sign * (x @ weight.mT + bias[:, None])).clamp(min=0)  # (P, N, C)
    penalty = weight.to(torch.float64).square().sum(2) + bias.to(torch.float64).square().nan_to_num(posinf=0.0)
    loss = (emphasis * slack.square()).sum(1, dtype=torch.float64)
    return (penalty / 2 + costs[:, None] * loss).sum(1)


def svm_gradient(
    x: Tensor, labels: Tensor, costs: Tensor, weight: Tensor, bias: Tensor, *, positive_weight: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Gradient of `svm_objective` by `weight` (P, C, D) and `bias` (P, C).

    Arguments as there.
    """
    sign, emphasis = _targets(labels, torch.arange(weight.shape[1], device=x.device), positive_weight, x.dtype)
    slack = (1 - sign * (x @ weight.mT + bias[:, None])).clamp(min=0)
    pull = 2 * costs[:, None, None] * emphasis * sign * slack  # (P, N, C)
    return weight - pull.mT @ x, bias - pull.sum(1)


def fit_svm(
    x: Tensor,
    labels: Tensor,
    costs: Tensor,
    *,
    classes: int,
    positive_weight: float = 1.0,
    tolerance: float = 1e-6,
    iterations: int = 100,
) -> Svm:
    """Minimise `svm_objective` for P costs by Newton steps with exact line search.

    All classes are solved in one batch.

    A step solves the least-squares problem of the points inside the margin. A class leaves the batch when its
    duality gap, which is half the squared norm of its gradient, is at most `tolerance` of its objective, or after
    `iterations`. The costs are solved in rising order, each from the solution of the one before: from zero, a high
    cost takes several times as many steps as the whole path. Works in float64, because the Hessians of high costs
    exceed float32. When N <= D the problems are solved in the span of their points, which holds the optimum: in
    coordinates from the Gram matrix, for which only some columns of `x` at a time are held in float64.

    Args:
        x: (N, D) points, with entries of the order of 1.
        labels: (N,) int64 classes in [0, `classes`).
        costs: (P,) of the loss, positive; scikit-learn's C.
        classes: C.
        positive_weight: of the loss of a class's own points; 2 in Goyal et al., ICCV 2019.
        tolerance: of the objective, relative.
        iterations: at most.

    Raises:
        ValueError: when shapes do not fit, `x` is not finite, a label is out of range, or a cost or
            `positive_weight` is not positive.

    Source: Keerthi and DeCoste, "A modified finite Newton method for fast solution of large scale linear SVMs",
    JMLR 2005.

    >>> x, labels = torch.tensor([[-2.0], [-1.0], [1.0], [2.0]]), torch.tensor([0, 0, 1, 1])
    >>> fitted = fit_svm(x, labels, torch.tensor([0.1, 10.0]), classes=2)
    >>> fitted.predict(torch.tensor([[-3.0], [3.0]])).tolist()
    [[0, 1], [0, 1]]
    """
    _check(x, labels, costs, classes, positive_weight)
    factor = _factor(x) if len(x) <= x.shape[1] else None
    # The bias is a weight like the others.
    data = _Data.of(torch.cat([x, x.new_ones(len(x), 1)], 1).to(torch.float64) if factor is None else factor)
    count, present = len(costs), labels.bincount().nonzero()[:, 0]
    solutions = data.x.new_zeros(count, data.x.shape[1], len(present))
    converged = torch.ones(count, dtype=torch.bool, device=x.device)
    size = max(1, _MEMORY // len(x))
    for first in range(0, len(present), size):
        part = slice(first, first + size)
        targets = _targets(labels, present[part], positive_weight, data.x.dtype)
        weights = torch.zeros_like(solutions[0, :, part])
        for position in costs.argsort().tolist():
            weights, done = _solve(data, *targets, float(costs[position]), weights, tolerance, iterations)
            solutions[position, :, part] = weights
            converged[position] &= done
    weight, bias = x.new_zeros(count, classes, x.shape[1]), x.new_full((count, classes), -torch.inf)
    if factor is None:
        weight[:, present], bias[:, present] = solutions[:, :-1].mT.to(x), solutions[:, -1].to(x)
    else:
        # One system: for several the factor is copied.
        flat = torch.linalg.solve_triangular(factor.mT, solutions.movedim(0, 1).flatten(1), upper=True)
        duals = flat.unflatten(1, (count, -1)).movedim(1, 0)  # (P, N, M)
        for columns in _columns(x):
            weight[:, present, columns] = (duals.mT @ x[:, columns].to(torch.float64)).to(x)
        bias[:, present] = duals.sum(1).to(x)
    objective = [  # one cost after the other, because the scores of all may not fit
        svm_objective(x, labels, cost[None], w[None], b[None], positive_weight=positive_weight)
        for cost, w, b in zip(costs.to(x), weight, bias, strict=True)
    ]
    return Svm(weight, bias, torch.cat(objective), converged)


def _factor(x: Tensor) -> Tensor:
    """Coordinates (N, N) float64 of points (N, D) and a column of ones in their span.

    Cholesky factor of their Gram matrix, raised by its rounding, as points may repeat or depend on each other.
    """
    gram = x.new_ones(len(x), len(x), dtype=torch.float64)  # of the ones
    for columns in _columns(x):
        part = x[:, columns].to(torch.float64)
        gram.addmm_(part, part.mT)
    gram.diagonal().add_(_ROUNDING * gram.trace())
    factor: Tensor = torch.linalg.cholesky(gram)
    return factor


def _columns(x: Tensor) -> Iterator[slice]:
    """Split the columns of `x` (N, D) into parts that fit the temporary tensor."""
    size = max(1, _MEMORY // len(x))
    return (slice(first, first + size) for first in range(0, x.shape[1], size))


# What follows runs on columns: the M classes of one cost.


@dataclass(frozen=True, slots=True)
class _Data:
    x: Tensor
    """(N, D) points."""
    gram: Tensor
    """(D, D) Gram matrix of the columns of x."""

    @classmethod
    def of(cls, x: Tensor) -> _Data:
        return cls(x, x.mT @ x)


def _solve(
    data: _Data, sign: Tensor, emphasis: Tensor, cost: float, start: Tensor, tolerance: float, iterations: int
) -> tuple[Tensor, bool]:
    """Solve M classes at one cost from `start` (D, M).

    Returns (D, M) weights for signs and emphases (N, M), and whether all converged.
    """
    solution = start.clone()
    index = torch.arange(start.shape[1], device=start.device)
    w, margin = start, 1 - sign * (data.x @ start)  # the loss is that of the margin's positive part
    for _ in range(iterations):
        curvature = 2 * cost * emphasis * (margin > 0)  # (N, M)
        gradient = w - data.x.mT @ (curvature * sign * margin)
        objective = (w.square().sum(0) + (curvature * margin.square()).sum(0)) / 2
        done = gradient.square().sum(0) / 2 <= tolerance * objective
        if done.any():
            solution[:, index[done]] = w[:, done]
            keep = ~done
            index, w = index[keep], w[:, keep]
            if not len(index):
                return solution, True
            sign, emphasis, margin, curvature = (t[:, keep] for t in (sign, emphasis, margin, curvature))
        direction = _least_squares(data, sign, curvature, 2 * cost) - w
        change = sign * (data.x @ direction)
        step = _line_search(margin, change, 2 * cost * emphasis, w, direction)
        w = w + step * direction
        margin = margin - step * change
    solution[:, index] = w
    return solution, False


def _line_search(margin: Tensor, change: Tensor, weight: Tensor, w: Tensor, direction: Tensor) -> Tensor:
    """(M,) steps to the minimum along `direction`, by safeguarded Newton.

    A Newton step that leaves the bracket is replaced by its middle.

    That derivative is increasing and linear in pieces, so this ends after few rounds.
    """
    linear, square = (w * direction).sum(0), direction.square().sum(0)
    low, high = torch.zeros_like(linear), torch.full_like(linear, torch.inf)
    step = torch.ones_like(linear)
    start = (linear - (weight * change * margin.clamp(min=0)).sum(0)).abs()
    for _ in range(_SEARCHES):
        rest = margin - step * change
        pull = weight * change * (rest > 0)
        slope = linear + step * square - (pull * rest).sum(0)
        if (slope.abs() <= 1e-6 * start).all():
            break
        low, high = torch.where(slope < 0, step, low), torch.where(slope > 0, step, high)
        newton = step - slope / (square + (pull * change).sum(0))
        inside = (newton > low) & (newton < high)
        middle = torch.where(high.isinf(), 2 * step, (low + high) / 2)
        step = torch.where(slope == 0, step, torch.where(inside, newton, middle))
    return step


def _least_squares(data: _Data, sign: Tensor, curvature: Tensor, full: float) -> Tensor:
    """Solve M least-squares problems: (D, M).

    Minima of |w|^2 / 2 + sum_i curvature_i (y_i - w x_i)^2 / 2, for signs and curvatures (N, M).

    Where more than half of the points count, their Gram matrix is that of all points at curvature `full`, less
    the difference. Where fewer points count than there are dimensions, the system has their size.
    """
    dim = data.x.shape[1]
    base = torch.where((curvature > 0).sum(0) > len(data.x) / 2, full, 0.0)
    counts = (curvature != base).sum(0)
    few = (base == 0) & (counts < dim)
    right = data.x.mT @ (curvature * sign)
    result = torch.empty_like(right)
    for columns in _alike(few.nonzero()[:, 0], counts, dim):
        rows, values = _packed(curvature[:, columns], 0)
        root = values.sqrt()
        points = root[..., None] * data.x[rows]  # (m, n, D)
        targets = root * sign[:, columns].mT.gather(1, rows)
        duals = _solve_positive(points @ points.mT, targets)
        result[:, columns] = (points.mT @ duals[..., None])[..., 0].mT
    for columns in _alike((~few).nonzero()[:, 0], counts, dim):
        rows, values = _packed(curvature[:, columns], base[columns])
        points = data.x[rows]
        gram = (values[..., None] * points).mT @ points + base[columns, None, None] * data.gram
        result[:, columns] = _solve_positive(gram, right[:, columns].mT).mT
    return result


def _solve_positive(gram: Tensor, right: Tensor) -> Tensor:
    """Solve (gram + 1) a = right, for (m, n, n) positive semidefinite and (m, n)."""
    gram.diagonal(dim1=1, dim2=2).add_(1)
    return torch.cholesky_solve(right[..., None], torch.linalg.cholesky(gram))[..., 0]


def _alike(columns: Tensor, counts: Tensor, dim: int) -> Iterator[Tensor]:
    """Split `columns` into parts of similar counts that fit the temporary tensor."""
    columns = columns[counts[columns].argsort(descending=True)]
    while len(columns):
        size = max(1, _MEMORY // (dim * (dim + int(counts[columns[0]]))))
        yield columns[:size]
        columns = columns[size:]


def _packed(values: Tensor, base: Tensor | float) -> tuple[Tensor, Tensor]:
    """Rows and differences where columns of `values` (N, m) differ from `base`.

    Both are (m, n), filled with 0.
    """
    difference = (values - base).mT
    column, row = difference.nonzero(as_tuple=True)
    counts = column.bincount(minlength=len(difference))
    place = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[column]
    rows = row.new_zeros(len(difference), int(counts.max()))
    packed = values.new_zeros(rows.shape)
    rows[column, place] = row
    packed[column, place] = difference[column, row]
    return rows, packed


def _targets(labels: Tensor, classes: Tensor, positive_weight: float, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """(N, M) signs, 1 for the column's class and -1 elsewhere, and loss weights."""
    own = (labels[:, None] == classes).to(dtype)
    return 2 * own - 1, 1 + (positive_weight - 1) * own


def _check(x: Tensor, labels: Tensor, costs: Tensor, classes: int, positive_weight: float) -> None:
    if x.ndim != 2 or not x.numel():
        msg = f"x must be (N, D) and not empty, got {tuple(x.shape)}"
        raise ValueError(msg)
    if labels.shape != (len(x),):
        msg = f"labels must be ({len(x)},), got {tuple(labels.shape)}"
        raise ValueError(msg)
    expect_points(x, labels, classes)
    if costs.ndim != 1 or not len(costs) or not bool((costs > 0).all()):
        msg = f"costs must be (P,) and positive, got {tuple(costs.shape)} {costs.tolist()}"
        raise ValueError(msg)
    if not positive_weight > 0:
        msg = f"positive_weight must be positive, got {positive_weight}"
        raise ValueError(msg)
