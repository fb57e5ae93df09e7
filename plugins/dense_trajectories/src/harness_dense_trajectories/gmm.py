"""Mixtures of Gaussians with diagonal covariances, fitted by expectation maximisation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.functional.kmeans import kmeans
from harness.functional.product import product
from harness.system import progress
from harness_dense_trajectories.blocks import blocks

START_ITERATIONS = 20
"""Of the k-means from which expectation maximisation starts."""


@dataclass(frozen=True, slots=True, eq=False)
class Gmm:
    """A mixture of K Gaussians in D dimensions, equal to itself alone.

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
        if (
            self.means.ndim != 2
            or self.variances.shape != self.means.shape
            or self.weights.shape != self.means.shape[:1]
        ):
            shapes = [tuple(value.shape) for value in (self.weights, self.means, self.variances)]
            msg = f"weights, means and variances must be (K,), (K, D) and (K, D), got {shapes}"
            raise ValueError(msg)
        positive = [bool((value > 0).all() & value.isfinite().all()) for value in (self.weights, self.variances)]
        if not all(positive) or not bool(self.means.isfinite().all()):
            msg = "weights and variances must be positive, and all values finite"
            raise ValueError(msg)

    def log_prob(self, x: Tensor) -> Tensor:
        """(N,) natural logarithms of the density at the points `x` (N, D).

        >>> normal = Gmm(torch.ones(1), torch.zeros(1, 1), torch.ones(1, 1))
        >>> normal.log_prob(torch.zeros(1, 1))  # -log(2 pi) / 2
        tensor([-0.9189])
        """
        joint = LogJoint.of(self, x)
        density = x.new_empty(len(x))
        for part in blocks(len(x), max(joint.matrix.shape), x.device):
            density[part] = product(joint.matrix, features(x[part], joint.shift).mT).logsumexp(0)
        return density

    def posteriors(self, x: Tensor) -> Tensor:
        """(N, K) probabilities of each component given each point of `x` (N, D).

        >>> two = Gmm(torch.tensor([0.5, 0.5]), torch.tensor([[-1.0], [1.0]]), torch.ones(2, 1))
        >>> two.posteriors(torch.zeros(1, 1))
        tensor([[0.5000, 0.5000]])
        """
        joint = LogJoint.of(self, x)
        found = x.new_empty(len(x), len(self.weights))
        for part in blocks(len(x), max(joint.matrix.shape), x.device):
            found[part] = product(joint.matrix, features(x[part], joint.shift).mT).softmax(0).mT
        return found


@dataclass(frozen=True, slots=True)
class LogJoint:
    """log p(x, k) of all components as one matrix product: `matrix @ features(x, shift).mT` is (K, N).

    Points come last, so that the posteriors are the left side of the product with the features, where rows should be
    contiguous.
    """

    shift: Tensor
    """(D,) the mean of the mixture, around which squares lose least."""
    matrix: Tensor
    """(K, 1 + 2D)."""

    @classmethod
    def of(cls, gmm: Gmm, x: Tensor) -> LogJoint:
        """For points of the type of `x` and on its device."""
        weights, means, variances = (v.to(x.device, torch.float64) for v in (gmm.weights, gmm.means, gmm.variances))
        shift = (weights @ means / weights.sum()).to(x)
        return cls(shift, _matrix(weights, means - shift, variances).to(x))


def features(x: Tensor, shift: Tensor, scale: Tensor | None = None) -> Tensor:
    """(N, 1 + 2D) rows [1, z, z^2] of z = (x - shift) / scale, for `x` (N, D)."""
    dim = x.shape[1]
    rows = x.new_empty(len(x), 1 + 2 * dim)
    rows[:, 0] = 1
    z = rows[:, 1 : 1 + dim]
    torch.sub(x, shift, out=z)
    if scale is not None:
        z /= scale
    torch.mul(z, z, out=rows[:, 1 + dim :])
    return rows


@dataclass(frozen=True, slots=True)
class Fit:
    """What expectation maximisation reached from R starts."""

    mixtures: tuple[Gmm, ...]
    log_likelihood: Tensor
    """(R,) float64: of each mixture, mean over the points, in nats."""
    converged: Tensor
    """(R,) bool: whether the last iteration gained less than the tolerance."""


def fit_gmm(
    x: Tensor,
    k: int,
    *,
    seed: int = 0,
    n_init: int = 2,
    iterations: int = 200,
    tolerance: float = 1e-3,
    floor: float = 1e-6,
) -> Gmm:
    """The most likely of `n_init` mixtures of `k` Gaussians fitted to the points `x` (N, D), each from k-means.

    Other arguments and errors are those of `em` and of `harness.functional.kmeans.kmeans`; start r has the seed
    `seed` + r, so a result depends on nothing but the arguments.

    >>> x = torch.cat([torch.linspace(-1, 1, 50), torch.linspace(9, 11, 50)])[:, None]
    >>> [round(mean, 3) + 0.0 for mean in sorted(fit_gmm(x, 2).means.flatten().tolist())]
    [0.0, 10.0]
    """
    if n_init < 1:
        msg = f"n_init must be at least 1, got {n_init}"
        raise ValueError(msg)
    clusters = kmeans(x, k, range(seed, seed + n_init), iterations=START_ITERATIONS)
    frame = _Frame.of(x)
    start = _Mixtures.unit(n_init, k, x)

    def members(part: slice, _: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(clusters.assignments[:, part], k).mT.to(x)

    start = start.maximised(_sums(x, frame, n_init * k, members).reshape(n_init, k, -1), len(x), floor)
    fit = _run(x, frame, start, iterations, tolerance, floor)
    return fit.mixtures[int(fit.log_likelihood.argmax())]


def em(x: Tensor, starts: Sequence[Gmm], *, iterations: int = 200, tolerance: float = 1e-3, floor: float = 1e-6) -> Fit:
    """Expectation maximisation on the points `x` (N, D) from each of R `starts` of as many components.

    Points are weighted alike. The starts share the passes over the points; a pass holds one block of posteriors at a
    time, so memory does not grow with N. Each start's result is the same on its own and among others, up to rounding.
    A component that no point belongs to any more keeps its mean and variances, with the smallest weight that there is.

    Args:
        x: floating point and finite.
        starts: R mixtures.
        iterations: at most.
        tolerance: gain of the mean log-likelihood, in nats, below which a mixture has converged.
        floor: the smallest variance, as a share of the variance of all points in that dimension.

    Raises:
        ValueError: when `x` is not (N, D), floating point and finite, or the starts are of different shapes.

    Source: Dempster, Laird and Rubin, "Maximum likelihood from incomplete data via the EM algorithm", 1977.
    """
    if x.ndim != 2 or not x.is_floating_point() or not len(x) or not bool(torch.isfinite(x).all()):
        msg = f"x must be (N, D), floating point and finite, got {tuple(x.shape)} {x.dtype}"
        raise ValueError(msg)
    shapes = {tuple(start.means.shape) for start in starts}
    if len(shapes) != 1 or shapes.pop()[1] != x.shape[1]:
        msg = f"starts must be mixtures of as many components in {x.shape[1]} dimensions"
        raise ValueError(msg)
    frame = _Frame.of(x)
    weights, means, variances = (
        torch.stack([getattr(start, name) for start in starts]).to(x.device, torch.float64)
        for name in ("weights", "means", "variances")
    )
    mixtures = _Mixtures(weights, (means - frame.shift) / frame.scale, variances / frame.scale.square())
    return _run(x, frame, mixtures, iterations, tolerance, floor)


# What follows runs in the frame of the points, where they have mean 0 and variance 1, and on R mixtures at once.


@dataclass(frozen=True, slots=True)
class _Frame:
    shift: Tensor
    scale: Tensor
    """(D,) float64: mean and standard deviation; 1 where points do not vary."""

    @classmethod
    def of(cls, x: Tensor) -> _Frame:
        total = torch.zeros(2, x.shape[1], dtype=torch.float64, device=x.device)
        for part in blocks(len(x), x.shape[1], x.device):
            total[0] += x[part].sum(0, dtype=torch.float64)
        mean = total[0] / len(x)
        for part in blocks(len(x), x.shape[1], x.device):
            total[1] += (x[part].to(torch.float64) - mean).square_().sum(0)
        scale = (total[1] / len(x)).sqrt()
        rounding = torch.finfo(x.dtype).eps * mean.abs()
        return cls(mean, torch.where(scale > rounding, scale, 1.0))


@dataclass(frozen=True, slots=True)
class _Mixtures:
    weights: Tensor
    """(R, K) float64."""
    means: Tensor
    variances: Tensor
    """(R, K, D) float64."""

    @classmethod
    def unit(cls, count: int, k: int, x: Tensor) -> _Mixtures:
        """All components alike: mean 0, variance 1."""
        means = torch.zeros(count, k, x.shape[1], dtype=torch.float64, device=x.device)
        return cls(torch.full_like(means[..., 0], 1 / k), means, torch.ones_like(means))

    def at(self, index: Tensor) -> _Mixtures:
        return _Mixtures(self.weights[index], self.means[index], self.variances[index])

    def maximised(self, sums: Tensor, count: int, floor: float) -> _Mixtures:
        """The mixtures that the posterior-weighted sums (R, K, 1 + 2D) of features of `count` points give."""
        dim = self.means.shape[2]
        tiny = 10 * torch.finfo(torch.float32).eps
        held = sums[..., :1] > tiny
        mass = sums[..., :1].clamp(min=tiny)
        means = torch.where(held, sums[..., 1 : 1 + dim] / mass, self.means)
        spread = (sums[..., 1 + dim :] / mass - means.square()).clamp(min=floor)
        weights = mass.squeeze(2) / count
        return _Mixtures(weights / weights.sum(1, keepdim=True), means, torch.where(held, spread, self.variances))


def _run(x: Tensor, frame: _Frame, mixtures: _Mixtures, iterations: int, tolerance: float, floor: float) -> Fit:
    count, k = mixtures.weights.shape
    final: list[Gmm | None] = [None] * count
    likelihood = torch.full((count,), -torch.inf, dtype=torch.float64, device=x.device)
    converged = torch.zeros(count, dtype=torch.bool, device=x.device)
    index = torch.arange(count, device=x.device)
    with progress.bar(f"fitting {k} Gaussians", iterations) as bar:
        for step in range(iterations + 1):
            sums, reached = _expected(x, frame, mixtures)
            gain = reached - likelihood[index]
            likelihood[index], converged[index] = reached, gain.abs() < tolerance
            leaving = converged[index] if step < iterations else torch.ones_like(converged[index])
            for place in leaving.nonzero().flatten().tolist():
                final[int(index[place])] = _outside(mixtures, place, frame, x)
            index, mixtures, sums = index[~leaving], mixtures.at(~leaving), sums[~leaving]
            if not len(index):
                break
            mixtures = mixtures.maximised(sums, len(x), floor)
            bar.advance(note=f"log-likelihood {float(reached.max()):.4f}")
    likelihood -= frame.scale.log().sum()
    return Fit(tuple(gmm for gmm in final if gmm is not None), likelihood, converged)


def _expected(x: Tensor, frame: _Frame, mixtures: _Mixtures) -> tuple[Tensor, Tensor]:
    """Posterior-weighted sums of features, (R, K, 1 + 2D), and mean log-likelihoods (R,), both float64."""
    count, k = mixtures.weights.shape
    dim = mixtures.means.shape[2]
    matrix = _matrix(
        mixtures.weights.flatten(), mixtures.means.reshape(-1, dim), mixtures.variances.reshape(-1, dim)
    ).to(x)
    total = torch.zeros(count, dtype=torch.float64, device=x.device)

    def posteriors(part: slice, rows: Tensor) -> Tensor:
        joint = product(matrix, rows.mT).view(count, k, -1)
        found = joint.softmax(1)
        # log p(x) is log p(x, k) - log p(k | x) for every k; with the likeliest k it has the least rounding.
        total.add_((joint.amax(1) - found.amax(1).log()).sum(1, dtype=torch.float64))
        return found

    sums = _sums(x, frame, count * k, posteriors)
    return sums.reshape(count, k, -1), total / len(x)


def _sums(x: Tensor, frame: _Frame, width: int, posteriors: Callable[[slice, Tensor], Tensor]) -> Tensor:
    """(R * K, 1 + 2D) float64 sums of features, weighted by `posteriors(slice, features)` (R, K, n) of each block."""
    shift, scale = frame.shift.to(x), frame.scale.to(x)
    sums = torch.zeros(width, 1 + 2 * x.shape[1], dtype=torch.float64, device=x.device)
    for part in blocks(len(x), max(sums.shape), x.device):
        rows = features(x[part], shift, scale)
        sums += product(posteriors(part, rows).reshape(width, -1), rows)
    return sums


def _matrix(weights: Tensor, means: Tensor, variances: Tensor) -> Tensor:
    """(K, 1 + 2D): log w_k + log N(z; mean, variance) = matrix @ [1, z, z^2]."""
    precisions = 1 / variances
    quadratic = (means.square() * precisions + variances.log() + math.log(2 * math.pi)).sum(1)
    return torch.cat([(weights.log() - quadratic / 2)[:, None], means * precisions, -precisions / 2], dim=1)


def _outside(mixtures: _Mixtures, place: int, frame: _Frame, x: Tensor) -> Gmm:
    """One of the mixtures, out of the frame of the points and of their type."""
    means = mixtures.means[place] * frame.scale + frame.shift
    variances = mixtures.variances[place] * frame.scale.square()
    return Gmm(mixtures.weights[place].to(x), means.to(x), variances.to(x))
