"""Encodings of sets of points as vectors: Fisher vectors and bags of words."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from harness.functional.product import product
from harness_dense_trajectories.gmm import Gmm, LogJoint, features
from harness_dense_trajectories.projections import Pca
from harness_dense_trajectories.rows import blocks, check_segments


@dataclass(frozen=True, slots=True)
class Fisher:
    """Fisher vectors of principal components, with power and L2 normalisation."""

    pca: Pca
    gmm: Gmm
    form: Literal["paper", "released"] = "paper"

    @property
    def dim(self) -> int:
        """2 K D."""
        return 2 * self.gmm.means.numel()

    def __call__(self, x: Tensor, segments: Tensor) -> Tensor:
        """Encode sets of descriptors `x` (N, D), cut by `segments` (V + 1,), as (V, dim)."""
        part = self.pca.project(x.to(self.gmm.means))
        return normalise(fisher_vectors(part, segments, self.gmm, form=self.form))


@dataclass(frozen=True, slots=True)
class Words:
    """Bags of words, as square roots of shares."""

    centres: Tensor
    """(K, D)."""

    @property
    def dim(self) -> int:
        """K."""
        return len(self.centres)

    def __call__(self, x: Tensor, segments: Tensor) -> Tensor:
        """Encode sets of descriptors `x` (N, D), cut by `segments` (V + 1,), as (V, dim)."""
        return bags(x.to(self.centres), segments, self.centres)


Encoding = Fisher | Words


@torch.no_grad()
def fisher_vectors(x: Tensor, segments: Tensor, gmm: Gmm, *, form: Literal["paper", "released"] = "paper") -> Tensor:
    """Fisher vectors (V, 2KD) of V sets of points, each a mean over its points.

    Per component k and dimension, with the posterior p(k | x) and phi = (x - mu_k) / sigma_k:

    - `paper`: p(k | x) / sqrt(w_k) * [phi, (phi^2 - 1) / sqrt(2)], laid out as [mu_1, sigma_1, mu_2, sigma_2, ...] with
      D numbers each. The gradient of the log-likelihood by means and standard deviations, scaled by the inverse root
      of its covariance.
    - `released`: p(k | x) * [sigma_k phi, sigma_k^2 (1 - phi^2)], laid out as all mu, then all sigma, component after
      component: the unscaled form of the authors' code. It is the paper's times sqrt(w_k) sigma_k, and times
      -sqrt(2 w_k) sigma_k^2.

    Nothing is normalised (see `normalise`) and no posterior is dropped. An empty set gives the zero vector. A set's
    points go through two matrix products, a block at a time, so that memory beyond the result does not grow with them;
    its vector is the same on its own and among others. No gradient is kept.

    Args:
        x: (N, D) points of all sets, one set after another.
        segments: (V + 1,) int64 offsets: set v has the rows from `segments[v]` to before `segments[v + 1]`.
        gmm: in D dimensions.
        form: the scaling and layout.

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


def normalise(vectors: Tensor) -> Tensor:
    """Power and L2 normalisation of vectors (V, D); a zero vector stays zero.

    >>> normalise(torch.tensor([[9.0, -16.0], [0.0, 0.0]]))
    tensor([[ 0.6000, -0.8000],
            [ 0.0000,  0.0000]])
    """
    # The length of the square roots is the root of the sum of absolute values.
    lengths = vectors.abs().sum(1, keepdim=True)
    return vectors.sign() * (vectors.abs() / torch.where(lengths > 0, lengths, 1.0)).sqrt_()


def bags(x: Tensor, segments: Tensor, centres: Tensor) -> Tensor:
    """Bags of words (V, K) of V sets: roots of the shares nearest to each centre.

    The roots of shares have length 1, and their inner products are Bhattacharyya coefficients. An empty set gives the
    zero vector.

    Args:
        x: (N, D) floating-point points of all sets, one set after another.
        segments: (V + 1,) int64 offsets: set v has the rows from `segments[v]` to before `segments[v + 1]`.
        centres: (K, D), for example those of `harness.functional.kmeans.kmeans`.

    Raises:
        ValueError: when `x` is not (N, D), floating point and finite, or `segments` are not its offsets.

    >>> bags(torch.tensor([[0.1], [0.2], [0.9], [0.0]]), torch.tensor([0, 4, 4]), torch.tensor([[0.0], [1.0]]))
    tensor([[0.8660, 0.5000],
            [0.0000, 0.0000]])
    """
    clusters, dim = centres.shape
    if x.ndim != 2 or x.shape[1] != dim or not x.is_floating_point() or not bool(x.isfinite().all()):
        msg = f"x must be floating-point and finite points (N, {dim}), got {tuple(x.shape)} {x.dtype}"
        raise ValueError(msg)
    segments = segments.to(x.device)
    check_segments(segments, len(x))
    lengths = segments.diff()
    owner = torch.repeat_interleave(lengths, output_size=len(x))
    words = owner * clusters + nearest(x, centres)
    counts = words.bincount(minlength=len(lengths) * clusters).view(-1, clusters)
    return (counts.to(x) / lengths.clamp(min=1).to(x)[:, None]).sqrt()


def nearest(x: Tensor, centres: Tensor) -> Tensor:
    """Find the nearest centre (K, D) of each point (N, D), (N,) int64.

    >>> nearest(torch.tensor([[0.2], [0.9]]), torch.tensor([[0.0], [1.0]]))
    tensor([0, 1])
    """
    centres = centres.to(x)
    shift = centres.mean(0)  # |c|^2 - 2xc loses least around 0
    centres = centres - shift
    norms = centres.square().sum(1)
    index = torch.empty(len(x), dtype=torch.int64, device=x.device)
    for part in blocks(len(x), max(centres.shape), x.device):
        index[part] = product(x[part] - shift, -2 * centres.mT, norms).argmin(1)
    return index


class _Scales(NamedTuple):
    """Factors from posterior-weighted sums of features to a Fisher vector."""

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
    """Sum the features of the points `x` (n, D), weighted by posteriors, (K, 1 + 2D)."""
    total = x.new_zeros(joint.matrix.shape)
    for part in blocks(len(x), max(total.shape), x.device):
        rows = features(x[part], joint.shift)
        total += product(product(joint.matrix, rows.mT).softmax(0), rows)
    return total
