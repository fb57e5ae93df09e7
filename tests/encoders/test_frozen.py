"""What evaluators are shown of an encoder: other clips, frames in another order, and what is remembered of them."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from harness.cards import View
from harness.encoders.frozen import FrozenEncoder
from harness.errors import DataError, PluginError, UsageError
from harness.interfaces import VideoBatch
from harness.testing import MovingSquares, UninformedEncoder
from harness.testing.fixtures import UntrainedEncoder
from harness.video.loader import video_clips


class Watching:
    """Remembers the clips it was shown; its vector is the mean brightness of each frame."""

    view = View(frames=6, stride=2, size=24, clips=2)
    dim = 6

    def __init__(self):
        self.seen = []

    def encode(self, batch):
        self.seen.append(batch.clips)
        return batch.clips.float().mean((1, 3, 4))


SPLIT = MovingSquares().split("test")


def shown(encoder):
    encoder.encoder.seen.clear()
    views = encoder.features(SPLIT).views
    return torch.cat(encoder.encoder.seen) if encoder.encoder.seen else None, views


def test_a_shuffled_clip_has_the_same_frames_in_another_order():
    frozen = FrozenEncoder(Watching(), key="x")
    ordered, _ = shown(frozen)
    shuffled, _ = shown(frozen.shuffled(0))
    assert not torch.equal(ordered, shuffled)
    for one, other in zip(ordered, shuffled, strict=True):
        frames = [frame.flatten().tolist() for frame in one.unbind(1)]
        assert sorted(frames) == sorted(frame.flatten().tolist() for frame in other.unbind(1))


def test_every_clip_has_an_order_of_its_own_whatever_the_batches():
    frozen = FrozenEncoder(Watching(), key="x").shuffled(3)
    whole = frozen.features(SPLIT, batch_size=64).views
    pieces = FrozenEncoder(Watching(), key="x").shuffled(3).features(SPLIT, batch_size=5).views
    assert torch.equal(whole, pieces)
    ordered = FrozenEncoder(Watching(), key="x").features(SPLIT).views
    orders = {
        tuple((row[:, None] == other).float().argmax(0).tolist())
        for row, other in zip(ordered.flatten(0, 1), whole.flatten(0, 1), strict=True)
    }
    assert len(orders) > 10


def test_shuffling_has_a_cache_entry_of_its_own(tmp_path):
    frozen = FrozenEncoder(Watching(), key="x", folder=tmp_path)
    found = [shown(encoder)[1] for encoder in (frozen, frozen.shuffled(0), frozen.shuffled(1))]
    assert len(list(tmp_path.iterdir())) == 3
    again = [shown(encoder) for encoder in (frozen, frozen.shuffled(0), frozen.shuffled(1))]
    anew = FrozenEncoder(Watching(), key="x", folder=tmp_path).shuffled(1)
    for (clips, views), first in zip([*again[:1], shown(anew)], [found[0], found[2]], strict=True):
        assert clips is None
        assert torch.equal(views, first)


def test_more_clips_of_a_video():
    frozen = FrozenEncoder(Watching(), key="x")
    wide = frozen.with_clips(5)
    assert wide.view == dataclasses.replace(Watching.view, clips=5)
    assert wide.features(SPLIT).views.shape == (len(SPLIT), 5, 6)
    assert frozen.features(SPLIT).views.shape == (len(SPLIT), 2, 6)
    torch.testing.assert_close(wide.features(SPLIT).views[:, 0], frozen.features(SPLIT).views[:, 0])


def test_features_are_computed_once():
    frozen = FrozenEncoder(Watching(), key="x")
    first, _ = shown(frozen)
    second, _ = shown(frozen)
    assert first is not None
    assert second is None


class Drifts(UntrainedEncoder):
    """Its batch normalisation, or what else it has for state, moves while it encodes."""

    def encode(self, batch):
        vectors = super().encode(batch)
        with torch.no_grad():
            next(self.module.parameters()).mul_(1.01)
        return vectors


def test_an_encoder_that_changes_is_found():
    with pytest.raises(PluginError, match="changed while encoding"):
        FrozenEncoder(Drifts(), key="x").features(SPLIT)


def test_a_vector_of_another_length_is_found():
    class Long(UninformedEncoder):
        def encode(self, batch):
            return torch.cat([super().encode(batch)] * 2, dim=1)

    with pytest.raises(PluginError, match="promised"):
        FrozenEncoder(Long(), key="x").features(SPLIT)


class Whole:
    """Shown whole videos; its vector is their number of frames and mean."""

    view = View(whole=True)
    dim = 2

    def encode(self, batch):
        clips = batch.clips
        assert len(clips) == 1
        return torch.tensor([[float(clips.shape[2]), float(clips.float().mean())]])


class ByItself(Whole):
    """Reads the videos itself, in the other order first."""

    def __init__(self):
        self.splits = []

    def encode_videos(self, split):
        self.splits.append(split)
        return torch.cat([self.encode(VideoBatch(video_clips(split, i, self.view))) for i in range(len(split))])


def test_whole_videos():
    found = FrozenEncoder(Whole(), key="whole").features(SPLIT)
    assert found.views.shape == (len(SPLIT), 1, 2)
    expected = [[video.frames, float(SPLIT.read(i).float().mean())] for i, video in enumerate(SPLIT.videos)]
    torch.testing.assert_close(found.vectors, torch.tensor(expected))
    own = ByItself()
    frozen = FrozenEncoder(own, key="own")
    torch.testing.assert_close(frozen.features(SPLIT).vectors, found.vectors)
    assert own.splits == [SPLIT]
    frozen.shuffled(0).features(SPLIT)  # shuffled frames have to be handed over
    assert own.splits == [SPLIT]
    with pytest.raises(UsageError, match="whole videos"):
        frozen.with_clips(3)


def test_what_an_encoder_reads_by_itself_is_checked():
    own = ByItself()
    own.encode_videos = lambda split: torch.zeros(len(split), 3)
    with pytest.raises(PluginError, match="promised"):
        FrozenEncoder(own, key="own").features(SPLIT)
    own.encode_videos = lambda split: torch.full((len(split), 2), torch.nan)
    with pytest.raises(DataError, match=f"vector of video {SPLIT.videos[0].id!r} is NaN"):
        FrozenEncoder(own, key="own").features(SPLIT)
