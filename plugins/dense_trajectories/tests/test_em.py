"""Expectation maximisation against scikit-learn and closed forms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture

from harness_dense_trajectories import rows
from harness_dense_trajectories.em import em, fit_gmm
from harness_dense_trajectories.gmm import Gmm


def mixture(k=4, dim=3, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    weights = (torch.rand(k, generator=generator, dtype=dtype) + 0.2).log().softmax(0)
    means = 2 * torch.randn(k, dim, generator=generator, dtype=dtype)
    return Gmm(weights, means, torch.rand(k, dim, generator=generator, dtype=dtype) + 0.3)


def drawn(gmm, count, seed=1):
    generator = torch.Generator().manual_seed(seed)
    which = torch.multinomial(gmm.weights, count, replacement=True, generator=generator)
    noise = torch.randn(count, gmm.means.shape[1], generator=generator, dtype=gmm.means.dtype)
    return gmm.means[which] + noise * gmm.variances[which].sqrt()


def peer(start, x, iterations, tolerance=1e-3):
    model = GaussianMixture(
        len(start.weights),
        covariance_type="diag",
        weights_init=start.weights.numpy(),
        means_init=start.means.numpy(),
        precisions_init=1 / start.variances.numpy(),
        max_iter=iterations,
        tol=tolerance,
        reg_covar=0,
    )
    return model.fit(x.numpy())


@pytest.mark.parametrize("iterations", [1, 2, 7])
@pytest.mark.filterwarnings("ignore:Best performing initialization did not converge")
def test_each_iteration_equals_scikit_learn(iterations):
    x, start = drawn(mixture(), 500), mixture(seed=5)
    theirs = peer(start, x, iterations, tolerance=0)
    fit = em(x, [start], iterations=iterations, tolerance=0)
    ours = fit.mixtures[0]
    assert np.allclose(ours.weights, theirs.weights_, atol=1e-9)
    assert np.allclose(ours.means, theirs.means_, atol=1e-9)
    assert np.allclose(ours.variances, theirs.covariances_, atol=1e-9)
    assert fit.log_likelihood[0].item() == pytest.approx(theirs.score(x.numpy()), abs=1e-9)
    assert not fit.converged[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_converged_equals_scikit_learn(dtype):
    x = drawn(mixture(k=8, dim=6), 2000)
    start = mixture(k=8, dim=6, seed=7)
    theirs = peer(start, x, 500, tolerance=1e-5).score(x.numpy())
    ours = em(x.to(dtype), [start], iterations=500, tolerance=1e-5)
    assert ours.converged.all()
    assert ours.log_likelihood[0].item() == pytest.approx(theirs, rel=1e-3)
    assert ours.mixtures[0].log_prob(x.to(dtype)).mean().item() == pytest.approx(
        ours.log_likelihood[0].item(), abs=1e-4
    )


def test_from_k_means_as_likely_as_scikit_learn():
    x = drawn(mixture(k=12, dim=5, seed=3), 3000)
    theirs = GaussianMixture(12, covariance_type="diag", n_init=2, max_iter=200, random_state=0).fit(x.numpy())
    ours = fit_gmm(x.float(), 12)
    assert ours.log_prob(x.float()).mean().item() == pytest.approx(theirs.score(x.numpy()), rel=0.01)


def test_one_gaussian_is_mean_and_variance():
    x = drawn(mixture(), 300)
    gmm = fit_gmm(x, 1, n_init=1)
    assert gmm.weights.tolist() == [1.0]
    assert torch.allclose(gmm.means[0], x.mean(0))
    assert torch.allclose(gmm.variances[0], x.var(0, unbiased=False))


def test_recovers_what_drew_the_points():
    true = Gmm(
        torch.tensor([0.2, 0.3, 0.5]),
        torch.tensor([[0.0, 8], [8, 0], [-8, -8]]),
        torch.tensor([[1.0, 2], [2, 1], [1, 1]]),
    )
    gmm = fit_gmm(drawn(true, 20000), 3)
    order = torch.cdist(true.means, gmm.means).argmin(1)
    assert torch.allclose(gmm.weights[order], true.weights, atol=0.01)
    assert torch.allclose(gmm.means[order], true.means, atol=0.05)
    assert torch.allclose(gmm.variances[order], true.variances, atol=0.1)


def test_the_likelihood_never_falls():
    x, start = drawn(mixture(), 400), mixture(seed=9)
    reached = [em(x, [start], iterations=n, tolerance=0).log_likelihood.item() for n in range(1, 12)]
    assert all(after >= before - 1e-12 for before, after in itertools.pairwise(reached))


def test_scaling_the_points_scales_the_mixture():
    x = drawn(mixture(), 400)
    scale, shift = torch.tensor([1e3, 1e-3, 5.0], dtype=torch.float64), torch.tensor([1.0, -2, 9], dtype=torch.float64)
    starts = [mixture(seed=2)]
    moved = [Gmm(s.weights, s.means * scale + shift, s.variances * scale**2) for s in starts]
    here, there = em(x, starts), em(x * scale + shift, moved)
    assert torch.allclose(there.mixtures[0].means, here.mixtures[0].means * scale + shift)
    assert torch.allclose(there.log_likelihood, here.log_likelihood - scale.log().sum())


def test_starts_do_not_depend_on_each_other():
    x = drawn(mixture(), 300)
    starts = [mixture(seed=seed) for seed in (3, 4, 5)]
    together = em(x, starts)
    for start, fitted, likelihood in zip(starts, together.mixtures, together.log_likelihood, strict=True):
        alone = em(x, [start])
        assert torch.allclose(fitted.means, alone.mixtures[0].means, atol=1e-8)
        assert torch.allclose(likelihood, alone.log_likelihood[0])


def test_the_best_start_is_kept():
    x = drawn(mixture(k=6), 300)
    alone = [fit_gmm(x, 6, seed=seed, n_init=1).log_prob(x).mean().item() for seed in (0, 1, 2)]
    assert fit_gmm(x, 6, seed=0, n_init=3).log_prob(x).mean().item() == pytest.approx(max(alone))
    assert max(alone) - min(alone) > 1e-3


def test_same_seed_same_mixture():
    x = drawn(mixture(), 300).float()
    assert torch.equal(fit_gmm(x, 4, seed=3).means, fit_gmm(x, 4, seed=3).means)


def test_blocks_do_not_change_the_result(monkeypatch):
    x, start = drawn(mixture(), 300), mixture(seed=2)
    whole = em(x, [start])
    monkeypatch.setattr(rows, "_CPU", 100)
    parts = em(x, [start])
    assert torch.allclose(parts.mixtures[0].means, whole.mixtures[0].means, atol=1e-9)
    assert torch.allclose(parts.mixtures[0].posteriors(x), whole.mixtures[0].posteriors(x), atol=1e-9)


def test_variances_have_a_floor():
    """Two points seen over and over: their component would shrink to nothing."""
    x = torch.cat([torch.zeros(50, 2), torch.tensor([[9.0, 9.0]]).expand(50, 2)])
    gmm = fit_gmm(x, 2)
    assert torch.allclose(gmm.variances, 1e-6 * x.var(0, unbiased=False).expand(2, 2), rtol=1e-3)
    assert gmm.log_prob(x).isfinite().all()


def test_constant_columns():
    x = torch.cat([drawn(mixture(), 200).float(), torch.full((200, 1), 7.0)], 1)
    gmm = fit_gmm(x, 3)
    assert gmm.means[:, 3].tolist() == [7.0] * 3
    assert gmm.log_prob(x).isfinite().all()


def test_empty_components_keep_their_place():
    x = drawn(mixture(), 200)
    lost = Gmm(
        torch.tensor([0.5, 0.5]).double(),
        torch.stack([torch.zeros(3), torch.full((3,), 1e4)]).double(),
        torch.ones(2, 3).double(),
    )
    gmm = em(x, [lost]).mixtures[0]
    assert torch.allclose(gmm.means[1], lost.means[1])
    assert torch.allclose(gmm.variances[1], lost.variances[1])
    assert 0 < gmm.weights[1] < 1e-6
    assert torch.allclose(gmm.means[0], x.mean(0))


def test_fewer_different_points_than_components():
    x = torch.tensor([[0.0], [5.0]]).repeat(10, 1)
    gmm = fit_gmm(x, 4)
    assert gmm.log_prob(x).isfinite().all()
    assert gmm.weights.sum().item() == pytest.approx(1)


@pytest.mark.parametrize(
    "x", [torch.zeros(3), torch.zeros(0, 3), torch.zeros(4, 3).long(), torch.full((4, 3), torch.nan)]
)
def test_points_that_cannot_be_fitted(x):
    with pytest.raises(ValueError, match="x must be"):
        em(x, [mixture()])


def test_starts_of_different_shapes():
    x = drawn(mixture(), 20)
    for starts in ([], [mixture(), mixture(k=5)], [mixture(dim=2)]):
        with pytest.raises(ValueError, match="starts must be"):
            em(x, starts)
    with pytest.raises(ValueError, match="n_init"):
        fit_gmm(x, 2, n_init=0)
