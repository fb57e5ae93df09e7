"""Local samples: which rows are read, their length, and that descriptors match volumes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.preprocessing import normalize

from harness.testing import MovingSquares
from harness_dense_trajectories.extract import extract
from harness_dense_trajectories.tables import grey
from harness_midlevel.reading import DESCRIPTOR, Reading, normalise_descriptors
from harness_midlevel.samples import draw, paid_videos

SPLIT = MovingSquares().split("train").unlabelled()
READING = Reading(kind="descriptors", most=20)


def test_descriptors_and_volumes_are_of_the_same_trajectories():
    trajectories = extract(grey(SPLIT.read(0)), READING.settings, volumes=True)
    assert len(trajectories.table) > READING.most
    (descriptors,), (volumes,) = (list(each.load(SPLIT, [0])) for each in (READING, replace(READING, kind="volumes")))
    assert descriptors.shape == (20, 396)
    assert volumes.shape == (20, 12, 16, 16)
    whole = normalise_descriptors(torch.from_numpy(trajectories.table[:, DESCRIPTOR]))
    rows = READING._rows(len(whole))
    assert rows.tolist() == sorted(set(rows.tolist()))
    assert torch.equal(whole[rows], descriptors)
    assert np.array_equal(trajectories.volumes[rows], volumes.numpy())


@pytest.mark.parametrize("kind", ["descriptors", "volumes"])
def test_a_video_read_from_frames_has_the_samples_of_the_one_on_disk(kind):
    reading = replace(READING, kind=kind)
    (stored,) = reading.load(SPLIT, [1])
    assert torch.equal(reading.of_frames(SPLIT.read(1)), stored)


def test_few_samples_are_some_of_many():
    (many,), (few,) = (list(replace(READING, most=most).load(SPLIT, [0])) for most in (20, 5))
    assert all((many == one).all(1).any() for one in few)


def test_a_video_without_trajectories_has_no_samples():
    still = torch.zeros(20, 48, 64, 3, dtype=torch.uint8)
    for kind in ("descriptors", "volumes"):
        samples = replace(READING, kind=kind).of_frames(still)
        assert samples.shape[0] == 0
        assert samples.shape == replace(READING, kind=kind).empty().shape


def test_lengths_are_those_of_scikit_learn():
    x = torch.rand(4, 396)
    assert np.allclose(normalise_descriptors(x), normalize(x.numpy()), atol=1e-6)
    parts = np.split(x.numpy(), np.cumsum([96, 108, 96]), axis=1)
    halves = np.concatenate([normalize(part) / 2 for part in parts], axis=1)
    assert np.allclose(normalise_descriptors(x, "per_descriptor"), halves, atol=1e-6)
    assert not normalise_descriptors(torch.zeros(1, 396)).any()


class TestDraw:
    def test_the_budget_pays_whole_videos_and_one_at_least(self, session):
        frames = [video.frames for video in SPLIT.videos]
        paid = paid_videos(SPLIT, session(frames=sum(frames[:3]) + 1).budget, 100)
        assert sum(frames[index] for index in paid) <= sum(frames[:3]) + 1
        assert len(paid_videos(SPLIT, session(frames=1).budget, 100)) == 1
        assert len(paid_videos(SPLIT, session(frames=10**6).budget, 2)) == 2
        assert sorted(paid_videos(SPLIT, session(frames=10**6).budget, 100)) == list(range(len(SPLIT)))

    def test_subsets_are_of_whole_videos_and_hold_every_sample_once(self, session):
        samples = draw(SPLIT, READING, session(frames=10**6), videos=7)
        assert len(samples.rows) == len(samples.videos)
        subsets = samples.subsets(3, seed=0)
        assert torch.equal(torch.cat(subsets).sort().values, torch.arange(len(samples.rows)))
        owners = [set(samples.videos[rows].tolist()) for rows in subsets]
        assert not owners[0] & owners[1] | owners[0] & owners[2] | owners[1] & owners[2]
        assert sorted(map(len, owners)) == [2, 2, 3]
        assert not torch.equal(samples.subsets(3, seed=1)[0], subsets[0])

    def test_more_subsets_than_videos(self, session):
        samples = draw(SPLIT, READING, session(frames=10**6), videos=2)
        with pytest.raises(ValueError, match="as many videos with samples as subsets, 3, got 2"):
            samples.subsets(3, seed=0)
