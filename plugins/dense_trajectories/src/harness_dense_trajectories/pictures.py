"""Pictures of trajectories over frames: kept ones green, the camera's red."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from harness.pictures.sheet import sheet
from harness.video.write import write_video
from harness_dense_trajectories.boxes import find_boxes, read_boxes
from harness_dense_trajectories.extract import extract
from harness_dense_trajectories.tables import grey

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.interfaces import Split
    from harness_dense_trajectories.settings import Settings
    from harness_dense_trajectories.trajectories import Trajectories

KEPT, REMOVED = (40, 220, 60), (235, 60, 50)
HEIGHT = 240
"""Least height of the frames, pixels; smaller ones are enlarged."""
VIDEOS, FRAMES = 4, 5
"""Rows of the still, and frames in each."""


def illustrations(split: Split, settings: Settings, boxes: str = "") -> dict[str, bytes]:
    """Draw some videos' trajectories as a still and a film.

    `trajectories.png` has a row of frames for each of them; `trajectories.mp4` is the first.

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
        humans = find_boxes(boxes, split.videos[index])
        around = None if humans is None else read_boxes(humans, len(frames))
        pictures = draw(frames.numpy(), extract(grey(frames), settings, boxes=around))
        shown = np.linspace(min(1, len(pictures) - 1), len(pictures) - 1, FRAMES).round().astype(int)
        rows.append((split.videos[index].id, [pictures[number] for number in shown]))
        film = (pictures, split.videos[index].fps or 25.0) if film is None else film
    assert film is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trajectories.mp4")
        even = film[0][:, : film[0].shape[1] // 2 * 2, : film[0].shape[2] // 2 * 2]
        write_video(path, even, film[1], "libx264")
        return {"trajectories.png": sheet(rows, HEIGHT), "trajectories.mp4": path.read_bytes()}


def draw(frames: NDArray[np.uint8], trajectories: Trajectories) -> NDArray[np.uint8]:
    """Draw the way of each trajectory so far over frames (T, H, W, 3) RGB, enlarged.

    A trajectory is shown from its second frame to its last.
    """
    factor = max(1, -(-HEIGHT // frames.shape[1]))
    pictures = frames.repeat(factor, 1).repeat(factor, 2)
    for tracks, first, colour in (
        (trajectories.removed, trajectories.removed_frame, REMOVED),
        (trajectories.tracks, trajectories.frame, KEPT),
    ):
        points = np.round((tracks + 0.5) * factor).astype(np.int32)
        for step in range(1, points.shape[1]):
            for number in np.unique(first):
                if number + step < len(pictures):
                    lines = list(points[first == number, : step + 1])
                    cv2.polylines(pictures[number + step], lines, False, colour, 1, cv2.LINE_AA)
    return pictures
