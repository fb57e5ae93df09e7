import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans as Peer

from harness.functional import batched_lloyd as module
from harness.functional.batched_lloyd import CHECKED_EVERY, batched_lloyd
from harness.functional.kmeans import kmeans, kmeans_plus_plus, lloyd
from harness.profiling.counters import count


def draw(n, dim, clusters, spread=1.0, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(clusters, dim, generator=generator, dtype=dtype)
    noise = torch.randn(n, dim, generator=generator, dtype=dtype)
    return centres[torch.arange(n) % clusters] + spread * noise


def naive(x, centres, iterations):
    """One point, one cluster at a time."""
    x, centres, before = x.numpy(), centres.numpy().copy(), None
    for _ in range(iterations):
        distances = np.array([[((point - centre) ** 2).sum() for centre in centres] for point in x])
        nearest, farthest = distances.argmin(1), iter(np.argsort(-distances.min(1), kind="stable"))
        if before is not None and (nearest == before).all():
            break
        before = nearest
        for cluster in range(len(centres)):
            members = x[nearest == cluster]
            centres[cluster] = members.mean(0) if len(members) else x[next(farthest)]
    return centres, nearest


@pytest.mark.parametrize("iterations", [1, 3, CHECKED_EVERY, CHECKED_EVERY + 2, 300])
@pytest.mark.parametrize(("n", "dim", "clusters"), [(200, 3, 7), (60, 1, 20), (150, 8, 1)])
def test_plain_loops_agree_from_starts_that_leave_clusters_empty(iterations, n, dim, clusters):
    x = draw(n, dim, 5)
    starts = x[torch.randint(n, (4, clusters), generator=torch.Generator().manual_seed(1))]
    starts[1] = 100 + torch.arange(clusters, dtype=torch.float64)[:, None]  # all but one are empty
    centres, nearest = batched_lloyd(x, starts, iterations=iterations)
    for row, start in enumerate(starts):
        expected = naive(x, start, iterations)
        torch.testing.assert_close(centres[row].numpy(), expected[0])
        assert np.array_equal(nearest[row].numpy(), expected[1])


@pytest.mark.parametrize("iterations", [2, 20, 300])
def test_one_start_at_a_time_agrees(iterations):
    x = draw(2000, 16, 30, dtype=torch.float32)
    starts = x[kmeans_plus_plus(x, 40, range(5))]
    centres, nearest = batched_lloyd(x, starts, iterations=iterations)
    for row, start in enumerate(starts):
        expected = lloyd(x, start, iterations=iterations)
        torch.testing.assert_close(centres[row], expected[0], atol=1e-5, rtol=1e-5)
        assert torch.equal(nearest[row], expected[1])


def test_scikit_learn_agrees():
    x = draw(1000, 6, 10)
    starts = x[kmeans_plus_plus(x, 12, range(3))]
    centres, nearest = batched_lloyd(x, starts, iterations=300)
    for row, start in enumerate(starts):
        peer = Peer(12, init=start.numpy(), n_init=1, tol=0).fit(x.numpy())
        assert np.array_equal(nearest[row].numpy(), peer.labels_)
        torch.testing.assert_close(centres[row].numpy(), peer.cluster_centers_)


def test_starts_converge_at_their_own_pace():
    x = draw(500, 4, 9)
    starts = x[kmeans_plus_plus(x, 9, range(6))]
    fixed = batched_lloyd(x, starts[:1], iterations=300)[0]
    starts = torch.cat([fixed, starts])
    centres, nearest = batched_lloyd(x, starts, iterations=300)
    assert torch.equal(centres[0], fixed[0])
    assert torch.equal(nearest[0], nearest[1])
    for row in range(len(starts)):
        assert torch.equal(batched_lloyd(x, starts[row : row + 1], iterations=300)[1][0], nearest[row])


def test_runs_repeat_bit_for_bit():
    x = draw(900, 12, 20, dtype=torch.float32)
    starts = x[kmeans_plus_plus(x, 20, range(3))]
    first, second = (batched_lloyd(x, starts, iterations=12) for _ in range(2))
    assert torch.equal(first[0], second[0])
    assert torch.equal(first[1], second[1])


def test_pieces_equal_the_whole(monkeypatch):
    x = draw(300, 5, 6)
    starts = x[kmeans_plus_plus(x, 8, range(3))]
    whole = batched_lloyd(x, starts, iterations=20)
    monkeypatch.setattr(module, "_ELEMENTS", 1000)
    pieces = batched_lloyd(x, starts, iterations=20)
    torch.testing.assert_close(pieces[0], whole[0])
    assert torch.equal(pieces[1], whole[1])


def test_half_precision_counts_large_clusters():
    x = torch.cat([torch.full((5000, 1), -1.0), torch.full((3000, 1), 1.0)]).half()
    centres, nearest = batched_lloyd(x, x[None, [0, -1]], iterations=3)
    assert centres.dtype == torch.float16
    assert centres.flatten().tolist() == [-1.0, 1.0]
    assert nearest[0].bincount().tolist() == [5000, 3000]


@pytest.mark.parametrize(("n", "clusters", "starts"), [(1000, 10, 1), (3000, 50, 4)])
def test_an_iteration_is_a_few_launches_and_waits_for_none(n, clusters, starts):
    x = draw(n, 8, clusters, spread=3.0, dtype=torch.float32)
    centres = x[: starts * clusters].view(starts, clusters, 8)
    few, many = (
        count(lambda: batched_lloyd(x, centres, iterations=looks * CHECKED_EVERY))  # noqa: B023
        for looks in (1, 3)
    )
    iterations = 2 * CHECKED_EVERY
    assert many.calls["addmm"] - few.calls["addmm"] == iterations  # none has converged
    assert many.kernels - few.kernels <= 25 * iterations
    assert many.synchronisations - few.synchronisations == 2


def test_k_means_by_it_is_k_means():
    x = draw(450, 10, 15, dtype=torch.float32)
    expected = kmeans(x, 15, [3, 4])
    starts = x[kmeans_plus_plus(x, 15, [3, 4])]
    centres, nearest = batched_lloyd(x, starts, iterations=300)
    torch.testing.assert_close(centres, expected.centres, atol=1e-5, rtol=1e-5)
    assert torch.equal(nearest, expected.assignments)


@pytest.mark.gpu
def test_a_cuda_device_finds_the_same_clusters():
    x = draw(5000, 32, 40, spread=0.3, dtype=torch.float32)
    ours, expected = kmeans(x.cuda(), 40, range(4)), kmeans(x, 40, range(4))
    assert torch.equal(ours.assignments.cpu(), expected.assignments)
    torch.testing.assert_close(ours.inertia.cpu(), expected.inertia, rtol=1e-5, atol=0)
    again = kmeans(x.cuda(), 40, range(4))
    assert torch.equal(again.centres, ours.centres)
