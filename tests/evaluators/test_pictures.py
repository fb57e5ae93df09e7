"""The picture of top clusters, and the order of its rows."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import mutual_info_score

from harness.evaluators.labelled_features import ClusteringSamples, LabelledFeatures
from harness.evaluators.pictures import COLOUR, HEIGHT, MOMENTS, MOVING_HEIGHT, information_gain, top_clusters
from harness.testing import MovingSquares

SPLIT = MovingSquares().split("test")
LABELS = torch.tensor([video.labels["action"] for video in SPLIT.videos])
POINTS = LabelledFeatures(torch.zeros(len(SPLIT), 1), LABELS, SPLIT.classes["action"], SPLIT)
MIDDLE = [12] * len(SPLIT)
STILLS = ClusteringSamples(POINTS, MIDDLE, [(12, 12)] * len(SPLIT), torch.arange(len(SPLIT)))
VIDEOS = STILLS._replace(spans=[(0, 23)] * len(SPLIT))


def pixels(image):
    return np.asarray(image.convert("RGB")).astype(int)


def drawn(clusters, seed=0):
    return pixels(Image.open(io.BytesIO(top_clusters(STILLS, clusters, seed=seed))))


def frames(samples, clusters):
    image = Image.open(io.BytesIO(top_clusters(samples, clusters, seed=0)))
    for number in range(getattr(image, "n_frames", 1)):
        image.seek(number)
        yield pixels(image)


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


def test_videos_move_and_are_shown_as_a_still_by_their_middle_frames():
    still, *moving = frames(VIDEOS, LABELS)
    assert len(moving) == MOMENTS
    assert still.shape[0] == 4 * (MOVING_HEIGHT + 4) + 4
    first = int(np.flatnonzero(LABELS[0] == LABELS)[0])
    shown = SPLIT.read(first, [12, 0, 23], short_side=MOVING_HEIGHT).numpy().astype(int)
    top = 4 + int(LABELS[0] > 0) * (MOVING_HEIGHT + 4)
    assert top == 4  # all clusters tell the same, so that the first class is the first row
    squares = [np.argwhere(frame.min(2) > 180).mean(0) for frame in shown]
    width = shown.shape[2]
    left = still.shape[1] - 8 * (width + 4)
    tiles = [frame[top : top + MOVING_HEIGHT, left : left + width] for frame in (still, moving[0], moving[-1])]
    for tile, square in zip(tiles, squares, strict=True):
        assert np.argwhere(tile.min(2) > 180).mean(0) == pytest.approx(square, abs=1.5)


def test_frames_among_videos_stay_still():
    first = int(np.flatnonzero(LABELS == 0)[0])
    spans = [(12, 12) if index == first else (0, 23) for index in range(len(SPLIT))]
    still, *moving = frames(VIDEOS._replace(spans=spans), LABELS)
    width = SPLIT.read(0, [0], short_side=MOVING_HEIGHT).shape[2]
    left = still.shape[1] - 8 * (width + 4)
    tiles = [frame[4 : 4 + MOVING_HEIGHT, left : left + 2 * (width + 4)] for frame in (still, *moving)]
    changed = [np.abs(tile - tiles[0]).max(2) > 60 for tile in tiles[1:]]
    assert not any(part[:, :width].any() for part in changed)
    assert all(part[:, width:].any() for part in (changed[0], changed[-1]))


def test_frames_alone_are_a_plain_png():
    assert len(list(frames(STILLS, LABELS))) == 1


def test_without_a_chart_no_library_of_charts_is_needed():
    absent = "import sys; sys.modules['altair'] = sys.modules['vl_convert'] = None"
    subprocess.run([sys.executable, "-c", f"{absent}; import harness.evaluators.pictures"], check=True)
