"""Trajectories drawn over the frames they are on: kept ones green, those of the camera's motion red."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from harness.pictures.sheet import sheet
from harness.video.write import write_video
from harness_dense_trajectories.boxes import read_boxes
from harness_dense_trajectories.extract import extract
from harness_dense_trajectories.tables import grey, humans_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.interfaces import Split
    from harness_dense_trajectories.settings import Settings
    from harness_dense_trajectories.trajectories import Trajectories

KEPT, REMOVED = (40, 220, 60), (235, 60, 50)
HEIGHT = 240
"""Pixels that frames are enlarged to at least."""
VIDEOS, FRAMES = 4, 5
"""Rows of the still, and frames in each."""


def illustrations(split: Split, settings: Settings, boxes: str = "") -> dict[str, bytes]:
    """`trajectories.png`, a row of frames for each of some videos, and `trajectories.mp4`, the first of these.

    Args:
        split: whose videos; those shown are spread evenly over it.
        settings: of the extractor.
        boxes: the name of those of humans, see `Tables`.

    Raises:
        DataError: when a video does not decode, or its boxes are missing.
    """
    chosen = np.unique(np.linspace(0, len(split) - 1, VIDEOS).round().astype(int)).tolist()
    rows, film = [], None
    for index in chosen:
        frames = split.read(index)
        humans = humans_of(boxes, split.videos[index])
        around = None if humans is None else read_boxes(humans, len(frames))
        pictures = drawn(frames.numpy(), extract(grey(frames), settings, boxes=around))
        shown = np.linspace(min(1, len(pictures) - 1), len(pictures) - 1, FRAMES).round().astype(int)
        rows.append((split.videos[index].id, [pictures[number] for number in shown]))
        film = (pictures, split.videos[index].fps or 25.0) if film is None else film
    assert film is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trajectories.mp4")
        even = film[0][:, : film[0].shape[1] // 2 * 2, : film[0].shape[2] // 2 * 2]
        write_video(path, even, film[1], "libx264")
        return {"trajectories.png": sheet(rows, HEIGHT), "trajectories.mp4": path.read_bytes()}


def drawn(frames: NDArray[np.uint8], found: Trajectories) -> NDArray[np.uint8]:
    """Frames (T, H, W, 3) RGB, enlarged, with what each trajectory has gone through so far.

    A trajectory is shown from its second frame to its last.
    """
    factor = max(1, -(-HEIGHT // frames.shape[1]))
    pictures = frames.repeat(factor, 1).repeat(factor, 2)
    for tracks, first, colour in (
        (found.removed, found.removed_frame, REMOVED),
        (found.tracks, found.frame, KEPT),
    ):
        points = np.round((tracks + 0.5) * factor).astype(np.int32)
        for step in range(1, points.shape[1]):
            for number in np.unique(first):
                if number + step < len(pictures):
                    lines = list(points[first == number, : step + 1])
                    cv2.polylines(pictures[number + step], lines, False, colour, 1, cv2.LINE_AA)
    return pictures
