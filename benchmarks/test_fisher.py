"""Fisher vectors of videos with 5,000 descriptors each, beside scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage.feature import fisher_vector
from sklearn.mixture import GaussianMixture

from benchmarks.results.rows import PRODUCTS
from harness.functional.product import product
from harness_dense_trajectories.encodings import fisher_vectors
from harness_dense_trajectories.gmm import Gmm

POINTS, COMPONENTS = 5000, 256


def mixture(dim):
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(COMPONENTS, generator=generator).softmax(0)
    means = torch.randn(COMPONENTS, dim, generator=generator)
    return Gmm(weights, means, torch.rand(COMPONENTS, dim, generator=generator) + 0.5)


def descriptors(count, dim):
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(1))


def peer(gmm, dtype):
    """The mixture as scikit-image wants it."""
    model = GaussianMixture(COMPONENTS, covariance_type="diag")
    values = (value.numpy().astype(dtype) for value in (gmm.weights, gmm.means, gmm.variances))
    model.weights_, model.means_, model.covariances_ = values
    model.precisions_cholesky_ = 1 / np.sqrt(model.covariances_)
    return model


@pytest.mark.parametrize(
    ("videos", "dim"),
    [
        (1, 64),
        (8, 64),
        (8, 125),  # as many as 90 % of the variance of trajectories take
    ],
)
def test_fisher_vectors(beside, videos, dim):
    gmm, x = mixture(dim), descriptors(videos * POINTS, dim)
    segments = POINTS * torch.arange(videos + 1)
    sets = {dtype: [part.astype(dtype) for part in np.split(x.numpy(), videos)] for dtype in (np.float64, np.float32)}
    peers = {dtype: peer(gmm, dtype) for dtype in sets}

    def scikit_image(dtype):
        return np.stack([fisher_vector(part, peers[dtype]) for part in sets[dtype]])

    matrix, rows = descriptors(COMPONENTS, 1 + 2 * dim), descriptors(POINTS, 1 + 2 * dim)

    def products():  # those of posteriors, and of the sums that they weight
        for _ in range(videos):
            sums = product(product(matrix, rows.mT), rows)
        return sums

    def check(found, theirs):
        ours = found.view(videos, COMPONENTS, 2, dim).transpose(1, 2).numpy()
        for vectors in (vectors for name, vectors in theirs.items() if name != PRODUCTS):
            by_mean, by_deviation = np.split(vectors[:, COMPONENTS:], 2, axis=1)
            assert np.allclose(ours[:, 0].reshape(videos, -1), by_mean, atol=1e-4)
            assert np.allclose(ours[:, 1].reshape(videos, -1), -by_deviation, atol=1e-4)

    times = beside(
        lambda: fisher_vectors(x, segments, gmm),
        {
            "scikit-image": lambda: scikit_image(
                np.float64
            ),  # what a mixture that scikit-learn fitted to float64 gives
            "scikit-image in float32": lambda: scikit_image(np.float32),
            PRODUCTS: products,
        },
        clips=videos,
        rounds=9 if videos == 1 else 5,
        check=check,
    )
    assert times["scikit-image"] >= 3  # 5 and more in a process of its own
    assert times["scikit-image in float32"] >= 1.5
