"""Frame indices of clips."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.cards import View
from harness.video.sampling import clip_frames, random_clips, sampled_frames

views = st.builds(View, frames=st.integers(1, 20), stride=st.integers(1, 5), clips=st.integers(1, 6), size=st.just(8))


@given(views, st.integers(1, 150))
def test_clips_stay_inside_and_keep_their_stride(view, n_frames):
    chosen = clip_frames(n_frames, view)
    assert chosen.shape == (view.clips, view.frames)
    assert 0 <= int(chosen.min()) <= int(chosen.max()) < n_frames
    if n_frames >= view.span:
        assert (chosen.diff(dim=1) == view.stride).all()
        if view.clips > 1:
            assert chosen[0, 0] == 0
            assert chosen[-1, -1] == n_frames - 1
            gaps = chosen[:, 0].diff()
            assert int(gaps.max() - gaps.min()) <= 1
        else:
            assert abs(int(chosen[0, 0]) - (n_frames - 1 - int(chosen[0, -1]))) <= 1
    else:
        slow = [(i * view.stride) % n_frames for i in range(view.frames)]
        assert chosen.tolist() == [slow] * view.clips


def test_a_video_without_frames():
    with pytest.raises(ValueError, match="at least 1 frame, got 0"):
        clip_frames(0, View())


def test_random_clips_start_uniformly_and_fit():
    n_frames = torch.full((20_000,), 12)
    chosen = random_clips(n_frames, 4, 2, torch.Generator().manual_seed(0))
    assert (chosen.diff(dim=1) == 2).all()
    counts = chosen[:, 0].bincount(minlength=6)
    assert len(counts) == 6
    expected = 20_000 / 6
    assert float(((counts - expected) ** 2 / expected).sum()) < 20.5  # chi-squared, 5 degrees, p = 0.001


def test_random_clips_of_short_videos_loop():
    chosen = random_clips(torch.tensor([3, 1]), 4, 1, torch.Generator().manual_seed(1))
    assert chosen.tolist() == [[0, 1, 2, 0], [0, 0, 0, 0]]


VIEW = View(frames=4, stride=2, size=32)  # a clip spans 7 frames
NO_CHANCE = torch.Generator()


@pytest.mark.parametrize("n", [1, 2, 24, 25, 26, 173, 300])
def test_twenty_five_frames_are_those_of_linspace(n):
    frames = sampled_frames(n, View(frames=1, size=8), "25x10", NO_CHANCE)
    assert frames[:, 0].tolist() == np.round(np.linspace(0, n - 1, 25)).astype(int).tolist()


@pytest.mark.parametrize(("n", "expected"), [(24, [0, 7, 14]), (21, [0, 7, 14]), (20, [0, 7]), (7, [0]), (3, [0])])
def test_windows_follow_each_other_and_fit(n, expected):
    windows = sampled_frames(n, VIEW, "sliding", NO_CHANCE)
    assert windows[:, 0].tolist() == expected
    assert windows.tolist() == [[(start + step) % n for step in (0, 2, 4, 6)] for start in expected]


@pytest.mark.parametrize(("n", "expected"), [(24, [0, 3, 6, 9, 12, 15]), (10, [0, 3]), (9, [0]), (3, [0])])
def test_dense_windows_overlap_by_half(n, expected):
    assert sampled_frames(n, VIEW, "dense", NO_CHANCE)[:, 0].tolist() == expected


def test_sampled_random_clips_lie_inside():
    drawn = [sampled_frames(24, VIEW, "random5", torch.Generator().manual_seed(seed)) for seed in range(200)]
    assert torch.cat(drawn)[:, 0].unique().tolist() == list(range(18))  # 24 - 7 + 1 places
    assert torch.equal(drawn[7], random_clips(torch.full((5,), 24), 4, 2, torch.Generator().manual_seed(7)))


def test_the_view_samples_its_own_clips():
    view = View(frames=4, stride=2, size=32, clips=3)
    assert torch.equal(sampled_frames(24, view, "view", NO_CHANCE), clip_frames(24, view))
