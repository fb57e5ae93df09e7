"""Splits of video files: reading, hiding labels, manifests."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from harness.datasets.split import VideoSplit
from harness.errors import DataError
from harness.testing.moving_squares import MovingSquares
from harness.video import frame_cache
from harness.video.decode import decode


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    written = MovingSquares(tmp_path_factory.mktemp("squares")).split("test")
    videos = written.videos[:8]
    return VideoSplit("test", videos, {video.id: f"hash of {video.id}" for video in videos}, written.classes)


@pytest.fixture(params=["cached", "too large for the cache"])
def limit(request, monkeypatch):
    cache = frame_cache.FrameCache(limit=10**9 if request.param == "cached" else 1000)
    monkeypatch.setattr(frame_cache, "shared", cache)
    return cache


def test_read_gives_the_files_frames_in_any_order(split, limit):
    whole = torch.from_numpy(decode(split.videos[2].path, short_side=32))
    assert torch.equal(split.read(2, short_side=32), whole)
    assert torch.equal(split.read(2, [5, 1, 5], short_side=32), whole[[5, 1, 5]])
    assert split.read(2).shape == (24, 48, 64, 3)


def test_what_is_read_may_be_written_to(split, limit):
    split.read(1, short_side=32).zero_()
    split.read(1, [0, 1], short_side=32).zero_()
    assert split.read(1, [0], short_side=32).float().mean() > 0


def test_a_video_with_fewer_frames_than_promised(split, limit):
    video = dataclasses.replace(split.videos[0], frames=30)
    wrong = dataclasses.replace(split, videos=(video,))
    with pytest.raises(DataError, match="24 decode"):
        wrong.read(0, [29])


def test_the_cache_forgets_the_least_recently_used(split):
    cache = frame_cache.FrameCache(limit=3 * 24 * 32 * 43 * 3)
    for index in (0, 1, 2, 0, 3):
        cache.video(split.videos[index].path, 32)
    assert [path for path, _ in cache._videos] == [split.videos[index].path for index in (2, 0, 3)]


def test_unlabelled_hides_everything_that_tells(split):
    bare = split.unlabelled()
    assert not bare.labelled
    assert bare.classes == {}
    for position, video in enumerate(bare.videos):
        assert (video.labels, video.group, video.joints) == ({}, "", None)
        assert video.id == f"{position:06d}"
        assert torch.equal(bare.read(position, [3]), split.read(position, [3]))


def test_manifests_depend_on_what_they_should(split):
    def with_first(**changes):
        first = dataclasses.replace(split.videos[0], **changes)
        digests = {**split.digests, first.id: split.digests[split.videos[0].id]}
        return dataclasses.replace(split, videos=(first, *split.videos[1:]), digests=digests)

    relabelled = with_first(labels={"action": 3})
    assert len({split.manifest, relabelled.manifest, with_first(group="x").manifest}) == 3
    assert relabelled.unlabelled().manifest == split.unlabelled().manifest == with_first(id="x").unlabelled().manifest
    assert with_first(frames=23).unlabelled().manifest != split.unlabelled().manifest
    turned = dataclasses.replace(split, videos=split.videos[::-1])
    assert turned.unlabelled().manifest != split.unlabelled().manifest
    changed = dataclasses.replace(split, digests={**split.digests, split.videos[0].id: "other"})
    assert changed.unlabelled().manifest != split.unlabelled().manifest
