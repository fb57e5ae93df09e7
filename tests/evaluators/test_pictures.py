"""The picture of top clusters, and the order of its rows."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import mutual_info_score

from harness.evaluators.labelled_features import LabelledFeatures
from harness.evaluators.pictures import COLOUR, HEIGHT, information_gain, top_clusters
from harness.testing import MovingSquares

SPLIT = MovingSquares().split("test")
LABELS = torch.tensor([video.labels["action"] for video in SPLIT.videos])
POINTS = LabelledFeatures(torch.zeros(len(SPLIT), 1), LABELS, SPLIT.classes["action"], SPLIT)
MIDDLE = [12] * len(SPLIT)


def drawn(clusters, seed=0):
    png = top_clusters(POINTS, MIDDLE, clusters, seed=seed)
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def vermilion(picture):
    return (np.abs(picture - COLOUR).sum(2) < 40).mean()


@pytest.mark.parametrize("seed", range(5))
def test_what_clusters_tell_sums_to_the_mutual_information(seed):
    generator = torch.Generator().manual_seed(seed)
    labels, clusters = (torch.randint(5, (60,), generator=generator) for _ in range(2))
    found = information_gain(labels, clusters)
    assert float(found.sum()) == pytest.approx(mutual_info_score(labels, clusters) / np.log(2))
    assert (found >= -1e-12).all()


def test_a_pure_cluster_tells_more_than_a_mixed_one_of_its_size():
    found = information_gain(torch.tensor([0, 0, 1, 1, 2, 2]), torch.tensor([0, 0, 1, 2, 1, 2]))
    assert float(found[0]) == pytest.approx(np.log2(3) / 3)
    assert found.argmax() == 0


def test_pure_clusters_have_no_borders():
    assert vermilion(drawn(LABELS)) == 0
    assert vermilion(drawn((LABELS + torch.arange(len(LABELS)) % 2) % 4)) > 0.02


def test_a_row_for_each_cluster_six_at_most_and_none_for_an_empty_one():
    assert drawn(LABELS).shape[0] == 4 * (HEIGHT + 4) + 4
    assert drawn(torch.arange(len(LABELS)) % 16).shape[0] == 6 * (HEIGHT + 4) + 4
    assert drawn(2 * (LABELS // 2)).shape[0] == 2 * (HEIGHT + 4) + 4


def test_the_seed_chooses_the_points():
    mixed = LABELS // 2  # 16 points in a cluster, of which 8 are shown
    assert np.array_equal(drawn(mixed), drawn(mixed))
    assert not np.array_equal(drawn(mixed), drawn(mixed, seed=1))
