import itertools
import math

import numpy as np
import pytest
import sklearn.metrics as sk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.functional import agreement as module
from harness.functional.agreement import (
    adjusted_mutual_information,
    adjusted_rand_index,
    completeness,
    homogeneity,
    matched_accuracy,
)

PEERS = {
    adjusted_rand_index: sk.adjusted_rand_score,
    adjusted_mutual_information: sk.adjusted_mutual_info_score,
    homogeneity: sk.homogeneity_score,
    completeness: sk.completeness_score,
}
ALL = [*PEERS, matched_accuracy]


def named(function):
    return function.__name__


def drawn(n, classes, clusters, copied, seed=0):
    """Labels, and clusters of which a share of `copied` follows them."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, n)
    found = np.where(random.random(n) < copied, labels % clusters, random.integers(0, clusters, n))
    return torch.from_numpy(labels), torch.from_numpy(found)


def mutual_information(a, b):
    n = len(a)
    joint, rows, columns = ({key: keys.count(key) for key in keys} for keys in (list(zip(a, b, strict=True)), a, b))
    return sum(m / n * math.log(n * m / (rows[i] * columns[j])) for (i, j), m in joint.items())


def all_ways(a, b, statistic):
    """Mean of a statistic over every way to deal the clusters `b` to the videos."""
    values = [statistic(a, list(dealt)) for dealt in itertools.permutations(b)]
    return sum(values) / len(values)


def together(a, b):
    pairs = list(itertools.combinations(range(len(a)), 2))
    return sum(a[i] == a[j] and b[i] == b[j] for i, j in pairs)


@pytest.mark.parametrize("function", PEERS, ids=named)
@pytest.mark.parametrize("copied", [0.0, 0.4, 1.0])
@pytest.mark.parametrize(("n", "classes", "clusters"), [(500, 10, 10), (40, 3, 9), (60, 20, 2), (3000, 4, 5)])
def test_scikit_learn_agrees(function, copied, n, classes, clusters):
    labels, found = drawn(n, classes, clusters, copied)
    assert function(labels, found).item() == pytest.approx(PEERS[function](labels, found), abs=1e-10)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(-2, 3), st.integers(0, 5)), min_size=2, max_size=30))
def test_scikit_learn_agrees_on_anything(pairs):
    labels, found = torch.tensor(pairs).unbind(1)
    for function, peer in PEERS.items():
        expected = peer(labels.numpy(), found.numpy())
        assert function(labels, found).item() == pytest.approx(expected, abs=1e-8)
        assert function(labels, found * 7 - 3) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    ("a", "b"),
    [([0, 0, 0, 1, 1, 2], [0, 0, 1, 1, 2, 2]), ([0, 0, 0, 0, 1, 1], [0, 1, 1, 1, 1, 0]), ([0, 0, 1], [0, 1, 1])],
)
def test_chance_is_the_mean_over_every_way_to_deal(a, b):
    expected = all_ways(a, b, mutual_information)
    most = (mutual_information(a, a) + mutual_information(b, b)) / 2
    score = adjusted_mutual_information(torch.tensor(a), torch.tensor(b)).item()
    assert score == pytest.approx((mutual_information(a, b) - expected) / (most - expected), abs=1e-12)

    expected = all_ways(a, b, together)
    most = (together(a, a) + together(b, b)) / 2
    score = adjusted_rand_index(torch.tensor(a), torch.tensor(b)).item()
    assert score == pytest.approx((together(a, b) - expected) / (most - expected), abs=1e-12)


@pytest.mark.parametrize(("classes", "clusters"), [(4, 4), (3, 5), (5, 3)])
def test_every_matching_is_tried(classes, clusters):
    labels, found = drawn(60, classes, clusters, 0.5, seed=classes)
    wide = max(classes, clusters)
    best = max(
        sum(matching[cluster] == label for label, cluster in zip(labels.tolist(), found.tolist(), strict=True))
        for matching in itertools.permutations(range(wide))
    )
    assert matched_accuracy(labels, found).item() == pytest.approx(best / 60)


@pytest.mark.parametrize("function", ALL, ids=named)
def test_the_same_partition_is_one(function):
    labels, _ = drawn(50, 6, 6, 1.0)
    renamed = torch.tensor([9, 4, 7, 1, 12, 0])[labels]
    assert function(labels, renamed).item() == pytest.approx(1, abs=1e-12)
    alone = torch.arange(20)
    assert function(alone, alone.flip(0)).item() == 1
    one = torch.zeros(5, dtype=torch.int64)
    assert function(one, one + 3).item() == 1
    assert function(one[:1], one[:1]).item() == 1


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (adjusted_rand_index, 0),
        (adjusted_mutual_information, 0),
        (homogeneity, 0),
        (completeness, 1),
        (matched_accuracy, 0.5),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_one_cluster_of_all(function, expected):
    labels = torch.tensor([0, 1, 1, 2, 1, 0])
    constant = torch.full((6,), 4)
    assert function(labels, constant).item() == expected
    other = {homogeneity: completeness, completeness: homogeneity}.get(function, function)
    assert other(constant, labels).item() == expected


def test_a_cluster_a_video():
    labels = torch.arange(4).repeat_interleave(3)
    alone = torch.arange(12)
    assert adjusted_rand_index(labels, alone).item() == 0
    assert adjusted_mutual_information(labels, alone).item() == pytest.approx(0, abs=1e-12)
    assert homogeneity(labels, alone).item() == 1
    assert completeness(labels, alone).item() == pytest.approx(math.log(4) / math.log(12))
    assert matched_accuracy(labels, alone).item() == pytest.approx(4 / 12)


def test_chance_is_zero_on_average_however_many_clusters():
    labels = torch.arange(400) % 20
    for clusters in (2, 20, 100):
        guessed = torch.randint(clusters, (60, 400), generator=torch.Generator().manual_seed(clusters))
        for function in (adjusted_rand_index, adjusted_mutual_information):
            scores = function(labels, guessed)
            assert abs(scores.mean().item()) < 4.5 * scores.std().item() / 60**0.5


@pytest.mark.parametrize("function", ALL, ids=named)
def test_a_batch_is_its_rows(function):
    labels, first = drawn(80, 5, 5, 0.5)
    rows = torch.stack([first, labels, torch.zeros_like(first)])
    assert function(labels, rows).tolist() == [function(labels, row).item() for row in rows]
    assert function(labels, rows[None, :2]).shape == (1, 2)


@pytest.mark.parametrize("function", ALL, ids=named)
def test_weights_are_videos_so_many_times(function):
    labels, found = drawn(60, 5, 6, 0.5)
    weights = torch.randint(0, 3, (4, 60), generator=torch.Generator().manual_seed(1))
    expected = [function(labels.repeat_interleave(draw), found.repeat_interleave(draw)).item() for draw in weights]
    assert function(labels, found, weights).tolist() == pytest.approx(expected, abs=1e-12)
    rows = torch.stack([found, labels])
    both = torch.stack([function(labels, row, weights) for row in rows])
    torch.testing.assert_close(function(labels, rows, weights), both, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("function", [adjusted_rand_index, adjusted_mutual_information], ids=named)
def test_parts_of_videos_are_refused(function):
    with pytest.raises(ValueError, match="whole numbers"):
        function(torch.tensor([0, 1]), torch.tensor([0, 1]), torch.tensor([[0.5, 1.0]]))


@pytest.mark.parametrize("function", ALL, ids=named)
def test_bad_input_is_named(function):
    labels = torch.tensor([0, 1, 2])
    with pytest.raises(ValueError, match=r"predicted must be \(\.\.\., 3\)"):
        function(labels, torch.zeros(4).long())
    with pytest.raises(ValueError, match="predicted must be integers"):
        function(labels, torch.full((3,), torch.nan))
    with pytest.raises(ValueError, match="at least one video"):
        function(labels[:0], labels[:0])
    with pytest.raises(ValueError, match="not negative"):
        function(labels, labels, torch.tensor([[1, -1, 1]]))


def test_pieces_equal_the_whole(monkeypatch):
    labels, found = drawn(300, 12, 15, 0.3)
    whole = adjusted_mutual_information(labels, found)
    monkeypatch.setattr(module, "_ELEMENTS", 7)
    torch.testing.assert_close(adjusted_mutual_information(labels, found), whole, rtol=1e-12, atol=1e-12)
