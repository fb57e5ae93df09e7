import sys

import numpy as np
import pytest
import torch
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_rand_score

from harness.functional import spectral as module
from harness.functional.kmeans import kmeans
from harness.functional.spectral import spectral, spectral_embedding


def blobs(clusters, n, dim, spread, seed=0):
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(clusters, dim, generator=generator)
    labels = torch.arange(n) % clusters
    return centres[labels] + spread * torch.randn(n, dim, generator=generator), labels


def rings(n):
    """Three rings around one centre, which no straight line tells apart."""
    angles = torch.arange(n) * 2.399963
    labels = torch.arange(n) % 3
    radius = 1.0 + 2 * labels + 0.05 * torch.randn(n, generator=torch.Generator().manual_seed(0))
    return torch.stack([radius * angles.cos(), radius * angles.sin()], 1), labels


def naive(x, neighbours=None):
    """Affinity, normalised, of Ng, Jordan and Weiss in plain numpy."""
    x = x.double().numpy()
    distances = np.array([[np.sqrt(((a - b) ** 2).sum()) for b in x] for a in x])
    upper = distances[np.triu_indices(len(x), 1)]
    width = np.sort(upper[upper > 0])[(np.count_nonzero(upper) - 1) // 2]
    affinity = np.exp(-(distances**2) / (2 * width**2))
    np.fill_diagonal(affinity, 0)
    if neighbours is not None:
        np.fill_diagonal(distances, np.inf)
        keep = np.zeros(affinity.shape, dtype=bool)
        for row, order in enumerate(distances.argsort(1)):
            keep[row, order[:neighbours]] = True
        affinity = affinity * (keep | keep.T)
    degree = affinity.sum(1)
    return affinity / np.sqrt(degree[:, None] * degree)


@pytest.mark.parametrize("neighbours", [None, 4])
def test_the_normalised_affinity_is_that_of_plain_numpy(neighbours):
    x, _ = blobs(3, 50, 4, 0.4)
    expected = torch.from_numpy(naive(x, neighbours)).float()
    multiply, lowest = module._dense(x) if neighbours is None else module._graph(x, neighbours)
    torch.testing.assert_close(multiply(torch.eye(50)), expected, rtol=1e-4, atol=1e-5)
    assert lowest - 1e-6 <= torch.linalg.eigvalsh(expected.double()).min()


@pytest.mark.parametrize("neighbours", [None, 6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_embedding_is_that_of_plain_numpy(neighbours, dtype):
    x, _ = blobs(4, 60, 5, 0.5)
    vectors = np.linalg.eigh(naive(x, neighbours))[1][:, ::-1][:, :4]
    rows = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    found = spectral_embedding(x.to(dtype), 4, neighbours=neighbours)
    assert found.dtype == dtype
    # Vectors are free to turn among equal eigenvalues; the products of rows are not.
    torch.testing.assert_close(found @ found.mT, torch.from_numpy(rows @ rows.T).to(dtype), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("neighbours", [None, 8])
def test_iteration_finds_the_exact_eigenvectors(neighbours, monkeypatch):
    x, _ = blobs(6, 400, 16, 0.6)
    exact = spectral_embedding(x, 6, neighbours=neighbours)
    monkeypatch.setattr(module, "_EXACT", 10)
    found = spectral_embedding(x, 6, neighbours=neighbours)
    torch.testing.assert_close(found @ found.mT, exact @ exact.mT, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("n", [90, 1500])
@pytest.mark.parametrize("neighbours", [None, 10])
def test_separated_blobs_are_found(neighbours, n):
    x, labels = blobs(9, n, 12, 0.2)
    assert adjusted_rand_score(labels, spectral(x, 9, neighbours=neighbours)) == 1
    assert adjusted_rand_score(labels, spectral(x.double() * 1e-12 + 3, 9, neighbours=neighbours)) == 1


@pytest.mark.parametrize("n", [300, 1500])
def test_rings_are_found_where_k_means_finds_none(n):
    x, labels = rings(n)
    assert adjusted_rand_score(labels, spectral(x, 3, neighbours=6)) == 1
    assert adjusted_rand_score(labels, kmeans(x, 3, [0]).assignments[0]) < 0.2


@pytest.mark.skipif(
    sys.version_info < (3, 11), reason="the last scikit-learn for Python 3.10 joins parts of a graph in pieces"
)
@pytest.mark.filterwarnings("ignore:Graph is not fully connected")
@pytest.mark.parametrize(("spread", "n"), [(0.5, 600), (0.5, 1600), (0.9, 600)])
def test_scikit_learn_agrees_on_the_graph(spread, n):
    x, labels = blobs(12, n, 48, spread)
    peer = SpectralClustering(
        12, affinity="nearest_neighbors", n_neighbors=10, assign_labels="cluster_qr", random_state=0
    ).fit_predict(x.numpy())
    assert adjusted_rand_score(peer, spectral(x, 12, neighbours=10)) == 1
    assert adjusted_rand_score(labels, peer) > 0.99


def test_scikit_learn_agrees_on_all_pairs():
    x, _ = blobs(7, 400, 20, 0.5)
    gamma = 1 / (2 * torch.nn.functional.pdist(x).median().item() ** 2)
    peer = SpectralClustering(7, gamma=gamma, random_state=0).fit_predict(x.numpy())
    assert adjusted_rand_score(peer, spectral(x, 7)) == 1


def test_a_graph_in_pieces_is_exact():
    """More components than vectors to spare: every eigenvalue of the block is 1."""
    x = 100.0 * torch.eye(30).repeat_interleave(50, 0) + torch.randn(
        1500, 30, generator=torch.Generator().manual_seed(0)
    )
    found = spectral_embedding(x, 30, neighbours=5)
    labels = torch.arange(30).repeat_interleave(50)
    same = (labels[:, None] == labels).float()
    torch.testing.assert_close(found @ found.mT, same, rtol=1e-3, atol=1e-3)
    assert adjusted_rand_score(labels, spectral(x, 30, neighbours=5)) == 1
    fewer = spectral(x, 10, neighbours=5)
    assert fewer.unique().numel() == 10


def test_many_points_take_the_graph(monkeypatch):
    x, labels = blobs(5, 200, 8, 0.3)
    monkeypatch.setattr(module, "DENSE", 199)
    monkeypatch.setattr(module, "_dense", None)
    assert torch.equal(spectral_embedding(x, 5), spectral_embedding(x, 5, neighbours=module.NEIGHBOURS))
    assert adjusted_rand_score(labels, spectral(x, 5)) == 1


@pytest.mark.parametrize("neighbours", [None, 10])
def test_it_repeats(neighbours):
    x, _ = blobs(8, 1500, 16, 0.9)
    assert torch.equal(spectral(x, 8, neighbours=neighbours), spectral(x, 8, neighbours=neighbours))


@pytest.mark.parametrize("neighbours", [None, 3])
def test_copies_and_one_outlier(neighbours):
    same = spectral(torch.ones(6, 2), 2, neighbours=neighbours)
    assert same.shape == (6,)
    x = torch.cat([blobs(2, 40, 3, 0.05)[0], torch.full((1, 3), 1e3)]).double()
    found = spectral_embedding(x, 2, neighbours=neighbours)
    assert found.isfinite().all()
    assert adjusted_rand_score(torch.arange(40) % 2, spectral(x, 2, neighbours=neighbours)[:40]) == 1


def test_a_point_of_its_own_is_a_cluster():
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    assert spectral(x, 5).unique().numel() == 5
    assert spectral(x, 1).tolist() == [0] * 5


def test_half_precision_is_computed_in_single():
    x, labels = blobs(4, 80, 8, 0.1)
    assert spectral_embedding(x.bfloat16(), 4).dtype == torch.float32
    assert adjusted_rand_score(labels, spectral(x.bfloat16(), 4)) == 1


@pytest.mark.parametrize(
    ("x", "k", "neighbours", "message"),
    [
        (torch.zeros(3), 1, None, r"x must be \(N, D\)"),
        (torch.zeros(1, 2), 1, None, "at least 2 points"),
        (torch.zeros(3, 2).long(), 1, None, "floating point"),
        (torch.tensor([[torch.nan], [1.0]]), 1, None, "finite"),
        (torch.rand(3, 2), 4, None, "between 1 and the 3 points, got 4"),
        (torch.rand(3, 2), 0, None, "got 0"),
        (torch.rand(3, 2), 2, 3, "between 1 and the 2 other points, got 3"),
        (torch.rand(3, 2), 2, 0, "got 0"),
    ],
)
def test_bad_input_is_named(x, k, neighbours, message):
    with pytest.raises(ValueError, match=message):
        spectral(x, k, neighbours=neighbours)
