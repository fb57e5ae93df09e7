"""Frame indices of clips."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness.cards import View
from harness.video.sampling import clip_frames, random_clips

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
    with pytest.raises(ValueError, match="no clips"):
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
