"""Joints of images from published annotations: written once into the cache, in the form that videos have them."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import scipy.io
from numpy.typing import NDArray

from harness import paths, progress
from harness.errors import DataError
from harness.functional.pose import JOINTS


def inside(joints: NDArray[np.float32], sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which joints are known and inside of their images, (N, K).

    Args:
        joints: (N, K, 2) pixels, the centre of the first at 0; NaN for an unknown one.
        sizes: (N, 2) width and height of each image.

    >>> inside(np.float32([[[-0.5, 0], [9.4, 4.4], [9.5, 0], [np.nan, 1]]]), np.array([[10, 5]])).tolist()
    [[True, True, False, False]]
    """
    found: NDArray[np.bool_] = np.all((joints >= -0.5) & (joints < sizes[:, None] - 0.5), axis=-1)
    return found


def stored(dataset: str, joints: NDArray[np.float32], visible: NDArray[np.bool_]) -> list[Path]:
    """The path of each image's .npz with `joints` (1, 9, 2) float32 and `visible` (1, 9) bool.

    They lie in a folder of the cache named after their content: there whole or not at all, and written once.

    Args:
        dataset: its name.
        joints: (N, 9, 2) pixels, the centre of the first at 0, in FLIC's order; NaN for an unknown one.
        visible: (N, 9) which are known and seen inside of the image.

    Raises:
        DataError: when they cannot be written.
    """
    assert joints.shape == (len(joints), len(JOINTS), 2)
    assert visible.shape == joints.shape[:2]
    key = hashlib.sha256(joints.astype(np.float32).tobytes() + visible.tobytes()).hexdigest()[:20]
    folder = paths.datasets() / dataset / f"joints-{key}"
    files = [f"{position:05d}.npz" for position in range(len(joints))]
    if not folder.is_dir():
        draft = folder.with_name(f".{folder.name}.writing")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(folder.with_name(f".{folder.name}.lock")):
                if not folder.is_dir():
                    try:
                        _write(draft, files, joints, visible, title=f"joints of {dataset}")
                        draft.rename(folder)
                    finally:
                        shutil.rmtree(draft, ignore_errors=True)
        except OSError as error:
            msg = f"{folder}: cannot be written ({error.strerror}); make room there, or set HARNESS_HOME elsewhere"
            raise DataError(msg) from error
    return [folder / file for file in files]


def _write(
    draft: Path, files: list[str], joints: NDArray[np.float32], visible: NDArray[np.bool_], *, title: str
) -> None:
    shutil.rmtree(draft, ignore_errors=True)  # what a killed process left
    draft.mkdir()
    with progress.bar(title, total=len(files)) as bar:
        for file, places, seen in zip(files, joints.astype(np.float32), visible, strict=True):
            np.savez(draft / file, joints=places[None], visible=seen[None])
            bar.advance()


def matlab(path: Path, name: str) -> NDArray[Any]:
    """The variable `name` of a .mat file, its axes of length 1 taken away.

    Raises:
        DataError: when the file is missing, broken, of version 7.3 (HDF5), or has no such variable.
    """
    try:
        with path.open("rb") as file:
            content = scipy.io.loadmat(file, squeeze_me=True, variable_names=[name])
        return np.atleast_1d(content[name])
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror or error}); get the official annotations"
        raise DataError(msg) from error
    except NotImplementedError as error:
        msg = (
            f"{path}: is of version 7.3, which is not read; save it again in MATLAB with `-v7`, or get the official one"
        )
        raise DataError(msg) from error
    except KeyError as error:
        msg = f"{path}: has no variable {name!r}; get the official annotations"
        raise DataError(msg) from error
    except Exception as error:  # SciPy raises nearly anything on a broken file
        msg = f"{path}: is no .mat file that can be read ({type(error).__name__}: {error}); get the official one"
        raise DataError(msg) from error
