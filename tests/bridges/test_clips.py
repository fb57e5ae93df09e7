"""Clips of decoders and of frames, beside those that a split of ours gives."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from harness.bridges.clips import clips_of
from harness.cards import View
from harness.errors import DataError
from harness.testing import MovingSquares
from harness.video.decode import decode
from harness.video.loader import clips
from harness.video.sampling import clip_frames
from harness.video.transforms import crops


class Decoder:
    """What torchcodec's decoder offers, of frames in memory of which the last few may not decode."""

    def __init__(self, frames, announced=None):
        self.frames, self.read, self.calls = frames, [], 0
        self.metadata = SimpleNamespace(num_frames=len(frames) if announced is None else announced)

    def get_frames_at(self, indices):
        self.calls += 1
        if max(indices) >= len(self.frames):
            raise RuntimeError("no more frames left to decode")
        self.read += indices
        return SimpleNamespace(data=self.frames[indices])


def frames_of(split, index):
    return split.read(index).permute(0, 3, 1, 2)  # (T, C, H, W)


@pytest.mark.parametrize(
    "view",
    [
        View(frames=4, stride=2, size=24),
        View(frames=8, stride="uniform", size=40, resize=48),
        View(frames=4, size=16, resize=24, clips=3, crops=10),
        View(frames=30, size=48),
        View(frames=1, size=12, crops=3),
    ],
)
def test_clips_are_those_of_the_protocol(view):
    split = MovingSquares().split("test")
    (_, expected), *_ = clips(split, view, batch_size=view.count, device="cpu")
    for video in (frames_of(split, 0), frames_of(split, 0).numpy(), Decoder(frames_of(split, 0))):
        found = clips_of(video, view)
        assert found.shape == expected.shape == (view.count, 3, view.frames, view.size, view.size)
        # Two means of the same pixels, rounded.
        assert (found.int() - expected.int()).abs().max() <= 1


@pytest.mark.parametrize("size", [24, 40, 60])
def test_clips_of_a_file_are_nearly_those_of_the_protocol(size, tmp_path):
    split, view = MovingSquares(tmp_path).split("test"), View(frames=8, size=size)
    path = split.videos[0].path
    decoded = torch.from_numpy(decode(path))
    expected = torch.from_numpy(decode(path, clip_frames(len(decoded), view)[0].tolist(), short_side=size))
    expected = crops(expected.permute(3, 0, 1, 2)[None], size, 1)[:, 0]
    difference = (clips_of(decoded.permute(0, 3, 1, 2), view).float() - expected).abs()
    assert difference.mean() < 2  # of 255: a decoder enlarges colours before they are resized, ours while they are


def test_frames_that_are_not_shown_are_not_decoded():
    decoder = Decoder(frames_of(MovingSquares().split("test"), 0))
    clips_of(decoder, View(frames=3, stride=4, size=16))
    assert decoder.read == [7, 11, 15]


@pytest.mark.parametrize(("announced", "calls"), [(12, 7), (100_000, 20)])
def test_frames_that_do_not_decode_at_the_end_are_no_part_of_the_video(announced, calls):
    frames = frames_of(MovingSquares().split("test"), 0)[:9]
    view = View(frames=12, stride="uniform", size=16)
    decoder = Decoder(frames, announced=announced)
    assert torch.equal(clips_of(decoder, view), clips_of(frames, view))
    assert decoder.calls <= calls


class Broken(Decoder):
    def get_frames_at(self, indices):
        raise RuntimeError("moov atom\nnot found")


@pytest.mark.parametrize(
    ("video", "message"),
    [
        (torch.zeros(0, 3, 8, 8, dtype=torch.uint8), "no frames"),
        (torch.zeros(4, 8, 8, 3, dtype=torch.uint8), r"\(T, 3, H, W\) uint8 .* got \(4, 8, 8, 3\)"),
        (np.zeros((4, 3, 8, 8)), "float64"),
        ({"bytes": b""}, "got dict"),
        (Broken(torch.zeros(4, 3, 8, 8, dtype=torch.uint8)), "does not decode: moov atom not found"),
        (Decoder(torch.zeros(0, 3, 8, 8, dtype=torch.uint8), announced=2), "no frames"),
    ],
)
def test_what_is_no_video(video, message):
    with pytest.raises(DataError, match=message):
        clips_of(video, View(frames=2, size=8))
