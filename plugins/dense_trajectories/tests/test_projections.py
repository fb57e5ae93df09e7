"""PCA against scikit-learn; count sketches against their matrix and theory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from harness_dense_trajectories import rows
from harness_dense_trajectories.projections import Sketch, count_sketch, fit_pca


def points(count=400, dim=12, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dim, dim, generator=generator, dtype=dtype) / torch.arange(1, dim + 1)
    return torch.randn(count, dim, generator=generator, dtype=dtype) @ mixing.mT + 3


def aligned(ours, theirs):
    """Theirs with the signs of ours."""
    return theirs * np.sign((ours * theirs).sum(1, keepdims=True))


@pytest.mark.parametrize("variance", [0.3, 0.9, 0.999])
def test_equals_scikit_learn_up_to_signs(variance):
    x = points()
    peer = PCA(variance, svd_solver="full").fit(x.numpy())
    ours = fit_pca(x, variance=variance)
    assert ours.components.shape == peer.components_.shape
    assert np.allclose(ours.components, aligned(ours.components.numpy(), peer.components_), atol=1e-10)
    assert np.allclose(ours.variance, peer.explained_variance_)
    assert np.allclose(ours.mean, peer.mean_)
    projected = peer.transform(x.numpy())
    assert np.allclose(ours.project(x).T, aligned(ours.project(x).numpy().T, projected.T), atol=1e-9)


def test_whitened_equals_scikit_learn_up_to_signs():
    x = points()
    peer = PCA(5, whiten=True, svd_solver="full").fit_transform(x.numpy())
    ours = fit_pca(x, dim=5, whiten=True).project(x)
    assert np.allclose(ours.T, aligned(ours.numpy().T, peer.T), atol=1e-9)
    assert torch.allclose(ours.T.cov(), torch.eye(5, dtype=torch.float64), atol=1e-9)


def test_float32_is_computed_in_float64():
    """A mean of a thousand times the spread costs no accuracy."""
    x = (points() + 5000).float()
    ours, exact = fit_pca(x, dim=4), fit_pca(x.double(), dim=4)
    assert ours.components.dtype == torch.float32
    assert torch.allclose(ours.components.double(), exact.components, atol=1e-6)
    assert torch.allclose(ours.variance.double(), exact.variance, rtol=1e-6)


def test_blocks_do_not_change_the_result(monkeypatch):
    x = points()
    whole = fit_pca(x)
    projected = whole.project(x)
    monkeypatch.setattr(rows, "_CPU", 12 * 7)
    parts = fit_pca(x)
    assert torch.allclose(parts.components, whole.components, atol=1e-10)
    assert torch.allclose(parts.project(x), projected, atol=1e-9)


def test_signs_do_not_depend_on_the_order_of_points():
    x = points()
    assert torch.allclose(fit_pca(x.flip(0)).components, fit_pca(x).components, atol=1e-9)
    components = fit_pca(x, variance=1.0).components
    assert (components.gather(1, components.abs().argmax(1, keepdim=True)) > 0).all()


def test_largest_entries_of_opposite_signs_and_equal_size():
    """Along (1, -1) rounding must not choose the sign: the first is positive."""
    for factor in (1.0, 1.1, 3.3, -0.7):
        line = torch.linspace(-1, 1, 11, dtype=torch.float64)[:, None] * torch.tensor([factor, -factor])
        assert fit_pca(line).components[0, 0] == pytest.approx(0.5**0.5)


def test_constant_columns_have_no_part():
    x = points()
    x[:, [2, 7]] = torch.tensor([4.0, -1e3], dtype=torch.float64)
    ours = fit_pca(x, variance=1.0)
    assert len(ours.components) == 10
    assert ours.components[:, [2, 7]].abs().max() < 1e-12


def test_fewer_points_than_dimensions():
    x = points(count=5)
    ours = fit_pca(x, variance=1.0)
    assert ours.components.shape == (4, 12)
    assert torch.allclose(ours.project(x) @ ours.components + ours.mean, x)
    with pytest.raises(ValueError, match="between 1 and the 4 directions"):
        fit_pca(x, dim=5)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.ones(3), "two floating-point points"),
        (torch.ones(1, 3), "two floating-point points"),
        (torch.ones(4, 3, dtype=torch.int64), "two floating-point points"),
        (torch.ones(4, 3), "no variance"),
        (torch.tensor([[1.0, 2.0], [torch.nan, 3.0], [0.0, 1.0]]), "NaN or infinite"),
        (torch.tensor([[1.0, 2.0], [torch.inf, 3.0], [0.0, 1.0]]), "NaN or infinite"),
    ],
)
def test_what_cannot_be_fitted(x, message):
    with pytest.raises(ValueError, match=message):
        fit_pca(x)


@pytest.mark.parametrize("variance", [0.0, -0.1, 1.1, float("nan")])
def test_a_share_outside_0_1(variance):
    with pytest.raises(ValueError, match="variance must be in"):
        fit_pca(points(), variance=variance)


def test_nan_stays_in_its_row():
    x = points()
    ours = fit_pca(x)
    spoilt = x.clone()
    spoilt[3, 1] = torch.nan
    projected = ours.project(spoilt)
    assert projected[3].isnan().all()
    assert torch.equal(projected[4:], ours.project(x)[4:])


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
    """The bias is largest for two constant vectors."""
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
