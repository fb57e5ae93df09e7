"""Recorded motions: loading, resampling, mirroring and forward kinematics.

The world's axes are those of the recordings: y up, metres. A person's own are x forward, y up, z to the right.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

SIDE = (
    ("hip", "root", (0.0, 0.0, 0.084887)),
    ("knee", "hip", (0.0, -0.421546, 0.0)),
    ("ankle", "knee", (0.0, -0.40987, 0.0)),
    ("toe", "ankle", (0.15, -0.05, 0.0)),
    ("shoulder", "chest", (-0.02405, 0.2435, 0.18311)),
    ("elbow", "shoulder", (0.0, -0.274788, 0.0)),
    ("wrist", "elbow", (0.0, -0.258947, 0.0)),
)
MIDDLE = (
    ("chest", "root", (0.0, 0.236151, 0.0)),
    ("neck", "chest", (0.0, 0.223894, 0.0)),
    ("head", "neck", (0.0, 0.175, 0.0)),
)
"""Joint, parent, and offset in the parent's frame in metres; on the left -z."""

JOINTS = ("root", *(name for name, _, _ in MIDDLE), *(f"{s}_{n}" for s in ("right", "left") for n, _, _ in SIDE))
INDEX = {name: index for index, name in enumerate(JOINTS)}
TURNING = (
    *("root", "chest", "neck", "right_hip", "right_knee", "right_ankle", "right_shoulder", "right_elbow"),
    *("left_hip", "left_knee", "left_ankle", "left_shoulder", "left_elbow"),
)
"""Joints with a rotation of their own, in the order of the file's columns."""
HINGES = ("right_knee", "right_elbow", "left_knee", "left_elbow")
CORE = {
    "kick": (0.35, 1.2),
    "punch": (0.5, 1.85),
    "getup_facedown": (0.7, 2.75),
    "getup_faceup": (0.7, 3.35),
}
"""Seconds that must be seen of a motion that plays once: from and to."""


def other_side(name: str) -> str:
    """Name the joint on the other side of the body; one in the middle is its own.

    >>> other_side("left_knee"), other_side("neck")
    ('right_knee', 'neck')
    """
    if name.startswith("left"):
        return name.replace("left", "right", 1)
    return name.replace("right", "left", 1)


def _skeleton() -> tuple[tuple[int, ...], Array]:
    parents, offsets = [-1], [(0.0, 0.0, 0.0)]
    for _, parent, offset in MIDDLE:
        parents.append(JOINTS.index(parent))
        offsets.append(offset)
    for side, sign in (("right", 1.0), ("left", -1.0)):
        for _, parent, (x, y, z) in SIDE:
            parents.append(JOINTS.index(parent if parent in JOINTS else f"{side}_{parent}"))
            offsets.append((x, y, sign * z))
    return tuple(parents), np.array(offsets)


PARENTS, OFFSETS = _skeleton()


@dataclass(frozen=True, slots=True)
class Motion:
    """One recording: key frames of the root's position and the joints' rotations."""

    name: str
    wraps: bool
    """It repeats, the root's path going on from cycle to cycle."""
    times: Array
    """(F,) seconds, rising from 0."""
    root: Array
    """(F, 3) metres."""
    rotations: Array
    """(F, 13, 4) unit quaternions (w, x, y, z), each in its parent's frame."""

    @property
    def seconds(self) -> float:
        """Duration of it, or of one cycle."""
        return float(self.times[-1])


@dataclass(frozen=True, slots=True)
class Pose:
    """A person's pose at each of T times."""

    root: Array
    """(T, 3) metres."""
    rotations: Array
    """(T, 13, 4) unit quaternions (w, x, y, z), each in its parent's frame."""


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Positions and rotations of a person's joints in the world, at each of T times."""

    positions: Array
    """(T, 18, 3) metres."""
    frames: Array
    """(T, 18, 3, 3) rotations; columns are the joint's forward, up and right."""

    def at(self, joint: str) -> Array:
        """Position of a joint, (T, 3)."""
        return self.positions[:, INDEX[joint]]

    def frame(self, joint: str) -> Array:
        """Rotation of a joint, (T, 3, 3)."""
        return self.frames[:, INDEX[joint]]


def multiply(a: Array, b: Array) -> Array:
    """Multiply quaternions (..., 4): the rotation `b`, then `a`."""
    w, x, y, z = np.moveaxis(a, -1, 0)
    s, i, j, k = np.moveaxis(b, -1, 0)
    return np.stack(
        [
            w * s - x * i - y * j - z * k,
            w * i + x * s + y * k - z * j,
            w * j - x * k + y * s + z * i,
            w * k + x * j - y * i + z * s,
        ],
        axis=-1,
    )


def matrices(q: Array) -> Array:
    """Convert unit quaternions (..., 4) to rotation matrices (..., 3, 3).

    >>> matrices(np.array([0.0, 0.0, 1.0, 0.0])).tolist()  # half a turn about y
    [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]]
    """
    w, x, y, z = np.moveaxis(q, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.asarray(np.stack([np.stack(row, axis=-1) for row in rows], axis=-2))


def blend(a: Array, b: Array, weight: Array) -> Array:
    """Interpolate unit quaternions (..., 4) the short way from `a` to `b`."""
    near = np.where((a * b).sum(-1, keepdims=True) < 0, -b, b)
    mixed = a + (near - a) * weight
    return np.asarray(mixed / np.linalg.norm(mixed, axis=-1, keepdims=True))


def names() -> tuple[str, ...]:
    """Names of the 15 motions, sorted."""
    return tuple(sorted(_load()))


def load(name: str) -> Motion:
    """Load a recorded motion; the cycles of a repeating one join without a jump.

    Raises:
        KeyError: There is no such motion.
    """
    return _load()[name]


@lru_cache(maxsize=1)
def _load() -> dict[str, Motion]:
    source = files("harness.datasets.mocap_actions") / "motion.npz"
    with source.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
        wraps = set(arrays["wraps"].tolist())
        return {name: _motion(name, arrays[name], name in wraps) for name in arrays.files if name != "wraps"}


def _motion(name: str, columns: npt.NDArray[np.float32], wraps: bool) -> Motion:
    table = columns.astype(np.float64)
    times, root, rest = table[:, 0], table[:, 1:4], table[:, 4:]
    rotations = np.zeros((len(table), len(TURNING), 4))
    start = 0
    for index, joint in enumerate(TURNING):
        if joint in HINGES:  # a hinge turns about its own z
            rotations[:, index, 0] = np.cos(rest[:, start] / 2)
            rotations[:, index, 3] = np.sin(rest[:, start] / 2)
            start += 1
        else:
            rotations[:, index] = rest[:, start : start + 4]
            start += 4
    rotations /= np.linalg.norm(rotations, axis=-1, keepdims=True)
    return (
        Motion(name, wraps, times, *_closed(times, root, rotations))
        if wraps
        else Motion(name, wraps, times, root, rotations)
    )


def _closed(times: Array, root: Array, rotations: Array) -> tuple[Array, Array]:
    """Spread the difference of a cycle's last pose from its first over the cycle."""
    share = times / times[-1]
    root = root.copy()
    root[:, 1] += share * (root[0, 1] - root[-1, 1])
    inverse = rotations[-1] * np.array([1.0, -1.0, -1.0, -1.0])
    missing = multiply(inverse, rotations[0])
    missing *= np.where(missing[:, :1] < 0, -1.0, 1.0)
    none = np.broadcast_to(np.array([1.0, 0.0, 0.0, 0.0]), rotations.shape)
    return root, multiply(rotations, blend(none, missing[None], share[:, None, None]))


def sample(motion: Motion, seconds: Array) -> Pose:
    """Sample the pose at any times, before the start and after the end too.

    A repeating motion goes on, its root moving on by a cycle's translation each time. Another stands still before its
    start and after its end, but for the swaying of somebody who waits.

    Args:
        motion: The recording.
        seconds: (T,) times.
    """
    if motion.wraps:
        cycle, within = np.divmod(seconds, motion.seconds)
    else:
        cycle, within = np.zeros_like(seconds), np.clip(seconds, 0.0, motion.seconds)
    after = np.clip(np.searchsorted(motion.times, within, side="right"), 1, len(motion.times) - 1)
    before = after - 1
    weight = (within - motion.times[before]) / (motion.times[after] - motion.times[before])
    root = motion.root[before] + weight[:, None] * (motion.root[after] - motion.root[before])
    advance = (motion.root[-1] - motion.root[0]) * np.array([1.0, 0.0, 1.0])
    root = root + cycle[:, None] * advance
    rotations = blend(motion.rotations[before], motion.rotations[after], weight[:, None, None])
    if not motion.wraps:
        rotations = _swayed(rotations, seconds - within)
    return Pose(root, rotations)


def _swayed(rotations: Array, waited: Array) -> Array:
    """Add breathing and looking about before the motion begins, and when it is over."""
    result = rotations.copy()
    for joint, axis, degrees, period in (("chest", 3, 2.0, 2.1), ("neck", 2, 9.0, 3.3), ("neck", 3, 4.0, 2.4)):
        half = np.radians(degrees) * np.sin(2 * np.pi * waited / period) / 2
        turn = np.zeros((len(waited), 4))
        turn[:, 0], turn[:, axis] = np.cos(half), np.sin(half)
        index = TURNING.index(joint)
        result[:, index] = multiply(result[:, index], turn)
    return np.asarray(result)


def mirror(pose: Pose) -> Pose:
    """Mirror a pose: limbs change sides, and the root's path is reflected (z to -z)."""
    order = [TURNING.index(other_side(joint)) for joint in TURNING]
    return Pose(
        pose.root * np.array([1.0, 1.0, -1.0]),
        pose.rotations[:, order] * np.array([1.0, -1.0, -1.0, 1.0]),
    )


def turn(pose: Pose, heading: float) -> Pose:
    """Turn a motion about the vertical by `heading` radians, from x towards -z."""
    quaternion = np.array([np.cos(heading / 2), 0.0, np.sin(heading / 2), 0.0])
    rotations = pose.rotations.copy()
    rotations[:, 0] = multiply(np.broadcast_to(quaternion, rotations[:, 0].shape), rotations[:, 0])
    return Pose(pose.root @ matrices(quaternion).T, rotations)


def forward_kinematics(pose: Pose, offsets: Array = OFFSETS) -> Skeleton:
    """Compute position and rotation of every joint in the world.

    A rotation is the parent's times the joint's own, a position the parent's plus the parent's rotation of the offset.

    Args:
        pose: T poses.
        offsets: (18, 3) offsets from the parents in metres, for a person of other proportions.
    """
    own = matrices(pose.rotations)
    positions = np.empty((len(pose.root), len(JOINTS), 3))
    frames = np.empty((len(pose.root), len(JOINTS), 3, 3))
    positions[:, 0], frames[:, 0] = pose.root, own[:, 0]
    for joint in range(1, len(JOINTS)):
        parent = PARENTS[joint]
        positions[:, joint] = positions[:, parent] + frames[:, parent] @ offsets[joint]
        turning = JOINTS[joint] in TURNING
        frames[:, joint] = frames[:, parent] @ own[:, TURNING.index(JOINTS[joint])] if turning else frames[:, parent]
    return Skeleton(positions, frames)
