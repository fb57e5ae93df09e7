"""PCA against scikit-learn, closed forms and its limits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from harness_dense_trajectories import blocks
from harness_dense_trajectories.pca import fit_pca


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
    monkeypatch.setattr(blocks, "_CPU", 12 * 7)
    parts = fit_pca(x)
    assert torch.allclose(parts.components, whole.components, atol=1e-10)
    assert torch.allclose(parts.project(x), projected, atol=1e-9)


def test_signs_do_not_depend_on_the_order_of_points():
    x = points()
    assert torch.allclose(fit_pca(x.flip(0)).components, fit_pca(x).components, atol=1e-9)
    components = fit_pca(x, variance=1.0).components
    assert (components.gather(1, components.abs().argmax(1, keepdim=True)) > 0).all()


def test_largest_entries_of_opposite_signs_and_equal_size():
    """Along (1, -1) rounding must not choose the sign: the first of the two is positive."""
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
