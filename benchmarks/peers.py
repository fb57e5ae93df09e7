"""Other readers of video files, each made to give the same clip: (T, 112, 112, 3) uint8 RGB of given frames."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import av
import cv2
import numpy as np

from .crop import CENTRE, SIDE, WIDE, small


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
    import decord

    reader = decord.VideoReader(str(path), num_threads=1)
    return np.stack([small(frame) for frame in reader.get_batch(list(wanted)).asnumpy()])


def decord_small(path, wanted):
    """Frames resized by the reader."""
    import decord

    reader = decord.VideoReader(str(path), num_threads=1, width=WIDE, height=SIDE)
    return reader.get_batch(list(wanted)).asnumpy()[:, :, CENTRE]


def pytorchvideo(path, wanted):
    """The clip from the first to the last wanted frame, of which the wanted ones are kept."""
    from . import pytorchvideo_peer

    return pytorchvideo_peer.clip(path, wanted)


def pytorchvideo_dataset(paths, frames, stride):
    """pytorchvideo's data set of the middle clips: (T, 112, 112, 3) uint8 each."""
    from . import pytorchvideo_peer

    return pytorchvideo_peer.dataset(paths, frames, stride)


class TorchCodec:
    """torchcodec in a process of its own, because it looks for FFmpeg's libraries where a process is told at its start.

    The process starts with the first clips that are wanted.

    Args:
        folder: an empty one, for links to PyAV's libraries by the names that torchcodec looks for.
    """

    def __init__(self, folder):
        self._folder, self._output, self._process = folder, folder / "clips.npy", None

    def _start(self):
        if importlib.util.find_spec("torchcodec") is None:
            raise ModuleNotFoundError(name="torchcodec")
        folder = self._folder
        libraries = Path(av.__file__).parent.parent / "av.libs"
        for library in libraries.glob("lib[as][vw]*.so*"):
            name, version = re.match(r"(lib\w+)-\w+\.so\.(\d+)", library.name).groups()
            (folder / f"{name}.so.{version}").symlink_to(library)
        searched = os.pathsep.join(filter(None, (str(folder), str(libraries), os.environ.get("LD_LIBRARY_PATH"))))
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("torchcodec_worker.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "LD_LIBRARY_PATH": searched},
        )

    def clips(self, clips, *, threads, mode, output=False):
        """Read `clips`; they are only handed over when `output` is wanted."""
        if self._process is None:
            self._start()
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
        if self._process is None:
            return
        self._process.stdin.close()
        self._process.stdout.close()
        assert self._process.wait(timeout=30) == 0
