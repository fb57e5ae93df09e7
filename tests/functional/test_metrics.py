import math

import numpy as np
import pytest
import sklearn.metrics as sk
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from harness.functional import contingency
from harness.functional.metrics import (
    accuracy,
    conditional_entropy,
    entropy,
    mean,
    mean_class_accuracy,
    normalized_mutual_information,
    purity,
)
from harness.functional.statistics import STATISTICS

# Test videos of each class in UCF101's split 1.
UCF101 = [
    44, 32, 41, 35, 31, 43, 43, 35, 37, 48, 38, 40, 38, 33, 30, 43, 49, 37, 28, 36, 33, 39, 36, 49, 33, 45,
    45, 34, 40, 36, 37, 37, 39, 33, 45, 33, 28, 34, 41, 37, 35, 49, 34, 46, 31, 40, 38, 37, 36, 34, 39, 37,
    33, 45, 34, 35, 37, 33, 44, 41, 49, 48, 43, 28, 44, 31, 28, 40, 35, 28, 39, 30, 28, 41, 34, 36, 43, 43,
    46, 32, 40, 28, 31, 39, 41, 32, 34, 33, 42, 39, 28, 49, 38, 32, 43, 28, 35, 36, 35, 45, 36,
]  # fmt: skip


def videos(table):
    """Labels and clusters of a contingency table, classes x clusters."""
    counts = torch.tensor(table)
    rows, columns = torch.meshgrid(*map(torch.arange, counts.shape), indexing="ij")
    return rows.flatten().repeat_interleave(counts.flatten()), columns.flatten().repeat_interleave(counts.flatten())


def draw(seed, n=60, classes=5, clusters=7, repeats=3):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (n,), generator=generator)
    return labels, torch.randint(clusters, (repeats, n), generator=generator)


@pytest.mark.parametrize(
    ("table", "bits"),
    [
        ([[5, 0], [0, 5]], 0.0),
        ([[5, 5], [5, 5]], 1.0),
        ([[9, 1], [1, 9]], 0.1 * math.log2(10) + 0.9 * math.log2(10 / 9)),
        ([[2, 0], [2, 0], [0, 4]], 0.5),
        ([[3, 3, 3, 3], [1, 1, 1, 1]], 0.25 * math.log2(4) + 0.75 * math.log2(4 / 3)),
    ],
)
def test_conditional_entropy_of_hand_tables(table, bits):
    assert conditional_entropy(*videos(table)).item() == pytest.approx(bits, abs=1e-12)


def test_the_published_hand_value():
    assert round(conditional_entropy(*videos([[9, 1], [1, 9]])).item(), 3) == 0.469


def test_entropy_of_hand_counts():
    assert entropy(torch.tensor([3, 3, 8, 9])).item() == pytest.approx(1.5)
    assert entropy(torch.tensor([4, 4])).item() == 0
    assert entropy(torch.tensor([0, 1, 1]), torch.tensor([[1, 1, 0], [3, 1, 2], [1, 0, 0]])).tolist() == [1, 1, 0]


def test_hand_values_of_the_accuracies():
    labels = torch.tensor([0, 0, 0, 1, 1, 2])
    predicted = torch.tensor([[0, 0, 1, 1, 1, 2], [0, 0, 0, 0, 0, 0]])
    assert accuracy(labels, predicted).tolist() == pytest.approx([5 / 6, 1 / 2])
    assert mean_class_accuracy(labels, predicted).tolist() == pytest.approx([(2 / 3 + 1 + 1) / 3, 1 / 3])


def test_a_class_outside_a_draw_leaves_the_mean():
    labels, predicted = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1])
    assert mean_class_accuracy(labels, predicted, torch.tensor([[1, 1, 0], [1, 3, 1]])).tolist() == [0.5, 0.625]


@pytest.mark.parametrize("seed", range(5))
def test_scikit_learn_agrees(seed):
    labels, predicted = draw(seed)
    for row in range(len(predicted)):
        truth, found = labels.numpy(), predicted[row].numpy()
        recalls = sk.recall_score(truth, found, average=None, labels=np.unique(truth), zero_division=0)
        nats = sk.mutual_info_score(truth, found)
        table = sk.cluster.contingency_matrix(truth, found)
        expected = {
            "accuracy": sk.accuracy_score(truth, found),
            "mean": found.mean(),
            "mean_class_accuracy": recalls.mean(),
            "conditional_entropy": entropy(labels).item() - nats / math.log(2),
            "normalized_mutual_information": sk.normalized_mutual_info_score(truth, found),
            "purity": table.max(0).sum() / len(truth),
            "adjusted_rand_index": sk.adjusted_rand_score(truth, found),
            "adjusted_mutual_information": sk.adjusted_mutual_info_score(truth, found),
            "matched_accuracy": table[linear_sum_assignment(table, maximize=True)].sum() / len(truth),
            "homogeneity": sk.homogeneity_score(truth, found),
            "completeness": sk.completeness_score(truth, found),
        }
        for name, statistic in STATISTICS.items():
            assert statistic(labels, predicted)[row].item() == pytest.approx(expected[name], abs=1e-12)


def test_entropy_times_one_minus_homogeneity():
    labels, predicted = draw(9)
    expected = entropy(labels) * (1 - sk.homogeneity_score(labels.numpy(), predicted[0].numpy()))
    assert conditional_entropy(labels, predicted[0]).item() == pytest.approx(expected.item(), abs=1e-12)


@pytest.mark.parametrize("name", STATISTICS)
def test_weights_count_videos(name):
    labels, predicted = draw(3, n=20)
    counts = torch.randint(4, (6, 20), generator=torch.Generator().manual_seed(0))
    found = STATISTICS[name](labels, predicted, counts)
    assert found.shape == (3, 6)
    for draw_, times in enumerate(counts):
        repeated = STATISTICS[name](labels.repeat_interleave(times), predicted.repeat_interleave(times, dim=1))
        torch.testing.assert_close(found[:, draw_], repeated, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", STATISTICS)
def test_draws_in_pieces_equal_draws_at_once(name, monkeypatch):
    labels, predicted = draw(4, n=20)
    counts = torch.randint(1, 4, (7, 20), generator=torch.Generator().manual_seed(0))
    whole = STATISTICS[name](labels, predicted, counts)
    monkeypatch.setattr(contingency, "_ELEMENTS", 45)
    torch.testing.assert_close(STATISTICS[name](labels, predicted, counts), whole, rtol=0, atol=1e-14)


@pytest.mark.parametrize("name", STATISTICS)
def test_leading_shapes_are_kept(name):
    labels, predicted = draw(5, repeats=6)
    shaped = STATISTICS[name](labels, predicted.reshape(2, 3, -1))
    assert shaped.shape == (2, 3)
    assert shaped.dtype == torch.float64
    torch.testing.assert_close(shaped.flatten(), STATISTICS[name](labels, predicted))
    assert STATISTICS[name](labels, predicted[0]).shape == ()
    assert STATISTICS[name](labels, predicted[0], torch.ones(4, 60)).shape == (4,)


@settings(max_examples=40, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=40),
    classes=st.permutations(range(5)),
    clusters=st.permutations(range(7)),
    order=st.randoms(use_true_random=False),
)
def test_names_and_order_do_not_matter(pairs, classes, clusters, order):
    labels, found = torch.tensor(pairs).unbind(1)
    shuffled = list(pairs)
    order.shuffle(shuffled)
    renamed_labels, renamed = (torch.tensor(column) for column in zip(*shuffled, strict=True))
    renamed_labels = torch.tensor(classes)[renamed_labels]
    renamed = 100 - 30 * torch.tensor(clusters)[renamed]
    for statistic in (conditional_entropy, normalized_mutual_information, purity):
        torch.testing.assert_close(statistic(renamed_labels, renamed), statistic(labels, found), rtol=0, atol=1e-12)
    assert 0 <= conditional_entropy(labels, found) <= entropy(labels) + 1e-12
    assert 0 <= normalized_mutual_information(labels, found) <= 1
    assert mean_class_accuracy(labels, labels) == accuracy(labels, labels) == purity(labels, labels) == 1
    assert conditional_entropy(labels, labels) == 0


def test_one_class_in_one_cluster_shares_everything():
    one = torch.zeros(4, dtype=torch.int64)
    assert normalized_mutual_information(one, one + 3).item() == 1
    assert normalized_mutual_information(one, torch.arange(4)).item() == 0


@pytest.mark.parametrize(
    ("frames", "bits"), [(1, 4.90), (5, 6.20), (6, 6.28), (7, 6.34), (8, 6.38), (10, 6.44), (20, 6.54)]
)
def test_random_assignment_of_ucf101(frames, bits):
    """The table of what chance gets at N frames: only near 6 or 7 frames a video is it the published 6.31 bits."""
    labels = torch.arange(101).repeat_interleave(torch.tensor(UCF101) * frames)
    clusters = torch.randint(101, (3, len(labels)), generator=torch.Generator().manual_seed(frames))
    assert len(labels) == 3783 * frames
    assert conditional_entropy(labels, clusters).mean().item() == pytest.approx(bits, abs=0.0151)


def test_entropy_of_ucf101():
    assert entropy(torch.arange(101).repeat_interleave(torch.tensor(UCF101))).item() == pytest.approx(6.641, abs=5e-4)


@pytest.mark.parametrize("weights", [None, torch.tensor([[1, 2, 0, 1], [0, 0, 3, 0]])])
def test_a_mean_leaves_out_what_has_no_value(weights):
    values = torch.tensor([[1.0, torch.nan, 4.0, 2.0], [torch.nan] * 4])
    found = mean(torch.zeros(4).long(), values, weights)
    expected = [7 / 3, math.nan] if weights is None else [[3 / 2, 4.0], [math.nan] * 2]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), equal_nan=True)


@pytest.mark.parametrize(
    ("values", "weights", "message"),
    [
        (torch.zeros(2), None, r"values must be \(\.\.\., 3\)"),
        (torch.zeros(0, 3), None, "values must be"),
        (torch.zeros(3), torch.ones(3), r"weights must be \(B, 3\)"),
        (torch.zeros(3), torch.tensor([[1.0, -1.0, 1.0]]), "not negative"),
        (torch.zeros(3), torch.tensor([[1.0, torch.inf, 1.0]]), "finite"),
    ],
)
def test_bad_values_are_named(values, weights, message):
    with pytest.raises(ValueError, match=message):
        mean(torch.zeros(3).long(), values, weights)


@pytest.mark.parametrize("name", sorted(STATISTICS.keys() - {"mean"}))
@pytest.mark.parametrize(
    ("labels", "predicted", "weights", "message"),
    [
        (torch.zeros(2, 2).long(), torch.zeros(2).long(), None, r"labels must be \(N,\)"),
        (torch.zeros(0).long(), torch.zeros(0).long(), None, "at least one video"),
        (torch.zeros(3).long(), torch.zeros(2).long(), None, r"predicted must be \(\.\.\., 3\)"),
        (torch.zeros(3).long(), torch.zeros(0, 3).long(), None, "predicted must be"),
        (torch.zeros(3), torch.zeros(3).long(), None, "labels must be integers"),
        (torch.zeros(3).long(), torch.zeros(3), None, "predicted must be integers"),
        (torch.zeros(3).long(), torch.zeros(3).long(), torch.ones(3), r"weights must be \(B, 3\)"),
        (torch.zeros(3).long(), torch.zeros(3).long(), torch.tensor([[1, -1, 1]]), "not negative"),
        (torch.zeros(3).long(), torch.zeros(3).long(), torch.zeros(1, 3), "at least one positive"),
        (torch.zeros(3).long(), torch.zeros(3).long(), torch.tensor([[1, torch.inf, 1]]), "finite"),
    ],
)
def test_bad_input_is_named(name, labels, predicted, weights, message):
    with pytest.raises(ValueError, match=message):
        STATISTICS[name](labels, predicted, weights)
