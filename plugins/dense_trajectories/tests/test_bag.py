"""Bags of words against counting one point at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from harness_dense_trajectories import blocks
from harness_dense_trajectories.bag import bags, nearest
from harness_dense_trajectories.segments import offsets


def points(count, dim=4, seed=0):
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))


def test_equals_counting(monkeypatch):
    lengths = [5, 0, 40, 1, 0]
    x, centres = points(sum(lengths)), points(6, seed=1)
    monkeypatch.setattr(blocks, "_CPU", 60)
    found = bags(x, offsets(lengths), centres)
    for bag, part in zip(found, x.split(lengths), strict=True):
        counts = [0] * 6
        for point in part.numpy():
            counts[int(np.argmin([np.linalg.norm(point - centre) for centre in centres.numpy()]))] += 1
        expected = [math.sqrt(count / max(1, len(part))) for count in counts]
        assert bag.tolist() == pytest.approx(expected)
    assert found.norm(dim=1).tolist() == pytest.approx([1, 0, 1, 1, 0])


def test_nearest_far_from_the_origin():
    x, centres = points(500), points(20, seed=1)
    x, centres = x + 1000, centres + 1000
    assert torch.equal(nearest(x, centres), (x[:, None] - centres).norm(dim=2).argmin(1))


def test_no_sets():
    assert bags(points(0), torch.tensor([0]), points(3)).shape == (0, 3)


def test_bad_arguments():
    with pytest.raises(ValueError, match="x must be"):
        bags(points(3, dim=5), torch.tensor([0, 3]), points(2))
    with pytest.raises(ValueError, match="x must be"):
        bags(torch.full((3, 4), torch.nan), torch.tensor([0, 3]), points(2))
    with pytest.raises(ValueError, match="segments must"):
        bags(points(3), torch.tensor([0, 4]), points(2))
