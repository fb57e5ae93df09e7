"""Decoding on a GPU, with a reader on the CPU in its place."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch

from harness.errors import DataError, UsageError
from harness.video import decode
from harness.video.decode_processes import in_processes
from harness.video.gpu_decode import GPUDecoder, gpu_decoder, same_pixels


class Reader:
    """Stands for torchcodec's decoder: whole frames (T, C, H, W), made lighter by `more`."""

    def __init__(self, path, more=0):
        self._frames = torch.from_numpy(decode.decode_here(path, None, None, None)).permute(0, 3, 1, 2) + more

    def __len__(self):
        return len(self._frames)

    def get_frames_in_range(self, start, stop):
        return SimpleNamespace(data=self._frames[start:stop])

    def get_frames_at(self, wanted):
        return SimpleNamespace(data=self._frames[wanted])


equal = GPUDecoder("cpu", lambda path, device: Reader(path))
lighter = GPUDecoder("cpu", lambda path, device: Reader(path, more=1))


def refuse(path, device):
    raise RuntimeError("no such codec")


@pytest.mark.parametrize("name", ["mpeg4.avi", "h264.mp4"])
def test_equal_pixels_are_told_from_unequal_ones(files, name):
    assert same_pixels(equal, files[name])
    assert not same_pixels(lighter, files[name])


def test_frames_are_those_asked_for(files):
    whole = decode.decode(files["h264.mp4"])
    with decode.decoded_by(equal), in_processes(2):
        assert np.array_equal(decode.decode(files["h264.mp4"]), whole)
        assert np.array_equal(decode.decode(files["h264.mp4"], [5, 2, 5]), whole[[5, 2, 5]])


def test_frames_are_resized_by_the_mean_of_the_area(files):
    frames = equal(files["mpeg4.avi"], [0, 9], 48, None)
    whole = decode.decode(files["mpeg4.avi"], [0, 9])
    small = np.stack([cv2.resize(frame, (64, 48), interpolation=cv2.INTER_AREA) for frame in whole])
    assert frames.shape == (2, 48, 64, 3)
    assert np.abs(frames.astype(int) - small).max() <= 1  # of two pixels by two; halves round to even or up
    assert not same_pixels(equal, files["mpeg4.avi"], short_side=48)  # FFmpeg scales before it converts


def test_what_the_gpu_refuses_is_decoded_here(files, tmp_path):
    decoder = GPUDecoder("cpu", refuse)
    assert np.array_equal(decoder(files["h264.mp4"], None, 32, None), decode.decode(files["h264.mp4"], short_side=32))
    with pytest.raises(DataError, match="no such video"):
        decoder(tmp_path / "missing.mp4", None, 32, None)


def test_a_missing_torchcodec_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchcodec", None)
    monkeypatch.setitem(sys.modules, "torchcodec.decoders", None)
    with pytest.raises(UsageError, match=r"needs torchcodec with CUDA.*pip install torchcodec") as raised:
        gpu_decoder()
    assert "\n" not in str(raised.value)


def test_a_missing_gpu_is_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchcodec", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "torchcodec.decoders", SimpleNamespace(VideoDecoder=None))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match=r"decoding on \'cuda\' needs a GPU"):
        gpu_decoder()
