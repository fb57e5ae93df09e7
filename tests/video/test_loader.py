"""Clips of splits, in order and in the right layout; crops counted by hand."""

from __future__ import annotations

import dataclasses
import threading

import numpy as np
import pytest
import torch

from harness.cards import View, WholeVideo
from harness.errors import DataError
from harness.testing import MovingSquares
from harness.video import loader
from harness.video.loader import clips, sampled_batches, sampled_clips, video_clips
from harness.video.sampling import clip_frames
from harness.video.transforms import crops

AHEAD = 2 * loader.THREADS
VIEW = View(frames=4, stride=2, size=32)  # a clip spans 7 of the 24 frames


class Numbered:
    """Videos whose every pixel says video, frame, row and column."""

    def __init__(self, frames=(9, 4, 12, 6, 7), broken=None):
        self.videos = [type("Record", (), {"frames": count})() for count in frames]
        self.broken = broken
        self.reads = []

    def __len__(self):
        return len(self.videos)

    def read(self, index, frames=None, *, short_side=None):
        self.reads.append(index)
        if index == self.broken:
            msg = "video 3 is broken"
            raise DataError(msg)
        width = short_side + 4
        out = torch.zeros(len(frames), short_side, width, 3, dtype=torch.uint8)
        out[..., 0] = index
        out[..., 1] = torch.tensor(frames, dtype=torch.uint8)[:, None, None]
        out[..., 2] = torch.arange(width, dtype=torch.uint8)
        return out


def test_no_video_is_left_out_of_a_split_longer_than_what_is_read_ahead():
    split = Numbered(frames=(4,) * (2 * AHEAD + 3))
    found = torch.cat([batch for _, batch in clips(split, View(frames=2, size=6), batch_size=5)])
    assert found[:, 0, 0, 0, 0].tolist() == list(range(len(split)))


@pytest.mark.parametrize("batch_size", [1, 4, 7, 100])
@pytest.mark.parametrize("view", [View(frames=3, stride=2, size=6, clips=2, crops=3), View(frames=2, size=6, resize=8)])
def test_video_after_video_clip_after_clip_crop_after_crop(view, batch_size):
    split = Numbered()
    found = list(clips(split, view, batch_size=batch_size))
    position = 0
    for start, batch in found:
        assert start == position
        position += len(batch)
    assert all(len(batch) == batch_size for _, batch in found[:-1])
    flat = torch.cat([batch for _, batch in found])
    assert flat.shape == (len(split) * view.clips * view.crops, 3, view.frames, 6, 6)
    assert flat.dtype == torch.uint8
    lefts = [0, 2, 4] if view.crops == 3 else [(view.short_side + 4 - 6) // 2]
    expected = 0
    for index, video in enumerate(split.videos):
        for chosen in clip_frames(video.frames, view).tolist():
            for left in lefts:
                clip = flat[expected]
                assert (clip[0] == index).all()
                assert clip[1, :, 0, 0].tolist() == chosen
                assert clip[2, 0, 0].tolist() == list(range(left, left + 6))
                expected += 1
    assert sorted(split.reads) == list(range(len(split)))


def test_threads_by_the_processors_allowed(monkeypatch):
    def threads(allowed):
        monkeypatch.setattr(loader, "allowed_processors", lambda: allowed)
        split = Numbered(frames=(5,) * 40)
        next(clips(split, View(frames=2, size=6), batch_size=1))
        return len(split.reads)

    assert threads(1) <= 2  # one in work, and one for the next batch
    assert threads(1) < threads(4) <= 5
    assert threads(64) <= loader.THREADS + 1


@pytest.mark.parametrize("first", [0, 1, 5, 6, 13])
@pytest.mark.parametrize("computing", [1, 2])
def test_batches_go_on_from_any_clip_whether_decoding_overlaps_or_not(monkeypatch, first, computing):
    monkeypatch.setattr(loader, "allowed_processors", lambda: 2)
    monkeypatch.setattr(torch, "get_num_threads", lambda: computing)
    split, view = Numbered(), View(frames=2, size=6, clips=3)
    whole = torch.cat([video_clips(split, index, view) for index in range(len(split))])
    split.reads.clear()
    for start, batch in clips(split, view, batch_size=4, first=first):
        assert torch.equal(batch, whole[start : start + 4])
        first += len(batch)
        if computing == 2:  # decoding rests while all processors compute
            assert max(split.reads) == min(first - 1, len(whole) - 1) // 3
    assert first == len(whole)
    assert len(split.reads) == len(set(split.reads))


def test_an_error_in_a_thread_reaches_the_consumer():
    with pytest.raises(DataError, match="video 3"):
        list(clips(Numbered(broken=3), View(frames=2, size=6), batch_size=2))


def test_leaving_early_stops_reading():
    split = Numbered(frames=(5,) * (3 * AHEAD))
    next(clips(split, View(frames=2, size=6), batch_size=1))
    assert len(split.reads) <= AHEAD + 1


def test_whole_videos_come_alone_with_all_their_frames():
    split = MovingSquares().split("test")
    sizes = [batch.shape for _, batch in clips(split, WholeVideo(), batch_size=8)]
    assert sizes == [(1, 3, video.frames, video.height, video.width) for video in split.videos]


def test_each_video_has_its_own_random_clips():
    split = MovingSquares().split("test")
    same = dataclasses.replace(split, videos=split.videos[:1] * 2, frames=split.frames[:1] * 2)
    first, second, other = (sampled_clips(same, i, VIEW, "random5", seed=s) for i, s in ((0, 3), (1, 3), (0, 4)))
    assert torch.equal(first, sampled_clips(same, 0, VIEW, "random5", seed=3))
    assert not torch.equal(first, second)
    assert not torch.equal(first, other)


def test_the_views_own_clips_are_the_loaders():
    split, view = MovingSquares().split("test"), dataclasses.replace(VIEW, clips=2, crops=3)
    assert torch.equal(sampled_clips(split, 5, view, "view", seed=0), video_clips(split, 5, view))


def test_every_one_of_250_views():
    split = MovingSquares().split("test")
    found = sampled_clips(split, 3, VIEW, "25x10", seed=0)
    assert found.shape == (250, 3, 4, 32, 32)
    frames = split.read(3, short_side=37)  # 8/7 of 32
    assert frames.shape[1:3] == (37, 49)
    for i, start in enumerate(np.round(np.linspace(0, 24 - 7, 25)).astype(int)):
        clip = frames[start : start + 7 : 2].permute(3, 0, 1, 2)
        places = [(0, 0), (0, 17), (5, 0), (5, 17), (2, 8)]
        five = [clip[..., y : y + 32, x : x + 32] for y, x in places]
        for j, crop in enumerate([*five, *(crop.flip(-1) for crop in five)]):
            assert torch.equal(found[10 * i + j], crop)


def test_windows_show_the_centre_of_consecutive_frames():
    split = MovingSquares().split("test")
    clip = split.read(0, [14, 16, 18, 20], short_side=32).permute(3, 0, 1, 2)[None]
    assert torch.equal(sampled_clips(split, 0, VIEW, "sliding", seed=0)[2:], crops(clip, 32, 1)[:, 0])


@pytest.mark.parametrize(
    ("views", "count"), [("view", 1), ("random5", 5), ("sliding", 1), ("dense", 1), ("25x10", 250)]
)
def test_a_video_shorter_than_a_clip_is_looped(views, count):
    split = MovingSquares().split("test")
    short = dataclasses.replace(
        split,
        videos=(dataclasses.replace(split.videos[0], frames=3),),
        frames=(split.frames[0][:3],),
    )
    found = sampled_clips(short, 0, VIEW, views, seed=0)
    assert found.shape == (count, 3, 4, 32, 32)
    assert torch.equal(found[:, :, 0], found[:, :, 3])  # frames 0, 2, 1, 0 of the three, whatever the start


@pytest.mark.parametrize("views", ["view", "random5", "25x10", "sliding", "dense"])
@pytest.mark.parametrize("overlaps", [True, False])
def test_batches_hold_what_is_shown_of_each_video(monkeypatch, views, overlaps):
    whole = MovingSquares().split("test")
    split = dataclasses.replace(whole, videos=whole.videos[:5], frames=whole.frames[:5])
    monkeypatch.setattr(loader, "overlaps", lambda _: overlaps)
    parts = list(sampled_batches(split, VIEW, views, seed=1, batch_size=7))
    assert all(len(videos) == len(clips) == 7 for videos, clips in parts[:-1])
    videos, clips = (torch.cat(part) for part in zip(*parts, strict=True))
    expected = [sampled_clips(split, i, VIEW, views, seed=1) for i in range(5)]
    assert torch.equal(clips, torch.cat(expected))
    assert videos.tolist() == [i for i, each in enumerate(expected) for _ in each]


@pytest.mark.parametrize(
    ("views", "count", "batch_size", "threads"),
    [
        ("view", 1, 7, loader.THREADS),
        ("view", 8, 7, loader.FEW),
        ("random5", 8, 7, loader.THREADS),
        ("25x10", 1, 999, loader.FEW),
    ],
)
def test_videos_of_many_clips_are_read_by_few_threads(monkeypatch, views, count, batch_size, threads):
    def read(work, tasks, *, more, threads):
        asked.append((more, threads))
        yield from map(work, tasks)

    asked, split = [], MovingSquares().split("test")
    split = dataclasses.replace(split, videos=split.videos[:1], frames=split.frames[:1])
    monkeypatch.setattr(loader, "overlaps", lambda _: True)
    monkeypatch.setattr(loader, "read_ahead", read)
    view = dataclasses.replace(VIEW, clips=count)
    assert [*sampled_batches(split, view, views, seed=1, batch_size=batch_size)]
    assert asked == [(0, threads)]


def test_sampled_clips_for_a_gpu_are_read_by_several_threads(monkeypatch):
    split = Numbered()
    together = threading.Barrier(2, timeout=30)
    monkeypatch.setattr(loader, "allowed_processors", lambda: 2)
    monkeypatch.setattr(loader, "overlaps", lambda device: device == "cuda")
    monkeypatch.setattr(loader, "pinned_to_device", lambda clips, device: (clips, device))
    monkeypatch.setattr(split, "read", lambda *asked, read=split.read, **how: (together.wait(), read(*asked, **how))[1])
    split.videos.pop()
    view = View(frames=2, size=6)
    found = list(sampled_batches(split, view, "view", seed=0, batch_size=2, device="cuda"))
    assert [(videos.tolist(), clips[0, 0, 0, 0, 0].item(), device) for videos, (clips, device) in found] == [
        ([0, 1], 0, "cuda"),
        ([2, 3], 2, "cuda"),
    ]
