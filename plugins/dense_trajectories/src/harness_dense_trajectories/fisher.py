"""Fisher vectors of sets of points."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from harness_dense_trajectories.blocks import block_rows, blocks
from harness_dense_trajectories.gmm import Gmm, LogJoint, features
from harness_dense_trajectories.segments import check_segments

_PIECES = (16, 32, 64, 128, 256, 512, 1024)
"""Lengths of the pieces that sets are cut into."""
_OVERHEAD = 16
"""Rows whose cost equals that of one more piece."""


def fisher_vectors(x: Tensor, segments: Tensor, gmm: Gmm, *, form: Literal["paper", "released"] = "paper") -> Tensor:
    """(V, 2KD) Fisher vectors of V sets of points, each the mean over the points of its set.

    Per component k and dimension, with the posterior p(k | x) and phi = (x - mu_k) / sigma_k:

    - `paper`: p(k | x) / sqrt(w_k) * [phi, (phi^2 - 1) / sqrt(2)], laid out as [mu_1, sigma_1, mu_2, sigma_2, ...] with
      D numbers each. The gradient of the log-likelihood by means and standard deviations, scaled by the inverse root
      of its covariance.
    - `released`: p(k | x) * [sigma_k phi, sigma_k^2 (1 - phi^2)], laid out as all mu, then all sigma, component after
      component: the unscaled form of the authors' code. It is the paper's times sqrt(w_k) sigma_k, and times
      -sqrt(2 w_k) sigma_k^2.

    Nothing is normalised (see `normalised`) and no posterior is dropped. An empty set gives the zero vector. All sets
    go through the same few matrix products, a block at a time, so that memory beyond the result does not grow with
    them; a set's vector is the same on its own and among others, up to rounding.

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
    joint = LogJoint.of(gmm, x)
    weights, means, variances = (value.to(x)[..., None] for value in (gmm.weights, gmm.means, gmm.variances))
    means = means.squeeze(2) - joint.shift
    variances = variances.squeeze(2)
    lengths = segments.diff()
    size = _piece(lengths, block_rows(max(joint.matrix.shape), x.device))
    vectors = x.new_zeros(len(lengths), clusters, 2, dim)
    by_mean, by_deviation = vectors[:, :, 0], vectors[:, :, 1]
    for first, sums in _sums(x, segments, joint, size):
        part = slice(first, first + len(sums))
        mass, linear, square = sums[..., :1], sums[..., 1 : 1 + dim], sums[..., 1 + dim :]
        by_mean[part] += linear - means * mass
        by_deviation[part] += square - 2 * means * linear + (means.square() - variances) * mass
    if not bool(vectors.isfinite().all()):
        msg = "x has NaN or infinite entries"
        raise ValueError(msg)
    vectors /= lengths.clamp(min=1).to(x)[:, None, None, None]
    if form == "released":
        by_deviation.neg_()
        return vectors.transpose(1, 2).flatten(1)
    by_mean /= (variances * weights).sqrt()
    by_deviation /= variances * (2 * weights).sqrt()
    return vectors.flatten(1)


def normalised(vectors: Tensor) -> Tensor:
    """Signed square roots of `vectors` (V, D), scaled to length 1; a zero vector stays zero.

    >>> normalised(torch.tensor([[9.0, -16.0], [0.0, 0.0]]))
    tensor([[ 0.6000, -0.8000],
            [ 0.0000,  0.0000]])
    """
    # The length of the square roots is the root of the sum of absolute values.
    lengths = vectors.abs().sum(1, keepdim=True)
    return vectors.sign() * (vectors.abs() / torch.where(lengths > 0, lengths, 1.0)).sqrt_()


def _piece(lengths: Tensor, most: int) -> int:
    """The length of pieces, of at most `most` rows, that costs least for sets of these `lengths`."""
    sizes = [size for size in _PIECES if size <= most] or [most]
    return min(sizes, key=lambda size: int(((lengths + size - 1) // size).sum()) * (size + _OVERHEAD))


def _sums(x: Tensor, segments: Tensor, joint: LogJoint, size: int) -> Iterator[tuple[int, Tensor]]:
    """The first of some sets, and for these (v, K, 1 + 2D) sums of features weighted by posteriors.

    Sets are cut into pieces of `size` rows, the last one padded, so that all pieces of a block are one batched product.
    A set that goes on in the next block comes again, with the rest of its sum.
    """
    pieces = (segments.diff() + size - 1) // size  # (V,)
    owner = torch.repeat_interleave(pieces)  # (P,)
    start = segments[owner] + (torch.arange(len(owner)) - (pieces.cumsum(0) - pieces)[owner]) * size
    end = segments[owner + 1]
    clusters, width = joint.matrix.shape[1], joint.matrix.shape[0]
    for part in blocks(len(owner), size * max(clusters, width), x.device):
        rows = start[part, None] + torch.arange(size)  # (p, size)
        inside = (rows < end[part, None]).to(x)
        points = x.index_select(0, rows.clamp(max=len(x) - 1).flatten().to(x.device))
        weighted = features(points, joint.shift)
        posteriors = (weighted @ joint.matrix).softmax(1)
        weighted *= inside.view(-1, 1)
        # Components last: with the odd 1 + 2D last, the product takes 1.15 of the time.
        sums = weighted.view(-1, size, width).mT @ posteriors.view(-1, size, clusters)  # (p, 1 + 2D, K)
        sets = torch.arange(int(owner[part.start]), int(owner[part.stop - 1]) + 1)
        bags = torch.searchsorted(owner[part].contiguous(), sets).to(x.device)
        order = torch.arange(len(sums), device=x.device)
        summed = F.embedding_bag(order, sums.flatten(1), bags, mode="sum")
        yield int(sets[0]), summed.view(-1, width, clusters).mT
