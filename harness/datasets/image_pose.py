"""FLIC and Leeds Sports: joints of people in still images."""

from __future__ import annotations

import abc
import dataclasses
import hashlib
import shutil
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar

import filelock
import numpy as np
import scipy.io
from numpy.typing import NDArray

from harness.datasets import cards, file_index
from harness.datasets.listed_files import ListedFile
from harness.datasets.located import ListedDataset
from harness.errors import DataError
from harness.functional.pose import JOINTS
from harness.system import paths, progress

if TYPE_CHECKING:
    from harness.cards import DatasetCard

IMAGES = "images"


class ImagePose(ListedDataset):
    """Pictures of people with their joints, without labels, in a published layout.

    On disk: the file of annotations beside `images/`; the location may be that folder or the one that holds it.
    """

    annotations: ClassVar[str]
    """Name of the file of annotations."""
    published_as: ClassVar[str]
    """Name of the folder when it is unpacked."""

    @cached_property
    def folder(self) -> Path:
        """The folder that holds the annotations.

        Raises:
            UsageError: when nothing says where the data set lies.
            DataError: when they are not there.
        """
        return self.holding(self.annotations, ("", self.published_as), "unpack the data set there")

    def listed(self, name: str) -> tuple[list[ListedFile], dict[str, tuple[str, ...]]]:
        """Read the annotations.

        A joint is visible when it is known, seen and inside of its picture.
        """
        pictures, joints, seen = self.annotated(name)
        names = [picture.path for picture in pictures]
        records = file_index.records(self.folder, names, title=f"looking at {self.card.name} {name}")
        sizes = np.array([(records[path].width, records[path].height) for path in names]).reshape(-1, 2)
        files = store_joints(self.card.name, joints, inside(joints, sizes) & seen)
        return [dataclasses.replace(one, joints=file) for one, file in zip(pictures, files, strict=True)], {}

    @abc.abstractmethod
    def annotated(self, name: str) -> tuple[list[ListedFile], NDArray[np.float32], NDArray[np.bool_]]:
        """Read N pictures, their joints (N, 9, 2), and for each whether it is seen (N, 9).

        Joints are in pixels, the centre of the first at 0, in FLIC's order; NaN for an unknown one.

        Raises:
            DataError: when the annotations are missing, or wrong.
        """


def inside(joints: NDArray[np.float32], sizes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell which joints are known and inside of their images, (N, K).

    Args:
        joints: (N, K, 2) pixels, the centre of the first at 0; NaN for an unknown one.
        sizes: (N, 2) width and height of each image.

    >>> inside(np.float32([[[-0.5, 0], [9.4, 4.4], [9.5, 0], [np.nan, 1]]]), np.array([[10, 5]])).tolist()
    [[True, True, False, False]]
    """
    contained: NDArray[np.bool_] = np.all((joints >= -0.5) & (joints < sizes[:, None] - 0.5), axis=-1)
    return contained


def store_joints(dataset: str, joints: NDArray[np.float32], visible: NDArray[np.bool_]) -> list[Path]:
    """Write an .npz of joints for each image; returns their paths.

    It holds `joints` (1, 9, 2) float32 and `visible` (1, 9) bool.

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


def read_matlab(path: Path, name: str) -> NDArray[Any]:
    """Read the variable `name` of a .mat file, its axes of length 1 taken away.

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
    except MemoryError:
        raise
    except Exception as error:  # SciPy raises nearly anything on a broken file
        msg = f"{path}: is no .mat file that can be read ({type(error).__name__}: {error}); get the official one"
        raise DataError(msg) from error


COLUMNS = (16, 0, 3, 1, 4, 2, 5, 6, 9)
"""Positions of our nine joints among the 29 of `coords`, counted from 0."""

FLIC_SIDES = {"train": "istrain", "test": "istest"}


@dataclass(frozen=True, slots=True)
class Example:
    """A person in a picture."""

    id: str
    file: str
    """Name below `images/`."""
    movie: str
    sides: frozenset[str]
    joints: NDArray[np.float32]
    """(9, 2) pixels, the centre of the first at 0; NaN for an unknown one."""


class FLIC(ImagePose):
    """5,003 pictures from films with the joints of a person's upper body.

    3,987 are to train on, 1,016 to test on. The same films are on both sides of the published split, so that a group is
    a film on one side. The columns of `coords` give left and right as the person's own; MATLAB counts pixels from 1. A
    joint is visible when it is known and inside of the picture. The published torso boxes are not used: the pose
    protocol takes the box of shoulders and hips.

    Source: Sapp and Taskar, "MODEC: multimodal decomposable models for human pose estimation", 2013.

    On disk: `examples.mat` (a .mat file of version 7 or older) beside `images/`; the location may be that folder or the
    one that holds it as `FLIC`.
    """

    card: ClassVar[DatasetCard] = cards.FLIC
    annotations = "examples.mat"
    published_as = "FLIC"

    def annotated(self, name: str) -> tuple[list[ListedFile], NDArray[np.float32], NDArray[np.bool_]]:
        """Read `examples.mat`."""
        chosen = [example for example in examples(self.folder / self.annotations) if name in example.sides]
        pictures = [
            ListedFile(path=f"{IMAGES}/{example.file}", id=example.id, group=f"{name}/{example.movie}")
            for example in chosen
        ]
        joints = np.array([example.joints for example in chosen], np.float32).reshape(-1, len(JOINTS), 2)
        return pictures, joints, np.ones(joints.shape[:2], bool)


def examples(path: Path) -> list[Example]:
    """Read the examples of `examples.mat`, in its order.

    Raises:
        DataError: when the file is missing or broken, lacks a field, or an example is not what it should be.
    """
    rows = read_matlab(path, "examples")
    needed = ("coords", "filepath", "moviename", *FLIC_SIDES.values())
    lacking = [name for name in needed if name not in (rows.dtype.names or ())]
    if lacking:
        msg = f"{path}: its examples have no field {lacking[0]!r}; get the official annotations"
        raise DataError(msg)
    seen: Counter[str] = Counter()
    people = []
    for number, row in enumerate(rows, 1):
        file = row["filepath"] if isinstance(row["filepath"], str) else ""
        seen[file] += 1
        people.append(_example(f"{path}: example {number}", row, file, seen[file]))
    return people


def _example(where: str, row: Any, file: str, person: int) -> Example:
    if file in ("", "..") or PurePosixPath(file).name != file or "\\" in file:
        msg = f"{where} should name a file of {IMAGES}/, it names {file!r}; get the official annotations"
        raise DataError(msg)
    coords = np.asarray(row["coords"])
    if coords.shape != (2, 29) or coords.dtype.kind not in "fiu":
        msg = f"{where} should have coords (2, 29), it has {coords.shape} {coords.dtype}; get the official annotations"
        raise DataError(msg)
    sides = frozenset(side for side, field in FLIC_SIDES.items() if np.asarray(row[field]).any())
    if len(sides) > 1:
        msg = f"{where} ({file}) is both to train on and to test on; get the official annotations"
        raise DataError(msg)
    joints = coords.T[list(COLUMNS)].astype(np.float32) - 1
    joints[~np.isfinite(joints).all(-1)] = np.nan
    stem = file.rpartition(".")[0] or file
    return Example(stem if person == 1 else f"{stem}-{person}", file, str(row["moviename"]), sides, joints)


COUNT = 2000
LEEDS_SIDES = {"train": range(1000), "test": range(1000, COUNT)}

PUBLISHED = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
    *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head_top"),
)
"""The 14 joints in their order; left is the person's own left."""


class LeedsSports(ImagePose):
    """2,000 pictures of people at sports, about 150 pixels tall, with their joints.

    The first 1,000 are to train on, the others to test on. Of the 14 joints published, eight are among our nine; the
    nose is not, so that it is unknown everywhere. Its third row says of each joint whether it is hidden (1) or seen
    (0); in the extended set (`lspet`, which is not read) the same row means the opposite. A hidden joint keeps its
    place, which was guessed, but is not visible, so that it is not scored. MATLAB counts pixels from 1.

    Source: Johnson and Everingham, "Clustered pose and nonlinear appearance models for human pose estimation", 2010.

    On disk: `joints.mat` (3 x 14 x 2000) beside `images/im0001.jpg` to `im2000.jpg`; the location may be that folder or
    the one that holds it as `lsp_dataset`.
    """

    card: ClassVar[DatasetCard] = cards.LEEDS_SPORTS
    annotations = "joints.mat"
    published_as = "lsp_dataset"

    def annotated(self, name: str) -> tuple[list[ListedFile], NDArray[np.float32], NDArray[np.bool_]]:
        """Read `joints.mat`."""
        path = self.folder / self.annotations
        published = read_matlab(path, "joints")
        if published.shape != (3, len(PUBLISHED), COUNT) or published.dtype.kind not in "fiu":
            msg = f"{path}: should hold joints (3, {len(PUBLISHED)}, {COUNT}), it holds {published.shape}"
            raise DataError(f"{msg}; get the original set (`lsp_dataset`), not the extended one")
        numbers = LEEDS_SIDES[name]
        joints = np.full((len(numbers), len(JOINTS), 2), np.nan, np.float32)
        seen = np.zeros(joints.shape[:2], bool)
        for place, joint in enumerate(JOINTS):
            if joint in PUBLISHED:
                x, y, hidden = published[:, PUBLISHED.index(joint), numbers.start : numbers.stop]
                joints[:, place] = np.stack([x, y], axis=-1) - 1
                seen[:, place] = hidden == 0
        return [ListedFile(path=f"{IMAGES}/im{number + 1:04d}.jpg") for number in numbers], joints, seen
