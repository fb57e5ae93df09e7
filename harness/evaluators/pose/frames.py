"""Frames with a person whose joints are known, and the square around that person."""

from __future__ import annotations

import zipfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from harness.errors import DataError
from harness.functional.pose import JOINTS, TORSO
from harness.system.zips import read_arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.interfaces import Dataset, Split
    from harness.values import Video

PER_VIDEO = 2
"""Frames of each video, in the middles of as many equal parts of it."""

EXPANSION = 3.0
"""Side of the square, in longer sides of the torso's box."""

MOST_BYTES = 2**12
"""Bytes of the joints of a frame, many times what they have."""
UNREADABLE = (*(OSError, EOFError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, zlib.error),)
"""Exceptions for a file that is no archive of these arrays."""


@dataclass(frozen=True, slots=True)
class Frames:
    """N frames of a split, each with the square that is cut out around the torso."""

    split: Split
    videos: Tensor
    """(N,) int64 positions in the split."""
    numbers: Tensor
    """(N,) int64: which frame of the video."""
    joints: Tensor
    """(N, 9, 2) float64 pixels, the first one's centre at 0; NaN for a missing joint."""
    scored: Tensor
    """(N, 9) bool: the joint is known and, as its `visible` says, inside of the image."""
    corners: Tensor
    """(N, 2) float64 pixels: left and top of the square."""
    sides: Tensor
    """(N,) float64 pixels."""
    skipped: int
    """Frames without a torso: a shoulder or hip is missing, or all are in one place."""

    def __len__(self) -> int:
        return len(self.videos)

    @property
    def truth(self) -> Tensor:
        """(N, 9, 2) float64 pixels; NaN for a joint that is not scored."""
        return self.joints.where(self.scored[..., None], torch.nan)

    def to_shares(self, points: Tensor) -> Tensor:
        """(N, 9, 2) in pixels -> in shares of the square's side."""
        return (points - self.corners[:, None]) / self.sides[:, None, None]

    def to_pixels(self, shares: Tensor) -> Tensor:
        """(N, 9, 2) in shares of the square's side -> in pixels."""
        return shares.double() * self.sides[:, None, None] + self.corners[:, None]

    def per_video(self, values: Tensor) -> Tensor:
        """Average (N, K) values of frames over each video: (videos,) float64.

        NaN marks values that are left out, and videos without any.
        """
        added = torch.stack([values.nansum(1), (~values.isnan()).sum(1)], dim=1)
        sums, counts = added.new_zeros(len(self.split), 2).index_add_(0, self.videos, added).unbind(1)
        return torch.div(sums, counts)  # 0 / 0 is NaN

    def counts(self) -> dict[str, int]:
        """Numbers of frames, and of frames and joints left out, by reason."""
        missing = self.joints.isnan().any(-1)
        shares = self.to_shares(self.truth)
        return {
            "frames": len(self),
            "frames_without_torso": self.skipped,
            "joints_missing": int(missing.sum()),
            "joints_outside_the_image": int((~self.scored & ~missing).sum()),
            "joints_scored_outside_the_crop": int(((shares < 0) | (shares >= 1)).any(-1).sum()),
        }


def frames_with_people(data: Dataset, name: str) -> Frames:
    """Choose two frames of every video of a split, with a torso each.

    The square is the torso's box (shoulders and hips, wherever they are known, also outside of the image), its longer
    side times 3 about its centre.

    Raises:
        DataError: when the data set has no joints, a video's cannot be read or are not what `Video.joints` says, the
            split is empty, or no frame has a torso.
    """
    split = data.split(name)
    where = f"split {name!r} of data set {data.card.name!r}"
    if not data.card.joints:
        msg = f"data set {data.card.name!r} has no joints, which the pose protocol measures against"
        raise DataError(msg)
    if not len(split):
        msg = f"{where} has no videos"
        raise DataError(msg)
    videos, numbers, joints, visible = [], [], [], []
    for index, video in enumerate(split.videos):
        chosen = sorted({(2 * i + 1) * video.frames // (2 * PER_VIDEO) for i in range(PER_VIDEO)})
        positions, shown = read_joints(video)
        videos += [index] * len(chosen)
        numbers += chosen
        joints.append(positions[chosen])
        visible.append(shown[chosen])
    points = torch.from_numpy(np.concatenate(joints)).double()
    points = points.where(points.isfinite().all(-1, keepdim=True), torch.nan)
    torso = points[:, TORSO]
    low, high = torso.amin(1), torso.amax(1)  # NaN when one is
    longer = (high - low).amax(1)
    kept = longer > 0
    if not kept.any():
        msg = f"{where}: no frame has all of {', '.join(JOINTS[joint] for joint in TORSO)} in different places"
        raise DataError(msg)
    sides = EXPANSION * longer[kept]
    return Frames(
        split=split,
        videos=torch.tensor(videos)[kept],
        numbers=torch.tensor(numbers)[kept],
        joints=points[kept],
        scored=torch.from_numpy(np.concatenate(visible))[kept] & points[kept].isfinite().all(-1),
        corners=(low + high)[kept] / 2 - sides[:, None] / 2,
        sides=sides,
        skipped=int((~kept).sum()),
    )


def read_joints(video: Video) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Read the joints (T, 9, 2) float32 of a video, and their visibility (T, 9) bool.

    Raises:
        DataError: when there are none, or they cannot be read or have another shape.
    """
    if video.joints is None:
        msg = f"video {video.id!r} has no joints, though its data set's card says so"
        raise DataError(msg)
    try:
        largest = MOST_BYTES * max(video.frames, 1)
        joints, visible = read_arrays(video.joints, ("joints", "visible"), largest).values()
    except UNREADABLE as error:
        msg = f"{video.joints}: the joints of video {video.id!r} cannot be read ({error}); fetch or draw them again"
        raise DataError(msg) from error
    wanted = (video.frames, len(JOINTS))
    if (joints.shape, joints.dtype.kind) != ((*wanted, 2), "f") or (visible.shape, visible.dtype.kind) != (wanted, "b"):
        msg = (
            f"{video.joints}: video {video.id!r} needs joints {(*wanted, 2)} float32 and visible {wanted} bool, "
            f"got {joints.shape} {joints.dtype} and {visible.shape} {visible.dtype}"
        )
        raise DataError(msg)
    return joints.astype(np.float32), visible
