"""Densities and posteriors of mixtures against scipy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal

from harness_dense_trajectories import rows
from harness_dense_trajectories.gmm import Gmm


def mixture():
    generator = torch.Generator().manual_seed(0)
    weights = torch.tensor([0.1, 0.4, 0.3, 0.2], dtype=torch.float64)
    means, variances = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    return Gmm(weights, 2 * means, variances.square() + 0.3)


def points(count):
    return 2 * torch.randn(count, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_log_prob_and_posteriors_equal_the_density():
    gmm = mixture()
    x = points(50)
    joint = np.stack(
        [
            np.log(w) + multivariate_normal(m, np.diag(v)).logpdf(x.numpy())
            for w, m, v in zip(gmm.weights.numpy(), gmm.means.numpy(), gmm.variances.numpy(), strict=True)
        ],
        1,
    )
    density = np.logaddexp.reduce(joint, 1)
    assert np.allclose(gmm.log_prob(x), density, atol=1e-12)
    assert np.allclose(gmm.posteriors(x), np.exp(joint - density[:, None]), atol=1e-12)


def test_float32_far_from_the_origin():
    """Squares of large numbers must not be subtracted from each other."""
    exact = mixture()
    x = points(200)
    near = exact.log_prob(x)
    far = Gmm(exact.weights.float(), (exact.means + 300).float(), exact.variances.float()).log_prob((x + 300).float())
    assert torch.allclose(far.double(), near, atol=2e-3)


def test_blocks_do_not_change_the_result(monkeypatch):
    gmm, x = mixture(), points(300)
    whole = gmm.log_prob(x), gmm.posteriors(x)
    monkeypatch.setattr(rows, "_CPU", 100)
    assert torch.allclose(gmm.log_prob(x), whole[0], atol=1e-9)
    assert torch.allclose(gmm.posteriors(x), whole[1], atol=1e-9)


def test_small_posteriors_are_kept():
    gmm = Gmm(torch.tensor([0.5, 0.5]), torch.tensor([[0.0], [10.0]]), torch.ones(2, 1))
    assert gmm.posteriors(torch.zeros(1, 1))[0, 1].item() == pytest.approx(np.exp(-50), rel=1e-4)


@pytest.mark.parametrize(
    ("weights", "means", "variances"),
    [
        (torch.ones(2), torch.zeros(1, 3), torch.ones(1, 3)),
        (torch.ones(1), torch.zeros(1, 3), torch.ones(1, 2)),
        (torch.zeros(1), torch.zeros(1, 3), torch.ones(1, 3)),
        (torch.ones(1), torch.zeros(1, 3), torch.zeros(1, 3)),
        (torch.ones(1), torch.full((1, 3), torch.nan), torch.ones(1, 3)),
        (torch.full((1,), torch.inf), torch.zeros(1, 3), torch.ones(1, 3)),
    ],
)
def test_what_is_no_mixture(weights, means, variances):
    with pytest.raises(ValueError, match="must be"):
        Gmm(weights, means, variances)
