"""Samples that fire, and the members of clusters."""

from __future__ import annotations

import pytest
import torch

from harness_midlevel.firing import Members, detection_scores, top_members, without_small

TRUTH = [
    ([0.5, -1.0, -1.0], 0.5, 0),
    ([-1.0, -1.0, 2.0], 2.0, 2),
    ([0.5, 0.1, -1.0], 0.0, None),
    ([0.5, 0.5, -1.0], 0.0, None),
    ([-0.1, -1.0, -2.0], 0.0, None),
    ([0.5, 0.0, -1.0], 0.0, None),  # strictly below 0
    ([0.0, -1.0, -1.0], 0.0, None),  # strictly above 0
    ([0.0, 0.0, 0.0], 0.0, None),
]


@pytest.mark.parametrize(("outputs", "score", "cluster"), TRUTH)
def test_one_output_above_zero_fires_and_no_other(outputs, score, cluster):
    scores, clusters = detection_scores(torch.tensor([outputs]))
    assert scores.tolist() == [score]
    assert cluster is None or clusters.tolist() == [cluster]


def test_a_single_detector_fires_above_zero():
    assert detection_scores(torch.tensor([[0.5], [0.0], [-0.5]]))[0].tolist() == [0.5, 0.0, 0.0]


def slow_scores(outputs):
    """Equation 7 as it is printed, sample by sample."""
    scores, clusters = [], []
    for row in outputs.tolist():
        best = max(range(len(row)), key=lambda k: row[k])
        others = [d for k, d in enumerate(row) if k != best]
        scores.append(row[best] if row[best] > 0 and all(d < 0 for d in others) else 0.0)
        clusters.append(best)
    return scores, clusters


def test_scores_are_those_of_the_printed_equation():
    outputs = torch.randn(500, 4, generator=torch.Generator().manual_seed(0)) - 0.3
    outputs[::7, 1] = 0.0
    scores, clusters = detection_scores(outputs)
    expected, best = slow_scores(outputs)
    assert scores.tolist() == expected
    assert 100 < int((scores > 0).sum()) < 400
    assert clusters[scores > 0].tolist() == [k for k, score in zip(best, expected, strict=True) if score > 0]
    several = outputs.gt(0).sum(1) > 1
    assert several.any()
    assert not scores[several].any()


def test_without_a_cluster_the_scores_of_those_that_fire_on_others_stay():
    outputs = torch.randn(200, 5, generator=torch.Generator().manual_seed(1)) - 0.5
    scores, clusters = detection_scores(outputs)
    stays = (scores > 0) & (clusters != 2)
    fewer, renamed = detection_scores(outputs[:, [0, 1, 3, 4]])
    assert torch.equal(fewer[stays], scores[stays])
    assert torch.equal(torch.tensor([0, 1, 3, 4])[renamed[stays]], clusters[stays])


def slow_members(rows, clusters, scores, most):
    chosen = []
    for cluster in sorted(set(clusters)):
        own = [(-score, row) for row, k, score in zip(rows, clusters, scores, strict=True) if k == cluster]
        chosen += [(row, cluster, -negative) for negative, row in sorted(own)[:most]]
    return chosen


@pytest.mark.parametrize("most", [1, 3, 100])
def test_members_are_the_highest_scores_of_each_cluster(most):
    generator = torch.Generator().manual_seed(2)
    rows = torch.randperm(1000, generator=generator)[:300]
    clusters = torch.randint(7, (300,), generator=generator)
    scores = torch.randint(10, (300,), generator=generator).float()  # many ties
    members = top_members(rows, clusters, scores, most=most)
    expected = slow_members(rows.tolist(), clusters.tolist(), scores.tolist(), most)
    found = zip(members.samples.tolist(), members.clusters.tolist(), members.scores.tolist(), strict=True)
    assert list(found) == expected


def test_members_are_the_same_in_any_order():
    generator = torch.Generator().manual_seed(3)
    rows, clusters = torch.arange(60), torch.arange(60) % 4
    scores = torch.randint(3, (60,), generator=generator).float()
    first = top_members(rows, clusters, scores, most=5)
    mixed = torch.randperm(60, generator=generator)
    again = top_members(rows[mixed], clusters[mixed], scores[mixed], most=5)
    assert first.samples.tolist() == again.samples.tolist()


def test_no_sample_gives_no_member():
    nothing = torch.zeros(0, dtype=torch.int64)
    members = top_members(nothing, nothing, torch.zeros(0), most=3)
    assert len(members) == 0
    left, kept = without_small(members, 4, 1)
    assert len(left) == 0
    assert kept.tolist() == []


def test_small_clusters_leave_and_the_others_are_numbered_anew():
    clusters = torch.tensor([0, 1, 1, 1, 3, 3, 4])
    members = Members(torch.arange(10, 17), clusters, torch.linspace(1, 0, 7))
    left, kept = without_small(members, 6, 2)
    assert kept.tolist() == [1, 3]
    assert left.samples.tolist() == [11, 12, 13, 14, 15]
    assert left.clusters.tolist() == [0, 0, 0, 1, 1]
    assert torch.equal(left.scores, members.scores[1:6])
    assert torch.equal(kept[left.clusters], clusters[1:6])
    everything, all_kept = without_small(members, 6, 0)
    assert all_kept.tolist() == list(range(6))
    assert torch.equal(everything.clusters, clusters)


@pytest.mark.parametrize("shape", [(3,), (3, 0), (3, 2, 2)])
def test_outputs_of_other_shapes_are_told(shape):
    with pytest.raises(ValueError, match="outputs must be"):
        detection_scores(torch.zeros(shape))


def test_members_that_cannot_be_chosen_are_told():
    rows = torch.arange(3)
    with pytest.raises(ValueError, match="most must be at least 1, got 0"):
        top_members(rows, rows, rows.float(), most=0)
    with pytest.raises(ValueError, match=r"must be \(N,\) each, got"):
        top_members(rows, rows[:2], rows.float(), most=1)
