"""Count sketches against their matrix and the theory of their inner products."""

from __future__ import annotations

import pytest
import torch

from harness_dense_trajectories.sketch import Sketch, count_sketch


def matrix(sketch):
    """(D, M) dense, entry by entry."""
    dense = torch.zeros(len(sketch.buckets), sketch.dim, dtype=torch.float64)
    for row, (bucket, sign) in enumerate(zip(sketch.buckets.tolist(), sketch.signs.tolist(), strict=True)):
        dense[row, bucket] = sign
    return dense


def vectors(count, dim, seed=0):
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize(("source", "dim"), [(50, 7), (7, 50), (1, 1), (60, 20)])
def test_equals_its_matrix(balanced, source, dim):
    sketch = count_sketch(source, dim, balanced=balanced)
    dense = matrix(sketch)
    assert (dense != 0).sum(1).tolist() == [1] * source
    x = vectors(9, source)
    assert torch.allclose(sketch.project(x), x @ dense, atol=1e-12)
    assert sketch.project(x[:0]).shape == (0, dim)


def test_is_linear():
    sketch = count_sketch(40, 6)
    x, y = vectors(3, 40), vectors(3, 40, seed=1)
    assert torch.allclose(sketch.project(2 * x - 3 * y), 2 * sketch.project(x) - 3 * sketch.project(y))


@pytest.mark.parametrize("balanced", [False, True])
def test_same_seed_same_sketch(balanced):
    first, second = (count_sketch(300, 20, seed=4, balanced=balanced) for _ in range(2))
    other = count_sketch(300, 20, seed=5, balanced=balanced)
    assert torch.equal(first.buckets, second.buckets)
    assert torch.equal(first.signs, second.signs)
    assert not torch.equal(first.buckets, other.buckets)
    assert not torch.equal(first.signs, other.signs)


def test_independent_sketches_keep_inner_products():
    """Mean and variance over 20,000 draws; both within five standard errors."""
    x, y = vectors(2, 30)
    draws, dim = 20_000, 5
    one = count_sketch(draws * 30, dim, seed=3)
    # All draws side by side: draw n has the buckets from n * dim.
    buckets = one.buckets + dim * torch.arange(draws).repeat_interleave(30)
    side = Sketch(buckets, one.signs, draws * dim)
    px, py = (side.project(v.repeat(draws)[None]).view(draws, dim) for v in (x, y))
    products = (px * py).sum(1)
    inner = x @ y
    variance = ((x @ x) * (y @ y) + inner**2 - 2 * (x**2 * y**2).sum()) / dim
    assert abs(products.mean() - inner) < 5 * (variance / draws).sqrt()
    fourth = (products - products.mean()).pow(4).mean()
    assert abs(products.var() - variance) < 5 * ((fourth - variance**2) / draws).sqrt()
    assert variance > 1


def test_balanced_sketches_have_the_stated_bias():
    """Of two constant vectors, where it is largest."""
    source, dim, draws = 12, 4, 4000
    x = torch.ones(1, source, dtype=torch.float64)
    products = torch.stack(
        [count_sketch(source, dim, seed=seed, balanced=True).project(x).square().sum() for seed in range(draws)]
    )
    pairs = source * (source - dim)  # of different permutations
    expected = source - pairs / (dim * (source - 1))
    error = products.std() / draws**0.5
    assert abs(products.mean() - expected) < 5 * error
    assert abs(products.mean() - source) > 5 * error


@pytest.mark.parametrize(("source", "dim"), [(100, 20), (105, 20), (7, 20), (101, 10)])
def test_balanced_sketches_are_balanced(source, dim):
    sketch = count_sketch(source, dim, seed=1, balanced=True)
    counts = sketch.buckets.bincount(minlength=dim)
    assert counts.max() - counts.min() <= 1
    assert sketch.signs.sum().item() == source % 2
    assert len(set(sketch.buckets[:dim].tolist())) == min(source, dim)


def test_independent_sketches_are_not_balanced():
    sketch = count_sketch(1000, 20)
    counts = sketch.buckets.bincount(minlength=20)
    assert counts.max() - counts.min() > 1
    assert abs(sketch.signs.sum().item()) < 200


def test_what_is_no_sketch():
    signs = torch.ones(3, dtype=torch.int8)
    for buckets, sign, dim in (
        (torch.tensor([0, 1, 2]), signs, 2),
        (torch.tensor([0, -1, 1]), signs, 2),
        (torch.tensor([0, 1, 1]), 0 * signs, 2),
        (torch.tensor([0, 1]), signs, 2),
        (torch.tensor([0.0, 1.0, 1.0]), signs, 2),
    ):
        with pytest.raises(ValueError, match="must be"):
            Sketch(buckets, sign, dim)
    with pytest.raises(ValueError, match="at least 1"):
        count_sketch(0)
    with pytest.raises(ValueError, match="x must be"):
        count_sketch(5, 2).project(torch.zeros(2, 4))
