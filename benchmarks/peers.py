"""Other readers of video files, each made to give the same clip: (T, 112, 112, 3) uint8 RGB of given frames."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import decord
import numpy as np
import torch

from harness.backbones import _torchvision

_torchvision.models()  # what pytorchvideo imports does not load by itself beside a torch without CUDA

from pytorchvideo.data import LabeledVideoDataset  # noqa: E402
from pytorchvideo.data.clip_sampling import ClipInfo, ClipSampler  # noqa: E402
from pytorchvideo.data.encoded_video import EncodedVideo  # noqa: E402

from .footage import FPS  # noqa: E402

SIDE, WIDE = 112, 149
"""Of the clip, and the width that 320 x 240 pixels have at that height."""
CENTRE = slice((WIDE - SIDE) // 2, (WIDE - SIDE) // 2 + SIDE)


def small(frame):
    """(240, 320, 3) resized by the mean of the area, and its centre cut out."""
    return cv2.resize(frame, (WIDE, SIDE), interpolation=cv2.INTER_AREA)[:, CENTRE]


def pyav(path, wanted):
    """Decode from the start to the last wanted frame, as most code by hand does; one thread."""
    frames = {}
    with av.open(str(path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for number, frame in enumerate(container.decode(video=0)):
            if number in wanted:
                frames[number] = small(frame.to_ndarray(format="rgb24"))
            if number == wanted[-1]:
                break
    return np.stack([frames[number] for number in wanted])


def opencv(path, wanted):
    """Seek to the first wanted frame, grab up to the last, retrieve the wanted ones."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    capture.set(cv2.CAP_PROP_POS_FRAMES, wanted[0])
    frames = []
    for number in range(wanted[0], wanted[-1] + 1):
        capture.grab()
        if number in wanted:
            frames.append(small(cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB)))
    capture.release()
    return np.stack(frames)


def decord_full(path, wanted):
    """Frames at the file's own size, then resized."""
    reader = decord.VideoReader(str(path), num_threads=1)
    return np.stack([small(frame) for frame in reader.get_batch(list(wanted)).asnumpy()])


def decord_small(path, wanted):
    """Frames resized by the reader."""
    reader = decord.VideoReader(str(path), num_threads=1, width=WIDE, height=SIDE)
    return reader.get_batch(list(wanted)).asnumpy()[:, :, CENTRE]


def pytorchvideo(path, wanted):
    """The clip from the first to the last wanted frame, of which the wanted ones are kept."""
    video = EncodedVideo.from_path(str(path), decode_audio=False, decoder="pyav")
    start, end = (Fraction(2 * number + side, 2 * FPS) for number, side in ((wanted[0], -1), (wanted[-1], 1)))
    clip = video.get_clip(start, end)["video"][:, :: wanted[1] - wanted[0]]
    video.close()
    return np.stack([small(frame) for frame in clip.permute(1, 2, 3, 0).to(torch.uint8).numpy()])


class Middle(ClipSampler):
    """pytorchvideo's word for the one clip in the middle of a video."""

    def __init__(self, frames):
        super().__init__(Fraction(frames, FPS))

    def __call__(self, last_clip_end, video_duration, annotation):
        frames, length = round(video_duration * FPS), round(self._clip_duration * FPS)
        start = Fraction(2 * ((frames - length) // 2) - 1, 2 * FPS)  # half a frame early, so that no rounding matters
        return ClipInfo(start, start + self._clip_duration, 0, 0, True)


def pytorchvideo_dataset(paths, frames, stride):
    """pytorchvideo's data set of the middle clips, each resized and cut as `small` does it: (T, 112, 112, 3) uint8."""

    def small_clip(found):
        wanted = found["video"][:, ::stride][:, :frames].permute(1, 2, 3, 0).to(torch.uint8).numpy()
        return np.stack([small(frame) for frame in wanted])

    return LabeledVideoDataset(
        [(str(path), {"label": 0}) for path in paths],
        Middle((frames - 1) * stride + 1),
        video_sampler=torch.utils.data.SequentialSampler,
        transform=small_clip,
        decode_audio=False,
        decoder="pyav",
    )


class TorchCodec:
    """torchcodec in a process of its own, because it looks for FFmpeg's libraries where a process is told at its start.

    Args:
        folder: an empty one, for links to PyAV's libraries by the names that torchcodec looks for.
    """

    def __init__(self, folder):
        libraries = Path(av.__file__).parent.parent / "av.libs"
        for library in libraries.glob("lib[as][vw]*.so*"):
            name, version = re.match(r"(lib\w+)-\w+\.so\.(\d+)", library.name).groups()
            (folder / f"{name}.so.{version}").symlink_to(library)
        searched = os.pathsep.join(filter(None, (str(folder), str(libraries), os.environ.get("LD_LIBRARY_PATH"))))
        self._output = folder / "clips.npy"
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("torchcodec_worker.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "LD_LIBRARY_PATH": searched},
        )

    def clips(self, clips, *, threads, mode, output=False):
        """Read `clips`; they are only handed over when `output` is wanted."""
        order = {
            "clips": [(str(path), list(wanted)) for path, wanted in clips],
            "threads": threads,
            "mode": mode,
            "output": str(self._output) if output else None,
        }
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "done\n"
        return np.load(self._output) if output else None

    def close(self):
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait(timeout=30) == 0
