"""Boxes around people from a data set's joints: an oracle in a detector's place.

`python -m harness_dense_trajectories.joint_boxes mocap-actions --set size=mini` writes them under
`$HARNESS_HOME/boxes/joints`, where the methods' option `boxes: joints` reads them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.errors import DataError, HarnessError
from harness.evaluation import load_dataset
from harness.evaluators.pose.frames import read_joints
from harness.functional.pose import DIAGONAL
from harness.suites.schema import change
from harness.system import files, paths, progress
from harness_dense_trajectories.boxes import JOINTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.interfaces import Dataset

AROUND = 0.5
"""Widening to the left, to the right and upwards, in torsos."""
DOWN = 1.6
"""Widening downwards, in torsos: the legs, which have no joints."""


class Written(NamedTuple):
    """Numbers of a data set's files of boxes."""

    new: int
    before: int
    """Files that were there already."""
    frames: int
    """Frames of the new files."""
    empty: int
    """Frames of them without a box: no torso is known, or nobody is in the picture."""


def boxes_of(joints: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """Compute the box (T, 4) around the joints (T, 9, 2) of each frame; NaN for none.

    It is the box of all joints that are known, widened by `AROUND` and `DOWN` torsos (left shoulder to right hip) and
    clipped to the picture. A frame has none where that torso is not known, or the box is outside of the picture.

    Args:
        joints: pixels, NaN where unknown, in FLIC's order.
        width: of the picture, pixels.
        height: of the picture, pixels.

    >>> joints = np.full((1, 9, 2), np.nan, np.float32)
    >>> joints[0, 1], joints[0, 8] = (30, 20), (30, 30)  # left shoulder, right hip: a torso of 10 pixels
    >>> boxes_of(joints, 64, 40).tolist()
    [[25.0, 15.0, 35.0, 40.0]]
    """
    points = np.where(np.isfinite(joints).all(-1, keepdims=True), joints, np.nan)
    shoulder, hip = (points[:, joint] for joint in DIAGONAL)
    torso = np.linalg.norm(shoulder - hip, axis=-1, keepdims=True)
    low = np.fmin.reduce(points, axis=1) - AROUND * torso  # type: ignore[call-overload, unused-ignore]  # NumPy 2.5
    high = np.fmax.reduce(points, axis=1) + torso * np.array([AROUND, DOWN])  # type: ignore[call-overload, unused-ignore]
    size = np.array([width, height])
    boxes = np.concatenate([low.clip(0, size), high.clip(0, size)], axis=1, dtype=np.float32)
    boxes[~(boxes[:, 2:] > boxes[:, :2]).all(1)] = np.nan  # also where one is NaN
    return boxes


def write_boxes(data: Dataset) -> Written:
    """Write boxes of every video of every split that has no file of them yet.

    A file is there whole or not at all, so that a call goes on where one before was interrupted.

    Raises:
        DataError: when the data set has no joints, a video's cannot be read, or a video has no hash of its content.
    """
    if not data.card.joints:
        msg = f"data set {data.card.name!r} has no joints to put boxes around; `boxes` of a detector need none"
        raise DataError(msg)
    videos = [video for name in data.card.splits for video in data.split(name).videos]
    new = frames = empty = 0
    with progress.bar(f"boxes of {data.card.name}", total=len(videos)) as bar:
        for video in videos:
            if not video.content:
                msg = f"video {video.id!r} has no hash of its content, which names its file of boxes"
                raise DataError(msg)
            path = paths.home() / "boxes" / JOINTS / f"{video.content}.npz"
            if not path.exists():
                boxes = boxes_of(read_joints(video)[0], video.width, video.height)
                shown = np.flatnonzero(np.isfinite(boxes[:, 0]))
                with files.replacing(path) as temporary, temporary.open("wb") as file:
                    np.savez(file, frame=shown, box=boxes[shown])
                new, frames, empty = new + 1, frames + len(boxes), empty + len(boxes) - len(shown)
            bar.advance(note=video.id)
    return Written(new, len(videos) - new, frames, empty)


def main(arguments: Sequence[str]) -> None:
    """Write boxes around a data set's joints, for the option `boxes: joints`."""
    parser = argparse.ArgumentParser(
        prog="python -m harness_dense_trajectories.joint_boxes", description=main.__doc__, allow_abbrev=False
    )
    parser.add_argument("name", help="a data set with joints: mocap-actions")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="an option of the data set: size=mini"
    )
    given = parser.parse_args(arguments)
    options: dict[str, Any] = {}
    for text in given.set:
        change(options, text)
    written = write_boxes(load_dataset(given.name, **options))
    sys.stdout.write(
        f"{paths.home() / 'boxes' / JOINTS}: boxes of {written.new} videos written ({written.empty} of their "
        f"{written.frames} frames have none), of {written.before} there before\n"
    )


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except HarnessError as problem:
        progress.say(f"joint_boxes: {problem}")
        sys.exit(problem.exit_code)
