"""Clips of 16 frames at 112 pixels from video files, beside what people write by hand."""

from __future__ import annotations

import av
import cv2
import numpy as np
import pytest

from harness.video import timeline
from harness.video.decode import decode

SHORT_SIDE = 112


def small(frame):
    return cv2.resize(frame, (149, SHORT_SIDE), interpolation=cv2.INTER_AREA)


def pyav(path, wanted, resize=small):
    """Decode from the start to the last wanted frame, convert and resize the wanted ones."""
    frames = {}
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number in wanted:
                frames[number] = resize(frame.to_ndarray(format="rgb24"))
            if number == max(wanted):
                break
    return np.stack([frames[number] for number in wanted])


def opencv(path, wanted, resize=small):
    """Grab from the start to the last wanted frame, retrieve and resize the wanted ones."""
    capture = cv2.VideoCapture(str(path))
    frames = {}
    for number in range(max(wanted) + 1):
        capture.grab()
        if number in wanted:
            frames[number] = resize(cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB))
    capture.release()
    return np.stack([frames[number] for number in wanted])


@pytest.mark.parametrize("visit", ["first", "later"])
@pytest.mark.parametrize("stride", [1, 3])
def test_decode(videos, beside, stride, visit):
    """The first visit of a file decodes from its start; a later one, as in a second epoch, may seek."""
    starts = np.random.default_rng(1).integers(0, 61 - (15 * stride + 1), len(videos))
    clips = [(path, (start + stride * np.arange(16)).tolist()) for path, start in zip(videos, starts, strict=True)]
    timeline.forget()
    for path, wanted in [*clips, *clips]:
        assert np.array_equal(decode(path, wanted), pyav(path, wanted, resize=np.asarray))
    for path, wanted in clips[:4]:
        found = decode(path, wanted, short_side=SHORT_SIDE).astype(int)
        for peer in (pyav, opencv):
            assert np.abs(found - peer(path, wanted)).mean() < 2  # another scaler

    def ours():
        if visit == "first":
            timeline.forget()
        return [decode(path, wanted, short_side=SHORT_SIDE) for path, wanted in clips]

    peers = {
        "PyAV": lambda: [pyav(path, wanted) for path, wanted in clips],
        "OpenCV": lambda: [opencv(path, wanted) for path, wanted in clips],
    }
    beside(ours, peers, clips=len(clips))
