"""Samplers: exact gaps, short videos, negatives uniform over the other videos."""

from __future__ import annotations

import pytest
import torch

from harness_temporal_coherency.sampling import quadruplets, sfa_gaps, sfa_pairs, siamese_pairs, triplets


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
    assert torch.equal(pairs.videos[:, 0], pairs.videos[:, 1])
    videos = pairs.videos[:, 0]
    assert (apart[~pairs.together] == gaps[videos[~pairs.together]]).all()
    assert torch.equal(sfa_gaps(n_frames), gaps)
    assert (pairs.frames >= 0).all()
    assert (pairs.frames < n_frames[pairs.videos]).all()
    assert set(videos.tolist()) == set(range(6))


@pytest.mark.parametrize("draw", [sfa_pairs, lambda n, c, g, first: siamese_pairs(n, c, 1, g, first=first)])
def test_kinds_of_pairs_go_on_where_the_share_before_ended(draw):
    n_frames = torch.tensor([30, 40])
    whole = draw(n_frames, 30, generator(), first=0).together
    for size in (1, 3, 7):
        parts = [draw(n_frames, size, generator(), first=first).together for first in range(0, 30, size)]
        assert torch.equal(torch.cat(parts)[:30], whole)


def test_pairs_of_short_videos_end_at_the_last_frame():
    pairs = sfa_pairs(torch.tensor([3, 1]), 400, generator())
    assert (pairs.frames < torch.tensor([3, 1])[pairs.videos]).all()
    videos = pairs.videos[:, 0]
    assert (pairs.frames[~pairs.together & (videos == 0), 1] == 2).all()
    assert (pairs.frames[videos == 1] == 0).all()


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


def test_siamese_pairs_are_contiguous_or_of_two_videos():
    n_frames = torch.tensor([30, 40, 50, 60])
    pairs = siamese_pairs(n_frames, 8000, 3, generator())
    assert pairs.together.sum() == 4000
    first, second = pairs.videos.T
    assert torch.equal(first == second, pairs.together)
    assert (pairs.frames[pairs.together] @ torch.tensor([-1, 1]) == 3).all()
    assert (pairs.frames < n_frames[pairs.videos]).all()
    for video in range(4):
        others = second[~pairs.together & (first == video)].bincount(minlength=4)
        assert others[video] == 0
        assert chi_squared(others[torch.arange(4) != video]) < 13.9  # 2 degrees, p = 0.001


@pytest.mark.parametrize(("contiguous", "gaps"), [("exactly", [5]), ("within", [1, 2, 3, 4, 5])])
def test_contiguous_frames_are_exactly_or_within_the_window(contiguous, gaps):
    """Every gap of the window is as likely as another, and t is uniform over where it fits."""
    n_frames = torch.full((3,), 40)
    pairs = siamese_pairs(n_frames, 20_000, 5, generator(), contiguous=contiguous)
    tuples = quadruplets(n_frames, 10_000, 5, 20, generator(), contiguous=contiguous)
    of_pairs = (pairs.frames[:, 1] - pairs.frames[:, 0])[pairs.together]
    of_tuples = tuples.frames[:, 1] - tuples.frames[:, 0]
    for apart in (of_pairs, of_tuples):
        assert apart.unique().tolist() == gaps
        assert chi_squared(apart.bincount()[gaps]) < 18.5  # 4 degrees, p = 0.001
    assert (tuples.frames[:, 2] - tuples.frames[:, 0] == 20).all()
    for gap in gaps:
        starts = pairs.frames[pairs.together, 0][of_pairs == gap].bincount(minlength=40)
        assert starts[40 - gap :].sum() == 0
        assert chi_squared(starts[: 40 - gap]) < 76  # 38 degrees at most, p = 0.0003


@pytest.mark.parametrize("draw", [siamese_pairs, lambda n, c, w, g, **k: quadruplets(n, c, w, 20, g, **k)])
def test_a_window_of_one_frame_is_exact_and_within(draw):
    n_frames = torch.tensor([30, 40])
    exactly, within = (draw(n_frames, 100, 1, generator(), contiguous=one) for one in ("exactly", "within"))
    assert torch.equal(exactly.frames, within.frames)
    assert torch.equal(exactly.videos, within.videos)


def test_siamese_pairs_of_short_videos_end_at_the_last_frame():
    pairs = siamese_pairs(torch.tensor([2, 1]), 400, 5, generator())
    assert (pairs.frames < torch.tensor([2, 1])[pairs.videos]).all()
    assert (pairs.frames[pairs.together & (pairs.videos[:, 0] == 0), 1] == 1).all()


def test_triplets_have_exact_gaps_and_negatives_of_other_videos():
    n_frames = torch.tensor([8, 25, 200])
    drawn = triplets(n_frames, 3000, 20, generator())
    anchor, positive, other = drawn.videos.T
    assert torch.equal(anchor, positive)
    assert (other != anchor).all()
    apart = drawn.frames[:, 1] - drawn.frames[:, 0]
    assert (apart[anchor > 0] == 20).all()
    assert (drawn.frames[anchor == 0, 1] == 7).all()


@pytest.mark.parametrize(
    "draw",
    [
        lambda n, g: siamese_pairs(n, 40_000, 1, g),
        lambda n, g: triplets(n, 20_000, 20, g),
        lambda n, g: quadruplets(n, 20_000, 1, 20, g),
    ],
    ids=["siamese", "triplet", "quadruplet"],
)
def test_negatives_of_one_joined_video_are_uniform_over_its_frames(draw):
    drawn = draw(torch.tensor([100]), generator())
    chosen = torch.ones(20_000, dtype=torch.bool) if drawn.together is None else ~drawn.together
    assert (drawn.videos == 0).all()
    negatives = drawn.frames[chosen, -1]
    assert len(negatives) == 20_000
    assert chi_squared(negatives.bincount(minlength=100)) < 148.3  # 99 degrees, p = 0.001
