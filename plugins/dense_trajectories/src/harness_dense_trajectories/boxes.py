"""Boxes around humans from files, kept out of the estimate of the camera's motion."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError
from harness.system import paths
from harness.system.presence import is_file
from harness.system.zips import read_arrays

if TYPE_CHECKING:
    from harness.values import Video

Boxes = Sequence[NDArray[np.float32]]
"""For each frame (k, 4): left, top, right, bottom in pixels."""
JOINTS = "joints"
"""Name of the boxes around a data set's joints, which `joint_boxes` writes."""
MOST_BYTES = 2**26
"""Bytes of the boxes of a video: four million of them."""
_FORMATS = (
    "a .json list with one list of [left, top, right, bottom] a frame, or a .npz of `frame` (m,) and `box` (m, 4)"
)


def find_boxes(name: str, video: Video) -> Path | None:
    """Find the file with a video's boxes of the set `name`; None when that is "".

    It is `$HARNESS_HOME/boxes/NAME/<video.content>.npz`, or `.json`: a video is known by its content, not by a path
    that tells its class. Of a whole file the content is its sha256; a part of one has a hash of its own.

    Raises:
        DataError: when there is no such file.
    """
    if not name:
        return None
    stem = paths.home() / "boxes" / name / (video.content or "of-a-video-without-a-file")
    for suffix in (".npz", ".json"):
        path = stem.with_suffix(suffix)
        if is_file(path):
            return path
    way = "run `python -m harness_dense_trajectories.joint_boxes DATASET`" if name == JOINTS else "write them there"
    named = "the sha256 of a whole file; a part of one has a name of its own, this one"
    msg = f"video {video.id!r}: no boxes at {stem}.npz or .json ({named}); {way}, or leave `boxes` out"
    raise DataError(msg)


def read_boxes(path: Path, frames: int) -> list[NDArray[np.float32]]:
    """Read the boxes of each of a video's frames, (k, 4) float32, from JSON or `.npz`.

    JSON is a list with an item a frame, itself a list of [left, top, right, bottom]. An `.npz` has `frame` (m,), the
    frame that each box is in, counted from 0, and `box` (m, 4).

    Raises:
        DataError: when the file cannot be read, is neither, or has boxes outside the video's frames.
    """
    try:
        boxes = _from_npz(path, frames) if path.suffix == ".npz" else _from_json(path)
    except (OSError, ValueError, KeyError, TypeError, IndexError, zipfile.BadZipFile) as error:
        msg = f"{path}: no boxes can be read ({error}); it should be {_FORMATS}"
        raise DataError(msg) from error
    if len(boxes) != frames:
        msg = f"{path}: boxes of {len(boxes)} frames, but the video has {frames}; give one list a frame, empty or not"
        raise DataError(msg)
    return boxes


def check_boxes(boxes: Any) -> NDArray[np.float32]:
    """Convert the boxes of one frame to (k, 4) float32.

    Raises:
        ValueError: when they are not (k, 4) finite numbers, or a box ends before it begins.
    """
    checked = np.asarray(boxes, np.float32)
    if not checked.size:
        return np.empty((0, 4), np.float32)
    if (
        checked.ndim != 2
        or checked.shape[1] != 4
        or not np.isfinite(checked).all()
        or (checked[:, 2:] < checked[:, :2]).any()
    ):
        msg = f"boxes of a frame must be (k, 4) of left, top, right, bottom, got {checked.tolist()}"
        raise ValueError(msg)
    return checked


def _from_json(path: Path) -> list[NDArray[np.float32]]:
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, list):
        msg = f"expected a list, got a {type(content).__name__}"
        raise TypeError(msg)
    return [check_boxes(boxes) for boxes in content]


def _from_npz(path: Path, frames: int) -> list[NDArray[np.float32]]:
    arrays = read_arrays(path, ("frame", "box"), MOST_BYTES)
    frame, box = arrays["frame"], check_boxes(arrays["box"])
    if frame.shape != (len(box),) or (len(frame) and not 0 <= frame.min() <= frame.max() < frames):
        msg = f"`frame` must name one of the {frames} frames for each of {len(box)} boxes, got {frame.tolist()[:9]}"
        raise ValueError(msg)
    return [box[frame == number] for number in range(frames)]
