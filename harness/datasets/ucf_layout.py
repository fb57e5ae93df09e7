"""UCF101's layout: `<Class>/v_<Class>_gXX_cYY.avi` beside `ucfTrainTestlist/`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from harness.datasets.file_names import read_lines
from harness.datasets.listed_files import ListedFile
from harness.errors import DataError, UsageError, unknown

VIDEOS, LISTS = "videos", "ucfTrainTestlist"
SPLITS = ("train", "test")
_NAME = re.compile(r"v_(?P<group>\w+_g\d+)_c\d+")


def class_index(folder: Path) -> dict[str, int]:
    """Read the class names of `classInd.txt` with their positions, counted from 0.

    Raises:
        DataError: when the file is missing, or its numbers are not 1, 2, 3, ...
    """
    path = folder / LISTS / "classInd.txt"
    names: dict[str, int] = {}
    for line in _lines(path):
        number, name = (*line.split(maxsplit=1), "")[:2]
        if number != str(len(names) + 1) or not name or name in names:
            msg = f"{path}: line {line!r} should be '{len(names) + 1} <Class>', a class not named before"
            raise DataError(msg)
        names[name] = len(names)
    return names


def read_list(folder: Path, name: str, fold: int) -> list[str]:
    """Read the paths `<Class>/v_<Class>_gXX_cYY.avi` of a split, in the list's order.

    Raises:
        UsageError: when there is no such split or fold.
        DataError: when the list is missing, names a video twice or outside of the folder, or is at odds with
            `classInd.txt`.
    """
    if name not in SPLITS:
        raise unknown("split", name, SPLITS)
    path = folder / LISTS / f"{name}list{fold:02d}.txt"
    folds = sorted((folder / LISTS).glob(f"{name}list*.txt"))
    if folds and path not in folds:
        msg = f"fold {fold}: {folder} has folds 1 to {len(folds)}"
        raise UsageError(msg)
    classes = class_index(folder)
    videos: dict[str, None] = {}
    for line in _lines(path):
        video, number = (*line.split(maxsplit=1), "")[:2]
        parts = PurePosixPath(video).parts
        if len(parts) != 2 or parts[0] not in classes or video in videos or ".." in parts:
            msg = f"{path}: line {line!r} should be <Class>/<file> of a class in classInd.txt, named once"
            raise DataError(msg)
        if number and number != str(classes[parts[0]] + 1):
            known = classes[parts[0]] + 1
            msg = f"{path}: line {line!r} gives another class than classInd.txt, where {parts[0]} is {known}"
            raise DataError(msg)
        videos[video] = None
    return list(videos)


def list_files(
    folder: Path,
    name: str,
    fold: int,
    *,
    videos: str = VIDEOS,
    scenes: Mapping[str, int] | None = None,
    joints: Path | None = None,
) -> list[ListedFile]:
    """List the files of a split, in its list's order.

    Args:
        folder: holds the videos and `ucfTrainTestlist/`.
        name: `train` or `test`.
        fold: 1, 2 or 3.
        videos: the folder of the class folders, below `folder`.
        scenes: the scene of every video, by its path below `videos` without suffix; None where there are no scenes.
        joints: the folder of `<Class>/v_<Class>_gXX_cYY.npz`; None where the data set has no joints.

    Raises:
        UsageError: when there is no such split or fold.
        DataError: when a list is wrong, or a group is on both sides of the fold.
    """
    classes = class_index(folder)
    paths = read_list(folder, name, fold)
    other = read_list(folder, "test" if name == "train" else "train", fold)
    leaking = {_group(path) for path in paths} & {_group(path) for path in other}
    if leaking:
        msg = f"{folder}: fold {fold} has group {min(leaking)!r} in train and in test; get the official lists"
        raise DataError(msg)
    files = []
    for path in paths:
        bare = path.rpartition(".")[0]
        labels = {"action": classes[bare.partition("/")[0]]}
        if scenes is not None:
            labels["scene"] = scenes[bare]
        files.append(
            ListedFile(
                path=f"{videos}/{path}" if videos else path,
                id=bare.rpartition("/")[2],
                labels=labels,
                group=_group(path),
                joints=None if joints is None else joints / f"{bare}.npz",
            )
        )
    return files


def _group(path: str) -> str:
    """Name the group of a video: `Jump/v_Jump_g03_c01.avi` -> `Jump_g03`.

    Groups of two classes have nothing to do with each other.
    """
    match = _NAME.fullmatch(PurePosixPath(path).stem)
    if match is None:
        msg = f"{path}: not named v_<Class>_gXX_cYY, so that its group is unknown"
        raise DataError(msg)
    return match["group"]


def _lines(path: Path) -> list[str]:
    return list(read_lines(path, "fetch or draw the data set again").values())
