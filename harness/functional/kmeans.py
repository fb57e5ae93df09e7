"""Lloyd's k-means from k-means++ starts, once for each seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.functional.batched_lloyd import batched_lloyd
from harness.functional.finite import all_finite
from harness.functional.plus_plus import plus_plus
from harness.functional.product import product

SAMPLE = 32
"""Points a cluster among which starts are sought, when there are more."""
_ELEMENTS = 2**22  # of the block of distances or differences that is held at a time


@dataclass(frozen=True, slots=True)
class KMeans:
    """R clusterings of the same N points."""

    assignments: Tensor
    """(R, N) int64: the cluster of each point, in [0, K)."""
    inertia: Tensor
    """(R,) float64: the sum of squared distances of the points to their centres."""
    centres: Tensor
    """(R, K, D), of the points' type."""


def kmeans(x: Tensor, k: int, seeds: Sequence[int], *, iterations: int = 300) -> KMeans:
    """Cluster the points `x` (N, D) into `k` clusters, once for each seed.

    Starts from `kmeans_plus_plus` among at most `SAMPLE` points a cluster, the same for all seeds, and iterates until
    no assignment changes, or `iterations` times. A cluster that loses all its points is restarted at the point farthest
    from its own centre (the second such cluster at the second farthest, and so on), as in scikit-learn; clusters stay
    empty only when there are fewer different points than clusters. A seed's result is the same on its own and among
    others, up to floating-point rounding. Memory grows linearly in N.

    Raises:
        ValueError: when `x` is not a finite floating-point (N, D), k is not in [1, N], there is no seed, or
            `iterations` is below 1.

    >>> result = kmeans(torch.tensor([[0.0], [0.1], [5.0], [5.1]]), 2, seeds=[0, 1])
    >>> result.assignments[:, 0].eq(result.assignments[:, 1]).tolist(), [round(i, 3) for i in result.inertia.tolist()]
    ([True, True], [0.01, 0.01])
    """
    _check(x, k, seeds)
    if iterations < 1:
        msg = f"iterations must be at least 1, got {iterations}"
        raise ValueError(msg)
    scaled, mean, scale = _centred(x)
    sample = _sample(scaled, SAMPLE * k)
    starts = sample[plus_plus(sample, k, seeds)]  # (R, K, D)
    if x.device.type == "cpu":
        fitted = [lloyd(scaled, start, iterations=iterations) for start in starts]
        centres, assignments = (torch.stack(parts) for parts in zip(*fitted, strict=True))
    else:
        centres, assignments = batched_lloyd(scaled, starts, iterations=iterations)
    inertia = torch.stack([_inertia(scaled, *fit) for fit in zip(centres, assignments, strict=True)])
    return KMeans(assignments, inertia * scale.to(torch.float64).square(), centres * scale + mean)


def kmeans_plus_plus(x: Tensor, k: int, seeds: Sequence[int]) -> Tensor:
    """Draw starts for k-means: (R, K) indices of points of `x` (N, D), for R seeds.

    Each next centre is drawn with a probability proportional to the squared distance to the nearest centre so far;
    of 2 + floor(ln k) candidates the one that lowers the inertia most is kept.

    Source: Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007, section 2, and the
    greedy variant of section 5.

    Raises:
        ValueError: as in `kmeans`.
    """
    _check(x, k, seeds)
    return plus_plus(_centred(x)[0], k, seeds)


def lloyd(x: Tensor, centres: Tensor, *, iterations: int = 300) -> tuple[Tensor, Tensor]:
    """Run Lloyd's iterations on points `x` (N, D), starting from `centres` (K, D).

    Returns centres (K, D), and the cluster of each point (N,) int64.

    The rule of `kmeans` for empty clusters holds. Points far from 0 for their spread should be centred first, as
    `kmeans` does.

    Source: Lloyd, "Least squares quantization in PCM", IEEE Transactions on Information Theory 1982.

    >>> lloyd(torch.tensor([[0.0], [1.0], [5.0]]), torch.tensor([[1.0], [2.0]]))
    (tensor([[0.5000],
            [5.0000]]), tensor([0, 0, 1]))
    """
    if x.device.type != "cpu":  # what is saved below by looking at the data costs a device more than comparing anew
        moved_centres, clusters = batched_lloyd(x, centres[None], iterations=iterations)
        return moved_centres[0], clusters[0]
    new = torch.ones(len(centres), dtype=torch.bool, device=x.device)
    assigned = _search(x, centres)
    centres = _means(x, centres, new, assigned)
    for _ in range(iterations - 1):
        before = assigned.nearest.clone()
        _update(x, centres, new, assigned)
        moved = (assigned.nearest != before).nonzero().squeeze(1)
        if not len(moved):
            break
        # In the second half of the iterations most clusters keep their members, hence their centres.
        new = torch.zeros_like(new)
        new[assigned.nearest[moved]] = True
        new[before[moved]] = True
        centres = _means(x, centres, new, assigned)
    return centres, assigned.nearest


@dataclass(frozen=True, slots=True)
class _Assignment:
    """Nearest centres by the score |c|^2 - 2xc, which orders as the distance does."""

    nearest: Tensor
    """(N,) int64 nearest centre of each point."""
    scores: Tensor
    """(N,) score of the nearest centre."""
    others: Tensor
    """(N,) lower bound on the score of any other centre."""


def _check(x: Tensor, k: int, seeds: Sequence[int]) -> None:
    if x.ndim != 2 or not x.is_floating_point() or not all_finite(x):
        msg = f"x must be (N, D), floating point and finite, got {tuple(x.shape)} {x.dtype}"
        raise ValueError(msg)
    if not 1 <= k <= len(x):
        msg = f"k must be between 1 and the {len(x)} points, got {k}"
        raise ValueError(msg)
    if not len(seeds):
        msg = "at least one seed is needed"
        raise ValueError(msg)


def _centred(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Centre and scale points; returns them, their mean and their spread.

    Around 0 with unit spread, |x|^2 - 2xc + |c|^2 loses least.
    """
    mean = x.mean(0, dtype=torch.float64).to(x)
    centred = x - mean
    scale = centred.abs().mean(dtype=torch.float64).to(x)  # not of squares, which overflow
    scale = torch.where(scale > 0, scale, 1.0)
    return centred / scale, mean, scale


def _sample(x: Tensor, count: int) -> Tensor:
    if len(x) <= count:
        return x
    return x[torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:count].to(x.device)]


def _search(x: Tensor, centres: Tensor) -> _Assignment:
    """Compare all points with all centres."""
    assigned = _Assignment(torch.empty(len(x), dtype=torch.int64, device=x.device), *x.new_empty((2, len(x))))
    for part, block in _blocks(x, centres):
        assigned.scores[part], assigned.nearest[part] = block.min(1)
        assigned.others[part] = block.scatter_(1, assigned.nearest[part, None], torch.inf).amin(1)
    return assigned


def _update(x: Tensor, centres: Tensor, new: Tensor, assigned: _Assignment) -> None:
    """Update `assigned` to centres (K, D), of which those in `new` (K,) have changed.

    All points are compared with the changed centres; with the unchanged ones only those that may now be nearer to one
    of them than to their own.
    """
    index = new.nonzero().squeeze(1)
    place = new.cumsum(0) - 1  # of a changed centre among the changed ones
    for part, block in _blocks(x, centres[index]):
        nearest, scores, others = assigned.nearest[part], assigned.scores[part], assigned.others[part]
        own = new[nearest].nonzero().squeeze(1)
        columns = place[nearest[own]]
        scores[own] = block[own, columns]
        block[own, columns] = torch.inf
        least = block.amin(1)
        # The index of a minimum costs ten times the minimum, so it is only looked for where it is needed.
        lost = (least < scores).nonzero().squeeze(1)
        left = block[lost]
        winner = left.argmin(1)
        second = left.scatter_(1, winner[:, None], torch.inf).amin(1)
        second = torch.minimum(torch.minimum(second, others[lost]), scores[lost])
        torch.minimum(others, least, out=others)
        nearest[lost], scores[lost], others[lost] = index[winner], least[lost], second
    doubtful = (assigned.scores > assigned.others).nonzero().squeeze(1)
    again = _search(x[doubtful], centres)
    assigned.nearest[doubtful], assigned.scores[doubtful] = again.nearest, again.scores
    assigned.others[doubtful] = again.others


def _blocks(x: Tensor, centres: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Iterate over scores |c|^2 - 2xc of n points and all centres, (n, K)."""
    norms = centres.square().sum(1)
    step = max(1, _ELEMENTS // max(1, len(centres)))
    for start in range(0, len(x), step):
        part = slice(start, start + step)
        yield part, product(x[part], -2 * centres.mT, norms)


def _means(x: Tensor, centres: Tensor, new: Tensor, assigned: _Assignment) -> Tensor:
    """(K, D) means of the `new` (K,) clusters beside the other `centres`.

    Empty clusters go to the points farthest from their centres, and are marked in `new`.
    """
    members, order = assigned.nearest.sort(stable=True)
    bounds = torch.searchsorted(members, torch.arange(len(new) + 1, device=x.device))
    counts = bounds.diff()
    if not new.all():
        order = order[new[members]]
    # Bags of points in a fixed order, and not a scatter: the same sum of floats every time, on every device.
    offsets = F.pad(counts[new].cumsum(0), (1, 0))
    sums = F.embedding_bag(order, x, offsets, mode="sum", include_last_offset=True)
    centres = centres.index_copy(0, new.nonzero().squeeze(1), sums / counts[new].clamp(min=1)[:, None])
    empty = counts == 0
    if empty.any():
        centres[empty] = x[(assigned.scores + x.square().sum(1)).topk(int(empty.sum())).indices]
        new |= empty
    return centres


def _inertia(x: Tensor, centres: Tensor, nearest: Tensor) -> Tensor:
    """Sum of squared distances, a float64 scalar.

    From differences: sums of products would lose what is small beside the spread of the points.
    """
    step = max(1, _ELEMENTS // x.shape[1])
    parts = [
        (centres[nearest[start : start + step]] - x[start : start + step]).square_().sum(1).sum(dtype=torch.float64)
        for start in range(0, len(x), step)
    ]
    return torch.stack(parts).sum()
