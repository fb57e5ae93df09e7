"""Mixtures of Gaussians with diagonal covariances: densities and posteriors."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.functional.product import product
from harness_dense_trajectories.rows import blocks


@dataclass(frozen=True, slots=True, eq=False)
class Gmm:
    """Mixture of K Gaussians in D dimensions, equal to itself alone.

    Raises:
        ValueError: when shapes do not fit, something is not finite, or a weight or variance is not positive.
    """

    weights: Tensor
    """(K,) that sum to 1."""
    means: Tensor
    """(K, D)."""
    variances: Tensor
    """(K, D)."""

    def __post_init__(self) -> None:
        shapes = [tuple(value.shape) for value in (self.weights, self.means, self.variances)]
        if self.means.ndim != 2 or shapes != [shapes[1][:1], shapes[1], shapes[1]]:
            msg = f"weights, means and variances must be (K,), (K, D) and (K, D), got {shapes}"
            raise ValueError(msg)
        positive = [bool((value > 0).all() & value.isfinite().all()) for value in (self.weights, self.variances)]
        if not all(positive) or not bool(self.means.isfinite().all()):
            msg = "weights and variances must be positive, and all values finite"
            raise ValueError(msg)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log densities (N,) at the points `x` (N, D), in nats.

        >>> normal = Gmm(torch.ones(1), torch.zeros(1, 1), torch.ones(1, 1))
        >>> normal.log_prob(torch.zeros(1, 1))  # -log(2 pi) / 2
        tensor([-0.9189])
        """
        density = x.new_empty(len(x))
        for part, joint in self._joint(x):
            density[part] = joint.logsumexp(0)
        return density

    def posteriors(self, x: Tensor) -> Tensor:
        """Probabilities (N, K) of each component given each point of `x` (N, D).

        >>> two = Gmm(torch.tensor([0.5, 0.5]), torch.tensor([[-1.0], [1.0]]), torch.ones(2, 1))
        >>> two.posteriors(torch.zeros(1, 1))
        tensor([[0.5000, 0.5000]])
        """
        posteriors = x.new_empty(len(x), len(self.weights))
        for part, joint in self._joint(x):
            posteriors[part] = joint.softmax(0).mT
        return posteriors

    def _joint(self, x: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Joint log densities (K, n) of one block of points at a time."""
        joint = LogJoint.of(self, x)
        for part in blocks(len(x), max(joint.matrix.shape), x.device):
            yield part, product(joint.matrix, features(x[part], joint.shift).mT)


@dataclass(frozen=True, slots=True)
class LogJoint:
    """Joint log densities (K, N) as `matrix @ features(x, shift).mT`.

    Points come last: posteriors are the left factor of the product with the features, whose rows are best contiguous.
    """

    shift: Tensor
    """(D,) the mean of the mixture, around which squares lose least."""
    matrix: Tensor
    """(K, 1 + 2D)."""

    @classmethod
    def of(cls, gmm: Gmm, x: Tensor) -> LogJoint:
        """Build it for points of the type of `x` and on its device."""
        weights, means, variances = (v.to(x.device, torch.float64) for v in (gmm.weights, gmm.means, gmm.variances))
        shift = (weights @ means / weights.sum()).to(x)
        return cls(shift, log_joint_matrix(weights, means - shift, variances).to(x))


def features(x: Tensor, shift: Tensor, scale: Tensor | None = None) -> Tensor:
    """Rows [1, z, z^2], (N, 1 + 2D), of z = (x - shift) / scale, for `x` (N, D)."""
    dim = x.shape[1]
    rows = x.new_empty(len(x), 1 + 2 * dim)
    rows[:, 0] = 1
    z = rows[:, 1 : 1 + dim]
    torch.sub(x, shift, out=z)
    if scale is not None:
        z /= scale
    torch.mul(z, z, out=rows[:, 1 + dim :])
    return rows


def log_joint_matrix(weights: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    """Matrix (K, 1 + 2D) of log w_k + log N(z; mean, variance) in [1, z, z^2]."""
    precisions = 1 / variances
    quadratic = (means.square() * precisions + variances.log() + math.log(2 * math.pi)).sum(1)
    return torch.cat([(weights.log() - quadratic / 2)[:, None], means * precisions, -precisions / 2], dim=1)
