import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans as Peer
from sklearn.metrics import adjusted_rand_score

from harness.functional import kmeans as module
from harness.functional.kmeans import kmeans, kmeans_plus_plus


def blobs(clusters, n, dim, spread, seed=0):
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(clusters, dim, generator=generator)
    labels = torch.arange(n) % clusters
    return centres[labels] + spread * torch.randn(n, dim, generator=generator), labels


def naive(x, start, iterations=300):
    """Lloyd's algorithm in plain loops, from given centres."""
    x, centres = x.double().numpy(), x.double().numpy()[start]
    for _ in range(iterations):
        distances = np.array([[((point - centre) ** 2).sum() for centre in centres] for point in x])
        nearest = distances.argmin(1)
        empty = [c for c in range(len(centres)) if not (nearest == c).any()]
        farthest = np.argsort(-distances.min(1), kind="stable")
        moved = np.array([x[nearest == c].mean(0) if c not in empty else np.nan * x[0] for c in range(len(centres))])
        for c, point in zip(empty, farthest, strict=False):
            moved[c] = x[point]
        if np.array_equal(moved, centres):
            break
        centres = moved
    return nearest, distances.min(1).sum()


def test_separated_blobs_are_found():
    x, labels = blobs(8, 400, 16, 0.1)
    result = kmeans(x, 8, range(5))
    assert [adjusted_rand_score(labels, row) for row in result.assignments] == [1.0] * 5


def test_inertia_is_within_a_percent_of_scikit_learn():
    x, _ = blobs(20, 1000, 32, 1.5)
    ours = kmeans(x, 20, range(10)).inertia
    peer = [Peer(20, n_init=1, random_state=seed).fit(x.numpy()).inertia_ for seed in range(10)]
    assert ours.mean().item() == pytest.approx(np.mean(peer), rel=0.01)
    assert ours.min().item() == pytest.approx(min(peer), rel=0.01)


def test_plain_loops_from_the_same_start_agree():
    x, _ = blobs(5, 90, 4, 0.8, seed=3)
    seeds = [0, 1, 2, 3]
    result = kmeans(x, 7, seeds)
    for row, start in enumerate(kmeans_plus_plus(x, 7, seeds)):
        nearest, inertia = naive(x, start.numpy())
        assert np.array_equal(result.assignments[row].numpy(), nearest)
        assert result.inertia[row].item() == pytest.approx(inertia, rel=1e-5)


def test_a_result_is_a_fixed_point():
    x, _ = blobs(6, 200, 8, 1.0)
    result = kmeans(x, 6, [4])
    members = torch.nn.functional.one_hot(result.assignments[0], 6).float()
    torch.testing.assert_close(result.centres[0], (members.mT @ x) / members.sum(0)[:, None], rtol=1e-4, atol=1e-5)
    assert torch.equal(torch.cdist(x, result.centres[0]).argmin(1), result.assignments[0])


def test_a_seed_does_not_depend_on_its_neighbours_and_repeats():
    x, _ = blobs(10, 300, 8, 0.5)
    together = kmeans(x, 10, [5, 3, 8])
    alone = kmeans(x, 10, [3])
    assert torch.equal(together.assignments[1], alone.assignments[0])
    assert torch.equal(together.assignments, kmeans(x, 10, [5, 3, 8]).assignments)
    assert len({tuple(row.tolist()) for row in together.assignments}) == 3


def test_pieces_equal_the_whole(monkeypatch):
    x, _ = blobs(6, 200, 8, 0.3)
    whole = kmeans(x, 6, range(4))
    monkeypatch.setattr(module, "_ELEMENTS", 200)
    pieces = kmeans(x, 6, range(4))
    assert torch.equal(pieces.assignments, whole.assignments)
    torch.testing.assert_close(pieces.inertia, whole.inertia)


@pytest.mark.parametrize("elements", [2**22, 300])
def test_what_is_known_of_unchanged_centres_is_as_good_as_comparing_anew(monkeypatch, elements):
    monkeypatch.setattr(module, "_ELEMENTS", elements)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 3, generator=generator, dtype=torch.float64)
    centres = torch.randn(12, 3, generator=generator, dtype=torch.float64)
    found = module._search(x, centres)
    for step in range(30):
        new = torch.rand(12, generator=generator) < 0.3
        drift = torch.randn(12, 3, generator=generator, dtype=torch.float64) * 0.9**step
        centres = torch.where(new[:, None], centres + drift, centres)
        module._update(x, centres, new, found)
        scores = (centres.square().sum(1) - 2 * x @ centres.mT).sort(1)
        assert torch.equal(found.nearest, scores.indices[:, 0])
        torch.testing.assert_close(found.scores, scores.values[:, 0])
        assert (found.others <= scores.values[:, 1] + 1e-9).all()


def test_an_empty_cluster_restarts_at_the_farthest_point():
    x = torch.tensor([[0.0], [1.0], [2.0], [50.0], [90.0]])
    nearest = torch.tensor([0, 0, 0, 2, 2])
    scores = torch.tensor([1.0, 0.0, 1.0, 400.0, 401.0]) - x.square().sum(1)
    new = torch.tensor([True, False, True, False])
    centres = module._means(x, torch.zeros(4, 1), new, module._Assignment(nearest, scores, scores))
    assert new.all()
    assert centres.flatten().tolist() == [1.0, 90.0, 70.0, 50.0]


def test_a_cluster_that_empties_on_the_way_is_filled_again(monkeypatch):
    x = torch.tensor([[0.0], [1.0], [2.0], [-63.0], [-64.0], [62.0], [65.0]])
    equal = torch.tensor([[0, 0, 0]])  # two clusters are empty at once
    monkeypatch.setattr(module, "plus_plus", lambda *_: equal)
    result = kmeans(x, 3, [0])
    assert adjusted_rand_score([0, 0, 0, 1, 1, 2, 2], result.assignments[0]) == 1.0


def test_fewer_different_points_than_clusters():
    x = torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 1.0], [1.0, 1.0]])
    result = kmeans(x, 3, range(3))
    assert result.inertia.tolist() == pytest.approx([0, 0, 0], abs=1e-10)
    assert (result.assignments[:, 0] != result.assignments[:, 2]).all()


@pytest.mark.parametrize("k", [1, 12])
def test_one_cluster_and_a_cluster_a_point(k):
    x, _ = blobs(3, 12, 2, 1.0)
    result = kmeans(x, k, [0])
    expected = (x - x.mean(0)).square().sum().item() if k == 1 else 0
    assert result.inertia.item() == pytest.approx(expected, rel=1e-5, abs=1e-10)
    assert result.assignments.unique().numel() == k


@settings(max_examples=15, deadline=None)
@given(scale=st.floats(-15, 15).map(lambda e: 10.0**e), shift=st.floats(-50, 50), seed=st.integers(0, 2**32 - 1))
def test_scale_and_shift_do_not_matter(scale, shift, seed):
    x, _ = blobs(4, 60, 5, 0.2)
    plain = kmeans(x, 4, [seed])
    moved = kmeans((x + shift) * scale, 4, [seed])
    assert torch.equal(moved.assignments, plain.assignments)
    assert moved.inertia.item() == pytest.approx(plain.inertia.item() * scale**2, rel=1e-2)


def test_starts_are_far_apart():
    x, labels = blobs(9, 300, 6, 0.01)
    starts = kmeans_plus_plus(x, 9, range(20))
    assert starts.shape == (20, 9)
    assert all(labels[row].unique().numel() == 9 for row in starts)


def test_the_first_start_is_uniform():
    starts = kmeans_plus_plus(torch.arange(4.0)[:, None], 1, range(4000)).flatten().bincount(minlength=4)
    assert (starts - 1000).abs().max() < 4.5 * (4000 * 3 / 16) ** 0.5


def test_float64_stays_float64():
    result = kmeans(blobs(3, 30, 2, 0.1)[0].double(), 3, [0])
    assert result.centres.dtype == torch.float64


@pytest.mark.parametrize(
    ("x", "k", "seeds", "options", "message"),
    [
        (torch.zeros(3), 1, [0], {}, r"x must be \(N, D\)"),
        (torch.zeros(3, 2).long(), 1, [0], {}, "floating point"),
        (torch.tensor([[torch.nan]]), 1, [0], {}, "finite"),
        (torch.rand(3, 2), 4, [0], {}, "between 1 and the 3 points, got 4"),
        (torch.rand(3, 2), 0, [0], {}, "got 0"),
        (torch.rand(3, 2), 2, [], {}, "seed"),
        (torch.rand(3, 2), 2, [0], {"iterations": 0}, "iterations"),
    ],
)
def test_bad_input_is_named(x, k, seeds, options, message):
    with pytest.raises(ValueError, match=message):
        kmeans(x, k, seeds, **options)
