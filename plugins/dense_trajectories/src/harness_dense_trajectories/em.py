"""Mixtures of Gaussians fitted by expectation maximisation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.functional.kmeans import kmeans
from harness.functional.product import product
from harness.system import progress
from harness_dense_trajectories.gmm import Gmm, features, log_joint_matrix
from harness_dense_trajectories.rows import blocks

START_ITERATIONS = 20
"""Iterations of the k-means from which expectation maximisation starts."""
_KEPT = 2**22
"""Elements of features that are kept from one pass to the next."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Mixtures that expectation maximisation reached from R starts."""

    mixtures: tuple[Gmm, ...]
    log_likelihood: Tensor
    """(R,) float64: log-likelihood of each mixture, mean over the points, in nats."""
    converged: Tensor
    """(R,) bool: the last iteration gained less than the tolerance."""


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
    """Fit mixtures of `k` Gaussians to the points `x` (N, D) and return the likeliest.

    Each of the `n_init` fits starts from k-means with a seed of its own, from `seed` on. Other arguments and errors are
    those of `em` and of `harness.functional.kmeans.kmeans`.

    >>> x = torch.cat([torch.linspace(-1, 1, 50), torch.linspace(9, 11, 50)])[:, None]
    >>> [round(mean, 3) + 0.0 for mean in sorted(fit_gmm(x, 2).means.flatten().tolist())]
    [0.0, 10.0]
    """
    if n_init < 1:
        msg = f"n_init must be at least 1, got {n_init}"
        raise ValueError(msg)
    clusters = kmeans(x, k, range(seed, seed + n_init), iterations=START_ITERATIONS)
    points = _Points(x, _Frame.of(x), n_init * k)

    def members(part: slice, _: Tensor) -> Tensor:
        return torch.nn.functional.one_hot(clusters.assignments[:, part].mT, k).to(x)

    start = _Mixtures.unit(n_init, k, x).maximise(_sums(points, n_init, k, members), len(x), floor)
    fit = _run(points, start, iterations, tolerance, floor)
    return fit.mixtures[int(fit.log_likelihood.argmax())]


def em(x: Tensor, starts: Sequence[Gmm], *, iterations: int = 200, tolerance: float = 1e-3, floor: float = 1e-6) -> Fit:
    """Run expectation maximisation on the points `x` (N, D) from each of R `starts`.

    Points are weighted alike. The starts share the passes over the points; a pass holds one block of posteriors at a
    time, so memory does not grow with N. Each start's result is the same on its own and among others, up to rounding.
    A component that no point belongs to any more keeps its mean and variances, with the smallest weight that there is.

    Args:
        x: floating point and finite.
        starts: R mixtures of as many components.
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
    if len(shapes) != 1 or next(iter(shapes))[1] != x.shape[1]:
        msg = f"starts must be mixtures of as many components in {x.shape[1]} dimensions, got means {sorted(shapes)}"
        raise ValueError(msg)
    frame = _Frame.of(x)
    weights, means, variances = (
        torch.stack([getattr(start, name) for start in starts]).to(x.device, torch.float64)
        for name in ("weights", "means", "variances")
    )
    mixtures = _Mixtures(weights, (means - frame.shift) / frame.scale, variances / frame.scale.square())
    return _run(_Points(x, frame, mixtures.weights.numel()), mixtures, iterations, tolerance, floor)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Frame in which the points have mean 0 and variance 1; fits are made in it."""

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
        return cls(mean, torch.where(scale > torch.finfo(x.dtype).eps * mean.abs(), scale, 1.0))


class _Points:
    """Points in their frame, as blocks of features that are kept where they are few."""

    def __init__(self, x: Tensor, frame: _Frame, width: int) -> None:
        self.x = x
        self.frame = frame
        self.dim = 1 + 2 * x.shape[1]
        self._shift, self._scale = frame.shift.to(x), frame.scale.to(x)
        self._parts = list(blocks(len(x), max(width, self.dim), x.device))
        self._kept = list(self._features()) if len(x) * self.dim <= _KEPT else None

    def __iter__(self) -> Iterator[tuple[slice, Tensor]]:
        """Slices of the points, and their features (n, 1 + 2D)."""
        return zip(self._parts, self._features() if self._kept is None else self._kept, strict=True)

    def _features(self) -> Iterator[Tensor]:
        return (features(self.x[part], self._shift, self._scale) for part in self._parts)


@dataclass(frozen=True, slots=True)
class _Mixtures:
    """R mixtures of as many components, fitted at once."""

    weights: Tensor
    """(R, K) float64."""
    means: Tensor
    variances: Tensor
    """(R, K, D) float64."""

    @classmethod
    def unit(cls, count: int, k: int, x: Tensor) -> _Mixtures:
        """Mixtures whose components are all alike: mean 0, variance 1."""
        means = torch.zeros(count, k, x.shape[1], dtype=torch.float64, device=x.device)
        return cls(torch.full_like(means[..., 0], 1 / k), means, torch.ones_like(means))

    def at(self, index: Tensor) -> _Mixtures:
        return _Mixtures(self.weights[index], self.means[index], self.variances[index])

    def maximise(self, sums: Tensor, count: int, floor: float) -> _Mixtures:
        """Maximisation step from posterior-weighted sums (R, K, 1 + 2D) of `count` points."""
        dim = self.means.shape[2]
        tiny = 10 * torch.finfo(torch.float32).eps
        held = sums[..., :1] > tiny
        mass = sums[..., :1].clamp(min=tiny)
        means = torch.where(held, sums[..., 1 : 1 + dim] / mass, self.means)
        spread = (sums[..., 1 + dim :] / mass - means.square()).clamp(min=floor)
        weights = mass.squeeze(2) / count
        return _Mixtures(weights / weights.sum(1, keepdim=True), means, torch.where(held, spread, self.variances))


def _run(points: _Points, mixtures: _Mixtures, iterations: int, tolerance: float, floor: float) -> Fit:
    count, k = mixtures.weights.shape
    device = points.x.device
    final: list[Gmm | None] = [None] * count
    likelihood = torch.full((count,), -torch.inf, dtype=torch.float64, device=device)
    converged = torch.zeros(count, dtype=torch.bool, device=device)
    index = torch.arange(count, device=device)
    with progress.bar(f"fitting {k} Gaussians", iterations) as bar:
        for step in range(iterations + 1):
            sums, reached = _expectation(points, mixtures)
            gain = reached - likelihood[index]
            likelihood[index], converged[index] = reached, gain.abs() < tolerance
            leaving = converged[index] if step < iterations else torch.ones_like(converged[index])
            places = leaving.nonzero().flatten().tolist()
            for place in places:
                final[int(index[place])] = _outside(mixtures, place, points)
            if places:
                index, mixtures, sums = index[~leaving], mixtures.at(~leaving), sums[~leaving]
            if not len(index):
                break
            mixtures = mixtures.maximise(sums, len(points.x), floor)
            bar.advance(note=f"log-likelihood {float(reached.max()):.4f}")
    likelihood -= points.frame.scale.log().sum()
    return Fit(tuple(gmm for gmm in final if gmm is not None), likelihood, converged)


def _expectation(points: _Points, mixtures: _Mixtures) -> tuple[Tensor, Tensor]:
    """Expectation step: weighted sums (R, K, 1 + 2D), mean log-likelihoods (R,)."""
    count, k = mixtures.weights.shape
    means, variances = mixtures.means.flatten(0, 1), mixtures.variances.flatten(0, 1)
    matrix = log_joint_matrix(mixtures.weights.flatten(), means, variances).to(points.x)
    total = torch.zeros(count, dtype=torch.float64, device=points.x.device)

    def posteriors(_: slice, rows: Tensor) -> Tensor:
        joint = product(rows, matrix.mT).view(-1, count, k)
        weights = joint.softmax(2)
        # log p(x) is log p(x, k) - log p(k | x) for every k; with the likeliest k it has the least rounding.
        total.add_((joint.amax(2) - weights.amax(2).log()).sum(0, dtype=torch.float64))
        return weights

    return _sums(points, count, k, posteriors), total / len(points.x)


def _sums(points: _Points, count: int, k: int, posteriors: Callable[[slice, Tensor], Tensor]) -> Tensor:
    """Sum features over points, weighted by posteriors, (R, K, 1 + 2D) float64.

    `posteriors(slice, features)` gives those of a block, (n, R, K).
    """
    sums = torch.zeros(count * k, points.dim, dtype=torch.float64, device=points.x.device)
    for part, rows in points:
        sums += product(posteriors(part, rows).flatten(1).mT, rows)
    return sums.view(count, k, -1)


def _outside(mixtures: _Mixtures, place: int, points: _Points) -> Gmm:
    """Return one of the mixtures to the frame and type of the points."""
    x, frame = points.x, points.frame
    means = mixtures.means[place] * frame.scale + frame.shift
    variances = mixtures.variances[place] * frame.scale.square()
    return Gmm(mixtures.weights[place].to(x), means.to(x), variances.to(x))
