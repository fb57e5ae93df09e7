import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from harness.functional import similarities
from harness.functional.knn import nearest, vote, vote_shares


def knn(gallery, labels, queries=None, *, k, temperature=0.07):
    similarities, index = nearest(gallery, queries, k=k)
    return vote(similarities, labels[index], temperature=temperature)


def draw(n=80, m=30, dim=5, classes=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (n,), generator=generator)
    points = torch.randn(n + m, dim, generator=generator)
    return points[:n], labels, points[n:]


def brute(gallery, labels, queries, k, temperature, own=False):
    """One query and one neighbour at a time."""
    found = []
    for position, query in enumerate(queries.double().numpy()):
        neighbours = []
        for index, point in enumerate(gallery.double().numpy()):
            if own and index == position:
                continue
            norm = np.linalg.norm(query) * np.linalg.norm(point)
            neighbours.append((-(query @ point) / norm if norm else 0.0, index))
        votes = {}
        for negative, index in sorted(neighbours)[:k]:
            label = int(labels[index])
            votes[label] = votes.get(label, 0.0) + np.exp(-negative / temperature)
        found.append(max(sorted(votes), key=votes.get))
    return found


@pytest.mark.parametrize("k", [1, 7, 80])
@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_brute_force_agrees(k, temperature):
    gallery, labels, queries = draw()
    found = knn(gallery, labels, queries, k=k, temperature=temperature)
    assert found.tolist() == brute(gallery, labels, queries, k, temperature)


@pytest.mark.parametrize("k", [1, 7, 79])
def test_brute_force_agrees_leaving_each_point_out(k):
    gallery, labels, _ = draw()
    assert knn(gallery, labels, k=k).tolist() == brute(gallery, labels, gallery, k, 0.07, own=True)


@pytest.mark.parametrize("k", [1, 15])
def test_shares_are_the_probabilities_of_scikit_learn(k):
    gallery, labels, queries = draw(200, 100, 8)
    peer = KNeighborsClassifier(k, weights=lambda d: np.exp((1 - d) / 0.07), metric="cosine", algorithm="brute")
    expected = peer.fit(gallery.numpy(), labels.numpy()).predict_proba(queries.numpy())
    similarities, index = nearest(gallery, queries, k=k)
    shares = vote_shares(similarities, labels[index], classes=5)
    assert shares[:, :4].numpy() == pytest.approx(expected, abs=1e-5)
    assert not shares[:, 4].any()
    assert shares.argmax(1).tolist() == knn(gallery, labels, queries, k=k).tolist()


def test_scikit_learn_agrees():
    gallery, labels, queries = draw(200, 100, 8)
    peer = KNeighborsClassifier(15, weights=lambda d: np.exp((1 - d) / 0.07), metric="cosine", algorithm="brute")
    expected = peer.fit(gallery.numpy(), labels.numpy()).predict(queries.numpy())
    assert knn(gallery, labels, queries, k=15).tolist() == expected.tolist()


@pytest.mark.parametrize("queries", [True, False])
def test_pieces_equal_the_whole(queries, monkeypatch):
    gallery, labels, asked = draw()
    asked = asked if queries else None
    whole = knn(gallery, labels, asked, k=7)
    monkeypatch.setattr(similarities, "_ELEMENTS", 250)
    monkeypatch.setattr(similarities, "_ROWS", 1)
    assert torch.equal(knn(gallery, labels, asked, k=7), whole)


def test_a_point_does_not_vote_for_itself():
    gallery, labels = torch.tensor([[1.0, 0.0], [0.8, 0.2], [0.0, 1.0]]), torch.tensor([0, 1, 1])
    assert knn(gallery, labels, gallery, k=1).tolist() == [0, 1, 1]
    assert knn(gallery, labels, k=1).tolist() == [1, 0, 1]


def test_temperature_weighs_one_near_against_two_far():
    gallery = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.6, -0.8]])
    labels, query = torch.tensor([1, 0, 0]), torch.tensor([[1.0, 0.0]])
    # e^(1/T) against 2 e^(0.6/T): equal at T = 0.4 / ln 2 = 0.577
    assert knn(gallery, labels, query, k=3, temperature=0.57).item() == 1
    assert knn(gallery, labels, query, k=3, temperature=0.59).item() == 0


def test_tiny_temperatures_do_not_overflow():
    gallery, labels, queries = draw()
    assert torch.equal(knn(gallery, labels, queries, k=9, temperature=1e-4), knn(gallery, labels, queries, k=1))


def test_the_order_of_votes_does_not_matter():
    generator = torch.Generator().manual_seed(0)
    similarities = torch.rand((500, 40), generator=generator).sort(1, descending=True).values
    similarities[:, 20:] = similarities[:, :20]  # two classes have the same votes
    labels = torch.cat([torch.full((500, 20), 4), torch.full((500, 20), 2)], dim=1)
    assert (vote(similarities, labels) == 2).all()
    mixed = torch.rand((500, 40), generator=generator).argsort(1)
    assert (vote(similarities.gather(1, mixed), labels.gather(1, mixed)) == 2).all()


def test_equal_votes_go_to_the_lower_class():
    gallery = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    assert knn(gallery, torch.tensor([3, 2]), torch.tensor([[1.0, 0.0]]), k=2).item() == 2


def test_a_zero_vector_is_as_far_from_everything():
    gallery = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    assert knn(gallery, torch.tensor([0, 1, 1]), torch.zeros(1, 2), k=3).item() == 1


@settings(max_examples=25, deadline=None)
@given(scales=st.lists(st.floats(1e-3, 1e3), min_size=110, max_size=110), seed=st.integers(0, 99))
def test_lengths_do_not_matter(scales, seed):
    gallery, labels, queries = draw(seed=seed)
    factors = torch.tensor(scales)[:, None]
    scaled = knn(gallery * factors[:80], labels, queries * factors[80:], k=5)
    assert torch.equal(scaled, knn(gallery, labels, queries, k=5))


def test_neighbours_come_nearest_first_with_their_cosines():
    gallery, _, queries = draw()
    similarities, index = nearest(gallery, queries, k=80)
    cosines = torch.cosine_similarity(queries[:, None], gallery[None], dim=2)
    torch.testing.assert_close(similarities, cosines.gather(1, index))
    assert (similarities.diff(dim=1) <= 0).all()
    assert torch.equal(index.sort(1).values, torch.arange(80).expand(30, 80))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gallery": torch.zeros(4)}, "gallery and queries"),
        ({"queries": torch.zeros(2, 3)}, "gallery and queries"),
        ({"queries": torch.zeros(0, 2)}, "gallery and queries"),
        ({"queries": torch.tensor([[torch.nan, 0.0]])}, "finite"),
        ({"k": 0}, "between 1 and 4, got 0"),
        ({"k": 5}, "between 1 and 4, got 5"),
        ({"k": 4, "queries": None}, "between 1 and 3, got 4"),
    ],
)
def test_bad_points_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        nearest(**{"gallery": torch.rand(4, 2), "queries": torch.rand(2, 2), "k": 2, **change})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": torch.zeros(2, 2).long()}, r"must both be \(M, k\)"),
        ({"labels": torch.tensor([[0, -1, 0]])}, "not negative"),
        ({"labels": torch.zeros(1, 3)}, "int64"),
        ({"temperature": 0.0}, "temperature"),
    ],
)
def test_bad_votes_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        vote(**{"similarities": torch.rand(1, 3), "labels": torch.tensor([[0, 1, 0]]), **change})
