"""Boxes around humans, from a file: what a detector found, to be kept out of the estimate of the camera's motion."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError

Boxes = Sequence[NDArray[np.float32]]
"""For each frame (k, 4): left, top, right, bottom in pixels."""
_FORMATS = (
    "a .json list with one list of [left, top, right, bottom] a frame, or a .npz of `frame` (m,) and `box` (m, 4)"
)


def read_boxes(path: Path, frames: int) -> list[NDArray[np.float32]]:
    """The boxes of each of a video's frames, (k, 4) float32, from JSON or `.npz`.

    JSON is a list with an item a frame, itself a list of [left, top, right, bottom]. An `.npz` has `frame` (m,), the
    frame that each box is in, counted from 0, and `box` (m, 4).

    Raises:
        DataError: when the file cannot be read, is neither, or has boxes outside the video's frames.
    """
    try:
        found = _from_npz(path, frames) if path.suffix == ".npz" else _from_json(path)
    except (OSError, ValueError, KeyError, TypeError, IndexError, zipfile.BadZipFile) as error:
        msg = f"{path}: no boxes can be read ({error}); it should be {_FORMATS}"
        raise DataError(msg) from error
    if len(found) != frames:
        msg = f"{path}: boxes of {len(found)} frames, but the video has {frames}; give one list a frame, empty or not"
        raise DataError(msg)
    return found


def checked(boxes: Any) -> NDArray[np.float32]:
    """The boxes of one frame as (k, 4) float32.

    Raises:
        ValueError: when they are not (k, 4) finite numbers, or a box ends before it begins.
    """
    found = np.asarray(boxes, np.float32)
    if not found.size:
        return np.empty((0, 4), np.float32)
    if found.ndim != 2 or found.shape[1] != 4 or not np.isfinite(found).all() or (found[:, 2:] < found[:, :2]).any():
        msg = f"boxes of a frame must be (k, 4) of left, top, right, bottom, got {found.tolist()}"
        raise ValueError(msg)
    return found


def _from_json(path: Path) -> list[NDArray[np.float32]]:
    found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, list):
        msg = f"a {type(found).__name__}"
        raise TypeError(msg)
    return [checked(boxes) for boxes in found]


def _from_npz(path: Path, frames: int) -> list[NDArray[np.float32]]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
        frame, box = archive["frame"], checked(archive["box"])
    if frame.shape != (len(box),) or (len(frame) and not 0 <= frame.min() <= frame.max() < frames):
        msg = f"`frame` must name one of the {frames} frames for each of {len(box)} boxes"
        raise ValueError(msg)
    return [box[frame == number] for number in range(frames)]
