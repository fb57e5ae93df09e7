"""Fisher vectors of sets of points."""

from __future__ import annotations

import functools
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from harness.functional.product import product
from harness_dense_trajectories.blocks import blocks
from harness_dense_trajectories.gmm import Gmm, LogJoint, features
from harness_dense_trajectories.segments import check_segments


@torch.no_grad()
def fisher_vectors(x: Tensor, segments: Tensor, gmm: Gmm, *, form: Literal["paper", "released"] = "paper") -> Tensor:
    """(V, 2KD) Fisher vectors of V sets of points, each the mean over the points of its set.

    Per component k and dimension, with the posterior p(k | x) and phi = (x - mu_k) / sigma_k:

    - `paper`: p(k | x) / sqrt(w_k) * [phi, (phi^2 - 1) / sqrt(2)], laid out as [mu_1, sigma_1, mu_2, sigma_2, ...] with
      D numbers each. The gradient of the log-likelihood by means and standard deviations, scaled by the inverse root
      of its covariance.
    - `released`: p(k | x) * [sigma_k phi, sigma_k^2 (1 - phi^2)], laid out as all mu, then all sigma, component after
      component: the unscaled form of the authors' code. It is the paper's times sqrt(w_k) sigma_k, and times
      -sqrt(2 w_k) sigma_k^2.

    Nothing is normalised (see `normalised`) and no posterior is dropped. An empty set gives the zero vector. A set's
    points go through two matrix products, a block at a time, so that memory beyond the result does not grow with them;
    its vector is the same on its own and among others. No gradient is kept.

    Args:
        x: (N, D) points of all sets, one set after another.
        segments: (V + 1,) int64 offsets: set v has the rows from `segments[v]` to before `segments[v + 1]`.
        gmm: in D dimensions.
        form: which scaling and layout.

    Raises:
        ValueError: when `x` is not (N, D), floating point and finite, or `segments` are not its offsets.

    Source: Tokmakov, Hebert and Schmid, "Unsupervised learning of video representations via dense trajectory
    clustering", 2020, eq. 5-6; Perronnin, Sanchez and Mensink, "Improving the Fisher kernel", ECCV 2010; the released
    form is that of Krapac, Verbeek and Jurie, "Modeling spatial layout with Fisher vectors", ICCV 2011.

    >>> normal = Gmm(torch.ones(1), torch.zeros(1, 1), torch.ones(1, 1))
    >>> fisher_vectors(torch.tensor([[0.0], [2.0], [-2.0]]), torch.tensor([0, 1, 3]), normal)
    tensor([[ 0.0000, -0.7071],
            [ 0.0000,  2.1213]])
    """
    clusters, dim = gmm.means.shape
    if x.ndim != 2 or x.shape[1] != dim or not x.is_floating_point():
        msg = f"x must be floating-point points (N, {dim}), got {tuple(x.shape)} {x.dtype}"
        raise ValueError(msg)
    if form not in ("paper", "released"):
        msg = f"form must be 'paper' or 'released', got {form!r}"
        raise ValueError(msg)
    segments = segments.cpu()
    check_segments(segments, len(x))
    scales = _scales(gmm, form, x.dtype, x.device)
    vectors = x.new_zeros(len(segments) - 1, clusters, 2, dim)
    # A set is thousands of points: its two products are the cost, not the loop.
    for vector, (first, last) in zip(vectors, pairwise(segments.tolist()), strict=True):
        if first == last:
            continue
        mass, linear, square = _sums(x[first:last], scales.joint).div_(last - first).tensor_split([1, 1 + dim], dim=1)
        centred = torch.addcmul(linear, scales.means, mass, value=-1)
        spread = square.addcmul_(scales.means, linear.add_(centred), value=-1)
        spread.addcmul_(scales.variances, mass, value=-1)
        torch.mul(centred, scales.by_mean, out=vector[:, 0])
        torch.mul(spread, scales.by_deviation, out=vector[:, 1])
    if not bool(vectors.sum().isfinite()):  # looking at each entry takes as much memory again
        msg = "x has NaN or infinite entries"
        raise ValueError(msg)
    return (vectors if form == "paper" else vectors.transpose(1, 2)).flatten(1)


def normalised(vectors: Tensor) -> Tensor:
    """Signed square roots of `vectors` (V, D), scaled to length 1; a zero vector stays zero.

    >>> normalised(torch.tensor([[9.0, -16.0], [0.0, 0.0]]))
    tensor([[ 0.6000, -0.8000],
            [ 0.0000,  0.0000]])
    """
    # The length of the square roots is the root of the sum of absolute values.
    lengths = vectors.abs().sum(1, keepdim=True)
    return vectors.sign() * (vectors.abs() / torch.where(lengths > 0, lengths, 1.0)).sqrt_()


class _Scales(NamedTuple):
    """What a mixture's posterior-weighted sums of features become a Fisher vector by."""

    joint: LogJoint
    means: Tensor
    """(K, D), less the shift of `joint`."""
    variances: Tensor
    by_mean: Tensor
    by_deviation: Tensor
    """(K, D): factors of the two halves."""


@functools.lru_cache(maxsize=8)  # of a video's time a tenth would go into it
def _scales(gmm: Gmm, form: str, dtype: torch.dtype, device: torch.device) -> _Scales:
    like = torch.empty(0, dtype=dtype, device=device)
    joint = LogJoint.of(gmm, like)
    weights, means, variances = (value.to(like) for value in (gmm.weights[:, None], gmm.means, gmm.variances))
    if form == "released":
        return _Scales(joint, means - joint.shift, variances, torch.ones_like(means), -torch.ones_like(means))
    by_deviation = 1 / (variances * (2 * weights).sqrt())
    return _Scales(joint, means - joint.shift, variances, 1 / (variances * weights).sqrt(), by_deviation)


def _sums(x: Tensor, joint: LogJoint) -> Tensor:
    """(K, 1 + 2D) sums of features of the points `x` (n, D), weighted by posteriors."""
    total = x.new_zeros(joint.matrix.shape)
    for part in blocks(len(x), max(total.shape), x.device):
        rows = features(x[part], joint.shift)
        total += product(product(joint.matrix, rows.mT).softmax(0), rows)
    return total
