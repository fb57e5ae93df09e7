"""Probe video and image files by decoding them whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import DataError
from harness.video import container

if TYPE_CHECKING:
    from pathlib import Path

REASONS = {
    "missing": "no such file",
    "folder": "a folder, not a file",
    "empty": "a file of 0 bytes",
    "unreadable": "the system does not let it be read",
    "not-video": "nothing that FFmpeg knows as a video or image",
    "no-video-stream": "sound, subtitles or data alone",
    "no-frames": "a video of which no frame decodes",
    "truncated": "fewer frames decode than its header declares",
    "corrupt": "frames decode with errors",
    "crashed": "the decoder crashed on it",
    "hung": "the decoder did not come to an end",
}
"""Reasons that make a file unusable."""

REMARKS = {
    "one-frame": "an image, or a video of one frame",
    "odd-size": "a width or height that is odd",
    "rotated": "the file asks to be turned",
    "variable-rate": "the time between frames varies",
    "miscounted": "not exactly as many frames decode as its header declares",
}
"""Oddities of files that can be used."""

LOST = 0.05
"""Share of the declared frames (and 2 more) that may be missing.

Headers of whole files are wrong by a few.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Contents of a probed video or image file."""

    sha256: str
    frames: int
    """Frames that decode."""
    fps: float
    width: int
    height: int
    """Pixels, as shown: after the rotation that the file asks for."""
    bytes: int = 0
    reason: str = ""
    """Key of `REASONS`; empty when the file can be used."""
    message: str = ""
    """The reason in one line, with the file and the remedy."""
    remarks: tuple[str, ...] = ()
    """Keys of `REMARKS`."""


def unusable(reason: str, message: str) -> Record:
    """Record of a file that cannot be used."""
    return Record(sha256="", frames=0, fps=0.0, width=0, height=0, reason=reason, message=message)


def probe(path: Path) -> Record:
    """Decode the whole file and record its contents.

    A file that cannot be used is no error, but a record with a reason. A crash or an endless loop inside the decoder is
    not caught here: see `harness.datasets.file_index`.
    """
    try:
        sha256, size = container.digest(path)
        return _decode(path, sha256, size)
    except DataError as error:
        return unusable(error.reason, str(error))
    except OSError as error:
        return unusable("unreadable", f"{path}: cannot be read ({error.strerror}); check its permissions and the disk")


def _decode(path: Path, sha256: str, size: int) -> Record:
    count, corrupt, turns, times = 0, 0, 0, []
    with container.opened(path) as (file, stream):
        for frame in container.frames(file, stream):
            count += 1
            corrupt += frame.is_corrupt
            turns = round(frame.rotation / 90) % 4
            times.append(frame.pts)
        rate = float(stream.average_rate or stream.guessed_rate or 0)
        width, height = stream.codec_context.width, stream.codec_context.height
        length = stream.duration and stream.time_base and float(stream.duration * stream.time_base)
        if not length and file.duration:
            length = file.duration / 1e6
        promised = stream.frames
        declared = promised or round((length or 0) * rate)
    if turns % 2:
        width, height = height, width
    reason = message = ""
    if not count:
        reason, message = "no-frames", f"{path}: no frame decodes; fetch the file again"
    elif count + 2 < declared * (1 - LOST):
        reason = "truncated"
        message = (
            f"{path}: the header declares {declared} frames, {count} decode; the file is cut short: fetch it again"
        )
    elif corrupt:
        reason, message = "corrupt", f"{path}: {corrupt} of {count} frames decode with errors; fetch it again"
    remarks = {
        "one-frame": count == 1,
        "odd-size": bool(width % 2 or height % 2),
        "rotated": bool(turns),
        "variable-rate": _varies(times),
        "miscounted": 1 < count != promised > 1,
    }
    return Record(
        sha256=sha256,
        frames=count,
        fps=rate,
        width=width,
        height=height,
        bytes=size,
        reason=reason,
        message=message,
        remarks=tuple(name for name, holds in remarks.items() if holds),
    )


def _varies(times: list[int | None]) -> bool:
    known = np.array([time for time in times if time is not None])
    if len(known) < 3:
        return False
    steps = np.diff(known)
    return bool(steps.max() - steps.min() > max(1.0, 0.1 * float(np.median(steps))))
