"""The rows of finished tracks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness_dense_trajectories.columns import COLUMNS, STEPS, TIME_CELLS, WIDTH, column
from harness_dense_trajectories.histograms import FRAME_WIDTHS

Floats = NDArray[np.float32]


def described(window: Sequence[Floats], rows: NDArray[np.int64]) -> dict[str, Floats]:
    """The histograms of tracks by name, (n, 96 or 108): means over the frames of each of the three cells of time.

    Args:
        window: what `Histograms` found in each of the tracks' 15 frames, (points, 132) each.
        rows: (n, 15), which of these points are the track's.
    """
    frames = np.stack([found[rows[:, step]] for step, found in enumerate(window)], axis=1)
    means = frames.reshape(len(rows), TIME_CELLS, STEPS // TIME_CELLS, -1).mean(2)
    edges = np.cumsum(list(FRAME_WIDTHS.values()))[:-1]
    parts = np.split(means, edges, axis=2)
    return {name: part.reshape(len(rows), -1) for name, part in zip(FRAME_WIDTHS, parts, strict=True)}


def table(
    tracks: Floats, displacement: Floats, scale: NDArray[np.float64], last: int, histograms: dict[str, Floats]
) -> Floats:
    """Rows (n, 436) of tracks that end in one frame; `finish` fills in what is not known before the video ends.

    Args:
        tracks: (n, 16, 2), pixels of the frame.
        displacement: their steps, less the camera's motion, (n, 15, 2), pixels of the frame.
        scale: (n,).
        last: the frame.
        histograms: from `described`.
    """
    rows = np.zeros((len(tracks), WIDTH), np.float32)
    rows[:, column("frame")] = last
    rows[:, [column("mean_x"), column("mean_y")]] = tracks.mean(1)
    rows[:, [column("std_x"), column("std_y")]] = tracks.std(1)
    rows[:, column("length")] = np.linalg.norm(np.diff(tracks, axis=1), axis=2).sum(1)
    rows[:, column("scale")] = scale
    total = np.linalg.norm(displacement, axis=2).sum(1)
    rows[:, COLUMNS["shape"]] = (displacement / np.maximum(total, 1e-12)[:, None, None]).reshape(len(tracks), -1)
    for name, found in histograms.items():
        rows[:, COLUMNS[name]] = found
    return rows


def finish(rows: Floats, width: int, height: int, frames: int) -> None:
    """Fill in where in the video the tracks are, as shares of its size and its number of frames."""
    rows[:, column("x_share")] = rows[:, column("mean_x")] / width
    rows[:, column("y_share")] = rows[:, column("mean_y")] / height
    rows[:, column("t_share")] = (rows[:, column("frame")] - STEPS / 2) / frames
