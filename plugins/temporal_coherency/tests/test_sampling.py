"""Samplers: exact gaps, short videos, negatives uniform over the other videos."""

from __future__ import annotations

import pytest
import torch

from harness_temporal_coherency.sampling import quadruplets, sfa_gaps, sfa_pairs


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def chi_squared(counts: torch.Tensor) -> float:
    expected = counts.sum() / len(counts)
    return float(((counts - expected) ** 2 / expected).sum())


def test_pairs_are_contiguous_four_times_of_five_and_a_gap_apart_else():
    n_frames = torch.tensor([30, 49, 50, 99, 100, 400])
    pairs = sfa_pairs(n_frames, 5000, generator())
    apart = pairs.frames[:, 1] - pairs.frames[:, 0]
    assert pairs.together.sum() == 4000
    assert (apart[pairs.together] == 1).all()
    gaps = torch.tensor([5, 5, 7, 7, 17, 17])
    assert (apart[~pairs.together] == gaps[pairs.videos[~pairs.together]]).all()
    assert torch.equal(sfa_gaps(n_frames), gaps)
    assert (pairs.frames >= 0).all()
    assert (pairs.frames < n_frames[pairs.videos, None]).all()
    assert set(pairs.videos.tolist()) == set(range(6))


def test_pairs_of_short_videos_end_at_the_last_frame():
    pairs = sfa_pairs(torch.tensor([3, 1]), 400, generator())
    n_frames = torch.tensor([3, 1])[pairs.videos]
    assert (pairs.frames < n_frames[:, None]).all()
    apart = ~pairs.together & (pairs.videos == 0)
    assert (pairs.frames[apart, 1] == 2).all()
    assert (pairs.frames[pairs.videos == 1] == 0).all()


def test_tuples_have_exact_gaps_where_the_video_is_long_enough():
    n_frames = torch.tensor([21, 25, 200])
    tuples = quadruplets(n_frames, 6000, 1, 20, generator())
    first, following, later, other = tuples.frames.T
    assert (following - first == 1).all()
    assert (later - first == 20).all()
    assert (later < n_frames[tuples.videos[:, 0]]).all()
    assert (other < n_frames[tuples.videos[:, 3]]).all()
    starts = first[tuples.videos[:, 0] == 1].bincount(minlength=5)
    assert len(starts) == 5
    assert chi_squared(starts) < 18.5  # 4 degrees, p = 0.001


def test_tuples_of_short_videos_end_at_the_last_frame():
    tuples = quadruplets(torch.tensor([8, 8]), 1000, 2, 20, generator())
    first, following, later, _ = tuples.frames.T
    assert set(first.tolist()) == set(range(8))
    assert (later == 7).all()
    assert torch.equal(following, (first + 2).clamp(max=7))


def test_negatives_are_uniform_over_all_other_videos():
    tuples = quadruplets(torch.full((6,), 30), 30_000, 1, 20, generator())
    anchor, following, later, other = tuples.videos.T
    assert torch.equal(anchor, following)
    assert torch.equal(anchor, later)
    assert (other != anchor).all()
    for video in range(6):
        others = other[anchor == video].bincount(minlength=6)
        assert others[video] == 0
        assert chi_squared(others[torch.arange(6) != video]) < 18.5  # 4 degrees, p = 0.001
    assert chi_squared(tuples.frames[:, 3].bincount(minlength=30)) < 58.3  # 29 degrees, p = 0.001


@pytest.mark.parametrize(("videos", "window", "gap"), [(1, 1, 20), (3, 5, 5), (3, 0, 20)])
def test_impossible_tuples(videos, window, gap):
    with pytest.raises(ValueError, match="tuples need"):
        quadruplets(torch.full((videos,), 30), 4, window, gap, generator())
