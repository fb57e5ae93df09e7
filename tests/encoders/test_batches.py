"""Batches for encoders of two streams: clips, and the flow of the same frames and crops."""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import replace

import pytest
import torch
from torch import nn

from harness.cards import View, WholeVideo
from harness.encoders import batches as module
from harness.encoders.batches import batches, video_flow
from harness.encoders.frozen import CachedEncoder
from harness.encoders.network import NetworkEncoder
from harness.errors import UsageError
from harness.evaluators.linear import LinearProbe
from harness.testing import MovingSquares, evaluating
from harness.values import Encoding, Inputs
from harness.video.loader import FEW, THREADS

VIEW = View(frames=4, stride=2, size=32, clips=2)
SPLIT = MovingSquares().split("test")
ONE = replace(VIEW, clips=1)
FLOW = Inputs(view=ONE, mean=(0.0, 0.0), std=(1.0, 1.0), scale=1.0, kind="flow")
STREAMS = {"appearance": Inputs(view=ONE), "motion": FLOW}


class TwoStreams(nn.Module):
    """Mean colour, and how far things move in each direction."""

    def forward(self, streams):
        motion = streams["motion"]
        moved = torch.cat([motion.clamp(min=0), -motion.clamp(max=0)], dim=1)
        return torch.cat([streams["appearance"].mean((2, 3, 4)), moved.amax((2, 3, 4))], dim=1)


def test_flow_is_of_the_frames_and_crops_of_the_clips():
    flow = video_flow(SPLIT, 0, VIEW)
    assert flow.shape == (2, 2, 4, 32, 32)
    whole = SPLIT.flow(0, [17, 19, 21, 22], short_side=32)  # of the last clip; of the last frame the flow before
    height, width = whole.shape[2:]
    left = (width - 32) // 2
    torch.testing.assert_close(flow[1], whole[:, :, (height - 32) // 2 :, left : left + 32].transpose(0, 1))


def test_mirror_images_have_mirrored_flow():
    flow = video_flow(SPLIT, 0, View(frames=2, size=24, resize=32, crops=10))
    assert flow.shape == (10, 2, 2, 24, 24)
    torch.testing.assert_close(flow[5:, 0], -flow[:5, 0].flip(-1))
    torch.testing.assert_close(flow[5:, 1], flow[:5, 1].flip(-1))


@pytest.mark.parametrize("first", [0, 3])
def test_batches_carry_the_flow_of_their_clips(first):
    (start, batch), *_ = batches(SPLIT, VIEW, STREAMS, batch_size=4, device="cpu", first=first)
    assert start == first
    rows = torch.cat([video_flow(SPLIT, index, VIEW) for index in range(4)])
    torch.testing.assert_close(batch.flow, rows[first : first + 4])
    assert batch.clips.shape == (4, 3, 4, 32, 32)


def test_flow_is_read_ahead_in_threads_of_each_video_once(monkeypatch):
    read = {}

    def noted(split, index, **options):
        read.setdefault(index, []).append(threading.current_thread())
        return video_flow(split, index, **options)

    monkeypatch.setattr(module, "video_flow", noted)
    monkeypatch.setattr(module, "overlaps", lambda device: True)
    with contextlib.closing(batches(SPLIT, VIEW, STREAMS, batch_size=4, device="cpu")) as found:
        next(found)
        deadline = time.monotonic() + 30
        while len(read) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert {0, 1, 2, 3} <= set(read)
        rest = list(found)
    assert all(len(threads) == 1 and threads[0] is not threading.main_thread() for threads in read.values())
    assert sum(len(batch.flow) for _, batch in rest) == 2 * len(SPLIT) - 4


@pytest.mark.parametrize(("batch_size", "more", "threads"), [(4, 2, THREADS), (1, 0, FEW)])
def test_flow_of_many_clips_is_read_by_few_threads(monkeypatch, batch_size, more, threads):
    def read(work, tasks, **asked):
        assert asked == {"more": more, "threads": threads}
        yield from map(work, tasks)

    monkeypatch.setattr(module, "overlaps", lambda device: True)
    monkeypatch.setattr(module, "read_ahead", read)
    found = [batch.flow for _, batch in batches(SPLIT, VIEW, STREAMS, batch_size=batch_size, device="cpu")]
    assert sum(map(len, found)) == 2 * len(SPLIT)


def test_without_a_stream_of_flow_none_is_read():
    _, batch = next(batches(SPLIT, VIEW, Inputs(view=VIEW), batch_size=4, device="cpu"))
    assert batch.flow is None


def test_flow_of_whole_videos_is_refused():
    with pytest.raises(UsageError, match="expected a view of clips for optical flow"):
        next(batches(SPLIT, WholeVideo(), FLOW, batch_size=1, device="cpu"))


def test_a_network_of_two_streams_is_measured():
    encoder = NetworkEncoder(TwoStreams(), STREAMS)
    assert encoder.promise.shape == (7,)
    features = CachedEncoder(encoder, key="two").features(SPLIT, Encoding(clips=2))
    assert features.per_clip().shape == (len(SPLIT), 2, 7)
    top1 = evaluating.values(evaluating.evaluate(LinearProbe(), encoder))["top1"]
    assert top1 > 0.9  # the classes are directions of motion
