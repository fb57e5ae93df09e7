"""Encoding of sets of points by their soft residuals to all concepts: VLAD-all."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from scipy import optimize
from torch import Tensor

from harness.functional.product import product
from harness_dense_trajectories.encodings import nearest, normalise
from harness_dense_trajectories.rows import blocks, check_segments


@dataclass(frozen=True, slots=True, eq=False)
class Vlad:
    """VLAD-all with power, intra and L2 normalisation, equal to itself alone."""

    concepts: Tensor
    """(K, D)."""
    beta: float
    """Sharpness of the assignment, see `vlad_all`."""

    @property
    def dim(self) -> int:
        """K D."""
        return self.concepts.numel()

    def __call__(self, x: Tensor, segments: Tensor) -> Tensor:
        """Encode sets of codes `x` (N, D), cut by `segments` (V + 1,), as (V, dim)."""
        return normalise_blocks(vlad_all(x.to(self.concepts), segments, self.concepts, self.beta))


@torch.no_grad()
def vlad_all(x: Tensor, segments: Tensor, concepts: Tensor, beta: float) -> Tensor:
    """Sum the residuals to each concept, (V, K, D), of V sets of points.

    v_k = sum_n a_nk (x_n - c_k), where a_nk = exp(-beta |x_n - c_k|^2) / sum_j exp(-beta |x_n - c_j|^2). At beta = 0
    all concepts take an equal share of each point, and the larger beta, the more of it has the nearest one. Beta goes
    with the inverse square of the points' scale, see `calibrate_beta`.

    Nothing is normalised (see `normalise_blocks`) and no small share is dropped. An empty set gives zeros. A set's
    points go through two matrix products, a block at a time, so that memory beyond the result does not grow with them;
    its residuals are the same on its own and among others. No gradient is kept.

    Args:
        x: (N, D) points of all sets, one set after another.
        segments: (V + 1,) int64 offsets: set v has the rows from `segments[v]` to before `segments[v + 1]`.
        concepts: (K, D).
        beta: in [0, inf), 1 by the square of the points' unit.

    Raises:
        ValueError: when `x` is not (N, D), floating point and finite, `segments` are not its offsets, `concepts` are
            not (K, D) or `beta` is not in [0, inf).

    Source: Peng, Wang, Wang and Qiao, "Bag of visual words and fusion methods for action recognition: comprehensive
    study and good practice", CVIU 2016, VLAD-all; Jegou, Douze, Schmid and Perez, "Aggregating local descriptors into a
    compact image representation", CVPR 2010.

    >>> x, concepts = torch.tensor([[1.0], [4.0], [6.0]]), torch.tensor([[0.0], [5.0]])
    >>> vlad_all(x, torch.tensor([0, 2, 3]), concepts, 100.0).flatten(1)  # each point to its nearest concept
    tensor([[ 1., -1.],
            [ 0.,  1.]])
    """
    _check(x, concepts)
    segments = segments.cpu()
    check_segments(segments, len(x))
    soft = _Assignment.of(concepts, beta, x)
    vectors = x.new_zeros(len(segments) - 1, *concepts.shape)
    # A set is thousands of points: its two products are the cost, not the loop.
    for vector, (first, last) in zip(vectors, pairwise(segments.tolist()), strict=True):
        mass, total = _sums(x[first:last], soft).tensor_split([1], dim=1)
        torch.addcmul(total, soft.centred, mass, value=-1, out=vector)
    if not bool(vectors.sum().isfinite()):  # looking at each entry takes as much memory again
        msg = "x has NaN or infinite entries"
        raise ValueError(msg)
    return vectors


def normalise_blocks(vectors: Tensor) -> Tensor:
    """Normalise vectors (V, K, D) to (V, K D): signed roots, blocks, and the whole.

    Each block of D numbers, and then the whole, gets length 1: every block that is not zero has the same length. Zeros
    stay zeros.

    >>> normalise_blocks(torch.tensor([[[9.0, -16.0], [0.0, 0.0], [0.0, 4.0]]]))
    tensor([[ 0.4243, -0.5657,  0.0000,  0.0000,  0.0000,  0.7071]])
    """
    units = normalise(vectors.flatten(0, 1)).view_as(vectors)
    filled = units.any(2).sum(1)
    return units.div_(filled.clamp(min=1).sqrt().to(units)[:, None, None]).flatten(1)


@torch.no_grad()
def mean_perplexity(x: Tensor, concepts: Tensor, beta: float) -> float:
    """Mean, over points `x` (N, D), of the number of concepts that share a point.

    It is exp(-sum_k a_nk log a_nk), with a_nk of `vlad_all`: from 1, all to the nearest, to K, equal shares.

    Raises:
        ValueError: as in `vlad_all`, and when there is no point.

    >>> x, concepts = torch.tensor([[0.0], [2.0]]), torch.tensor([[-1.0], [1.0]])
    >>> mean_perplexity(x, concepts, 0.0), mean_perplexity(x, concepts, 100.0)  # the first is as near to both
    (2.0, 1.5)
    """
    _check(x, concepts)
    if not len(x):
        msg = "x must have at least one point"
        raise ValueError(msg)
    total = torch.zeros((), dtype=torch.float64, device=x.device)
    for logits, _ in _scored(x, _Assignment.of(concepts, beta, x)):
        logs = logits.log_softmax(0)
        total += (logs.exp() * logs).sum(0).neg_().exp_().sum(dtype=torch.float64)
    if not bool(total.isfinite()):
        msg = "x has NaN or infinite entries"
        raise ValueError(msg)
    return float(total) / len(x)


def calibrate_beta(x: Tensor, concepts: Tensor, *, perplexity: float = 3.0) -> float:
    """Find the beta that gives points `x` (N, D) the mean perplexity `perplexity`.

    The perplexity of each point falls as beta rises, so that there is one such beta. It is b / s, where s is the mean
    squared distance of a point to its nearest concept, and b does not depend on the points' scale. Each of the ten or
    so steps of the search takes a matrix product of all points: a sample of some thousands is enough.

    Raises:
        ValueError: when `perplexity` is not in (1, K) or no beta gives it, as where points are as near to several
            concepts; as in `mean_perplexity`.

    >>> x, concepts = torch.randn(500, 8, generator=torch.Generator().manual_seed(0)), torch.eye(8)
    >>> beta = calibrate_beta(x, concepts, perplexity=2.0)
    >>> round(mean_perplexity(x, concepts, beta), 3)
    2.0
    """
    if not 1 < perplexity < len(concepts):
        msg = f"perplexity must be above 1 and below the number of concepts, {len(concepts)}, got {perplexity}"
        raise ValueError(msg)

    @functools.cache
    def excess(log_beta: float) -> float:
        return mean_perplexity(x, concepts, math.exp(log_beta)) - perplexity

    _check(x, concepts)
    spread = float((x - concepts.to(x)[nearest(x, concepts)]).square().sum(1, dtype=torch.float64).mean())
    start = -math.log(spread) if spread > 0 and math.isfinite(spread) else 0.0
    low = high = start
    while excess(low) < 0 and low > start - _WIDEST:
        low -= _STEP
    while excess(high) > 0 and high < start + _WIDEST:
        high += _STEP
    if excess(low) < 0 or excess(high) > 0:
        reached = f"from {excess(high) + perplexity:.4g} to {excess(low) + perplexity:.4g}"
        msg = f"no beta gives a mean perplexity of {perplexity}, only {reached}"
        raise ValueError(msg)
    return math.exp(optimize.brentq(excess, low, high, xtol=1e-6))


_STEP, _WIDEST = math.log(4), 30 * math.log(4)
"""First steps of a search on the logarithm of beta, and how far it goes."""


class _Assignment(NamedTuple):
    """Logits of the shares (K, N) as `matrix @ [1, x - shift].mT`.

    Points come last: shares are the left factor of the product with the points, whose rows are best contiguous.
    """

    shift: Tensor
    """(D,) mean of the concepts, around which 2xc - |c|^2 loses least."""
    centred: Tensor
    """(K, D) concepts less the shift."""
    matrix: Tensor
    """(K, 1 + D)."""

    @classmethod
    def of(cls, concepts: Tensor, beta: float, like: Tensor) -> _Assignment:
        if not 0 <= beta < math.inf:
            msg = f"beta must be in [0, inf), got {beta}"
            raise ValueError(msg)
        concepts = concepts.to(like)
        shift = concepts.mean(0)
        centred = concepts - shift
        return cls(shift, centred, torch.cat([-beta * centred.square().sum(1, keepdim=True), 2 * beta * centred], 1))


def _check(x: Tensor, concepts: Tensor) -> None:
    if concepts.ndim != 2 or not len(concepts):
        msg = f"concepts must be (K, D), got {tuple(concepts.shape)}"
        raise ValueError(msg)
    if x.ndim != 2 or x.shape[1] != concepts.shape[1] or not x.is_floating_point():
        msg = f"x must be floating-point points (N, {concepts.shape[1]}), got {tuple(x.shape)} {x.dtype}"
        raise ValueError(msg)


def _scored(x: Tensor, soft: _Assignment) -> Iterator[tuple[Tensor, Tensor]]:
    """Iterate over blocks of n points: logits (K, n), rows [1, x - shift] (n, 1 + D)."""
    for part in blocks(len(x), max(soft.matrix.shape), x.device):
        rows = x.new_ones(len(x[part]), 1 + x.shape[1])
        torch.sub(x[part], soft.shift, out=rows[:, 1:])
        yield product(soft.matrix, rows.mT), rows


def _sums(x: Tensor, soft: _Assignment) -> Tensor:
    """Sum the rows [1, x - shift] of points, weighted by their shares, (K, 1 + D)."""
    total = torch.zeros_like(soft.matrix)
    for logits, rows in _scored(x, soft):
        total += product(logits.softmax(0), rows)
    return total
