"""Conversion of DeepMimic's motion files into the `motion.npz` of the package.

python -m harness.datasets.mocap_actions.convert SRC_DIR OUT
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

PREFIX = "humanoid3d_"
COLUMNS = 44  # seconds, root position 3, root rotation 4, and twelve joints of 4 or 1


def read(file: Path) -> tuple[npt.NDArray[np.float32], bool]:
    """Read one motion file.

    Args:
        file: JSON as DeepMimic writes it: `{"Loop": "wrap" or "none", "Frames": [[seconds, 43 numbers], ...]}`.

    Returns:
        The frames `(F, 44)` float32, whose first column is the time at which a frame stands, in seconds from
        the start; and whether the motion repeats.

    Raises:
        ValueError: The frames are no table of 44 columns, or hold a number that is not finite.
    """
    content = json.loads(file.read_text(encoding="utf-8"))
    frames = np.array(content["Frames"], dtype=np.float64)
    if frames.ndim != 2 or frames.shape[1] != COLUMNS or not np.isfinite(frames).all():
        raise ValueError(f"{file}: expected rows of {COLUMNS} finite numbers, got shape {frames.shape}")
    lasts = frames[:-1, 0]  # how long a frame lasts; the last one marks the end only
    frames[:, 0] = np.concatenate([[0.0], np.cumsum(lasts)])
    return frames.astype(np.float32), content["Loop"] == "wrap"


def convert(source: Path, out: Path) -> None:
    """Write every `humanoid3d_*.txt` of a folder into one compressed `.npz`.

    Args:
        source: Folder with the motion files.
        out: File to write: an array `(F, 44)` float32 for each motion, and `wraps`, the names of those that repeat.

    Raises:
        FileNotFoundError: The folder holds no motion files.
    """
    files = sorted(source.glob(f"{PREFIX}*.txt"))
    if not files:
        raise FileNotFoundError(f"{source} holds no {PREFIX}*.txt")
    read_files = {file.stem.removeprefix(PREFIX): read(file) for file in files}
    arrays = {name: frames for name, (frames, _) in read_files.items()}
    wraps = np.array([name for name, (_, repeats) in read_files.items() if repeats])
    np.savez_compressed(out, wraps=wraps, **arrays)  # type: ignore[arg-type]  # no array is called allow_pickle


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit("usage: python -m harness.datasets.mocap_actions.convert SRC_DIR OUT")
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
