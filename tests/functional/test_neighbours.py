import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from harness.functional import neighbours as module
from harness.functional.neighbours import nearest_neighbours


def naive(x, k):
    """Distances and indices by plain loops over all pairs."""
    rows = []
    for i, a in enumerate(x.double().tolist()):
        others = [
            (sum((p - q) ** 2 for p, q in zip(a, b, strict=True)) ** 0.5, j)
            for j, b in enumerate(x.double().tolist())
            if j != i
        ]
        rows.append(sorted(others)[:k])
    return torch.tensor([[d for d, _ in row] for row in rows]), torch.tensor([[j for _, j in row] for row in rows])


def points(n, dim, seed=0):
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=25, deadline=None)
@given(n=st.integers(2, 40), dim=st.integers(1, 6), k=st.integers(1, 39), tile=st.integers(1, 45))
def test_plain_loops_agree_whatever_the_tiles(n, dim, k, tile):
    k = min(k, n - 1)
    x = points(n, dim, seed=n)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_TILE", tile)
        distances, index = nearest_neighbours(x.double(), k)
    expected, where = naive(x, k)
    torch.testing.assert_close(distances, expected.double(), rtol=1e-6, atol=1e-6)
    assert torch.equal(index, where)


@pytest.mark.parametrize("dim", [3, 200])
def test_scikit_learn_agrees(dim, monkeypatch):
    x = points(700, dim)
    expected, where = NearestNeighbors(n_neighbors=8, algorithm="brute").fit(x.numpy()).kneighbors()
    monkeypatch.setattr(module, "_TILE", 256)
    distances, index = nearest_neighbours(x, 8)
    torch.testing.assert_close(distances.double(), torch.from_numpy(expected).double(), rtol=1e-3, atol=1e-3)
    assert (index == torch.from_numpy(where)).float().mean() > 0.999  # rounding may swap two of a distance


def test_a_point_is_not_its_own_neighbour_but_its_copy_is():
    x = torch.tensor([[1.0, 2.0], [5.0, 5.0], [1.0, 2.0], [5.5, 5.0]])
    distances, index = nearest_neighbours(x, 1)
    assert index.flatten().tolist() == [2, 3, 0, 1]
    assert distances.flatten().tolist() == pytest.approx([0, 0.5, 0, 0.5], abs=1e-3)


def test_on_unit_length_they_are_those_of_cosine_similarity():
    x = torch.nn.functional.normalize(points(120, 10), dim=1)
    cosine = (x @ x.mT).fill_diagonal_(-2)
    distances, index = nearest_neighbours(x, 5)
    assert torch.equal(index, cosine.topk(5).indices)
    torch.testing.assert_close(1 - distances.square() / 2, cosine.topk(5).values, rtol=1e-4, atol=1e-5)


def test_a_shift_far_away_does_not_matter():
    x = points(60, 4)
    assert torch.equal(nearest_neighbours(x + 1000, 3)[1], nearest_neighbours((x + 1000).double(), 3)[1])


@pytest.mark.parametrize(
    ("x", "k", "message"),
    [
        (torch.zeros(3), 1, r"x must be \(N, D\)"),
        (torch.zeros(3, 2).long(), 1, "floating point"),
        (torch.tensor([[torch.inf], [0.0]]), 1, "finite"),
        (torch.zeros(3, 2), 3, "between 1 and the 2 other points, got 3"),
        (torch.zeros(3, 2), 0, "got 0"),
    ],
)
def test_bad_input_is_named(x, k, message):
    with pytest.raises(ValueError, match=message):
        nearest_neighbours(x, k)
