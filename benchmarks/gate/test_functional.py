"""Hot paths over features: small enough for a gate, each with its answer asserted."""

from __future__ import annotations

import torch

from harness.functional.kmeans import kmeans
from harness.functional.knn import nearest
from harness.functional.logistic import fit_logistic
from harness.functional.spectral import spectral


def clouds(classes: int, of_each: int, dim: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (N, D) around class centres, and their labels (N,)."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(classes).repeat(of_each)
    points = 3 * torch.randn(classes, dim, generator=generator)[labels]
    return points + torch.randn(len(labels), dim, generator=generator), labels


def same_groups(found: torch.Tensor, labels: torch.Tensor) -> bool:
    """True if two labellings tell the same groups apart."""
    pairs = torch.stack([found, labels], 1).unique(dim=0)
    return len(pairs) == len(found.unique()) == len(labels.unique())


def test_kmeans(benchmark):
    points, labels = clouds(20, 50, 64)
    found = benchmark(lambda: kmeans(points, 20, seeds=[0, 1, 2], iterations=10))
    assert same_groups(found.assignments[found.inertia.argmin()], labels)


def test_few_shot(benchmark):
    points, labels = clouds(10, 5, 64)
    draws = points.expand(8, -1, -1)
    strengths = torch.full((8,), 0.02)
    fitted = benchmark(lambda: fit_logistic(draws, labels, strengths, classes=10, tolerance=1e-4))
    assert (fitted.predict(points) == labels).all()


def test_nearest(benchmark):
    points, labels = clouds(20, 100, 128)
    _, index = benchmark(lambda: nearest(points, points[:500], k=20))
    assert (labels[index] == labels[:500, None]).all()


def test_spectral(benchmark):
    points, labels = clouds(10, 60, 64)
    found = benchmark(lambda: spectral(points, 10, neighbours=10))
    assert same_groups(found, labels)
