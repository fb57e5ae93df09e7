"""Neighbours stay neighbours, and the same vectors give the same map."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.spatial.distance import pdist, squareform
from sklearn.manifold import trustworthiness
from threadpoolctl import threadpool_limits

from harness.embeddings.tsne import perplexity, tsne
from harness.errors import DataError


def blobs(count=60, dim=16, seed=0):
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    return (4 * random.normal(size=(3, dim))[labels] + random.normal(size=(count, dim))).astype(np.float32), labels


def divergence(vectors, places):
    """KL(P || Q) of t-SNE, straight from its definition."""
    squared = squareform(pdist(vectors.astype(np.float64), "sqeuclidean"))
    rows = []
    for index, distances in enumerate(squared):
        others = np.delete(distances, index)

        def weights(width, others=others):
            found = np.exp(-(others - others.min()) / width)
            return found / found.sum()

        def excess(log_width, weights=weights):
            shares = weights(np.exp(log_width)) + 1e-300
            return -(shares * np.log(shares)).sum() - np.log(perplexity(len(vectors)))

        rows.append(np.insert(weights(np.exp(brentq(excess, -5, 15))), index, 0))
    p = np.array(rows)
    p = (p + p.T) / p.sum() / 2
    q = 1 / (1 + squareform(pdist(places.astype(np.float64), "sqeuclidean")))
    np.fill_diagonal(q, 0)
    q /= q.sum()
    there = p > 1e-12
    return (p[there] * np.log(p[there] / q[there])).sum()


def test_the_map_says_more_of_the_neighbours_than_the_main_axes():
    vectors, _ = blobs()
    places = tsne(vectors, seed=0)
    assert places.shape == (60, 2)
    assert places.dtype == np.float32
    centred = vectors - vectors.mean(0)
    axes = centred @ np.linalg.svd(centred, full_matrices=False)[2][:2].T
    best_axes = min(divergence(vectors, axes * scale) for scale in (0.01, 0.1, 1, 10, 100))
    assert divergence(vectors, places) < 0.7 * best_axes
    assert trustworthiness(vectors, places) > 0.9 > trustworthiness(vectors, np.roll(places, 7, axis=0))


def test_points_of_a_class_lie_together():
    vectors, labels = blobs()
    distances = squareform(pdist(tsne(vectors, seed=0)))
    np.fill_diagonal(distances, np.inf)
    assert (labels[distances.argmin(1)] == labels).all()


def test_the_same_vectors_give_the_same_map_on_any_number_of_cores():
    vectors, _ = blobs(300)
    first = tsne(vectors, seed=1)
    with threadpool_limits(2):
        assert np.array_equal(tsne(vectors, seed=1), first)


def test_vectors_of_length_one_lie_on_their_line():
    places = tsne(np.arange(12, dtype=np.float32)[:, None] ** 2, seed=0)
    assert np.isfinite(places).all()
    assert trustworthiness(np.arange(12)[:, None], places, n_neighbors=2) > 0.9


def test_five_points_are_enough_and_four_are_not():
    vectors, _ = blobs(5)
    assert np.isfinite(tsne(vectors, seed=0)).all()
    with pytest.raises(DataError, match="4 points are too few for a map; it needs at least 5"):
        tsne(vectors[:4], seed=0)


def test_a_map_of_one_vector_is_refused():
    with pytest.raises(DataError, match="all 6 points have the same vector"):
        tsne(np.ones((6, 3), dtype=np.float32), seed=0)
