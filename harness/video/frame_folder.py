"""Folders whose images are the frames of one video."""

from __future__ import annotations

import functools
import itertools
import os
import re
from pathlib import Path

from harness.errors import DataError
from harness.video.archive import FileState, state

IMAGES = frozenset((".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"))
_DIGITS = re.compile(r"([0-9]+)")


def frame_files(folder: Path) -> tuple[Path, ...]:
    """List the images of a folder in the order of the number in their names.

    All names are the same but for one number, which goes up by the same step: `img_00001.jpg`, `img_00002.jpg`, ... A
    lone image needs none. Hidden files, other files and folders are left out. Nothing is opened.

    Raises:
        DataError: when there is no image, names differ in more than one number, a frame is missing or there twice, or
            a symbolic link leads out of the folder.
    """
    return _frame_files(folder, state(folder))


@functools.lru_cache(maxsize=4096)
def _frame_files(folder: Path, state: FileState) -> tuple[Path, ...]:
    names = []
    for entry in _entries(folder):
        if entry.is_symlink() and Path(entry.path).resolve().parent != folder.resolve():
            msg = f"{entry.path}: a symbolic link that leads out of the folder of frames; copy the image there"
            raise DataError(msg, reason="frames")
        if not entry.is_file():
            raise _uneven(Path(entry.path), "is no file, though its name is that of an image")
        names.append(entry.name)
    if not names:
        msg = f"{folder}: is a folder without images, not a video; check the path, or fetch the data set again"
        raise DataError(msg, reason="folder")
    return tuple(folder / name for name in _in_order(folder, names))


def folder_state(folder: Path) -> FileState:
    """State of a folder of frames: size and latest times of its images, own inode.

    Raises:
        OSError: when it is no folder.
    """
    own = state(folder)
    images = [entry.stat(follow_symlinks=entry.is_file()) for entry in _entries(folder)]
    return FileState(
        sum(image.st_size for image in images),
        max([own.modified, *(image.st_mtime_ns for image in images)]),
        max([own.changed, *(image.st_ctime_ns for image in images)]),
        own.inode,
    )


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return [
            entry
            for entry in entries
            if not entry.name.startswith(".") and entry.name.lower().endswith(tuple(IMAGES)) and not entry.is_dir()
        ]


def _in_order(folder: Path, names: list[str]) -> list[str]:
    """Order names by the one number in which they differ."""
    split = {name: _DIGITS.split(name.removesuffix(Path(name).suffix)) for name in sorted(names)}
    first, *others = split
    shape = _shape(first, split[first])
    for name in others:
        if _shape(name, split[name]) != shape:
            raise _uneven(folder / name, f"named otherwise than {first}, so that it may be no frame of the same video")
    numbers = {name: tuple(map(int, parts[1::2])) for name, parts in split.items()}
    varying = [place for place, values in enumerate(zip(*numbers.values(), strict=True)) if len({*values}) > 1]
    if len(varying) > 1:
        raise _uneven(folder / first, "more than one number differs from frame to frame, so that their order is open")
    if not varying:
        if others:
            raise _uneven(folder / others[0], f"has the number of {first}")
        return names
    place = varying[0]
    ordered = sorted(names, key=lambda name: (numbers[name], name))
    steps = [numbers[after][place] - numbers[before][place] for before, after in itertools.pairwise(ordered)]
    step = min(steps)
    for before, after, taken in zip(ordered, ordered[1:], steps, strict=False):
        if not step and not taken:
            raise _uneven(folder / after, f"has the number of {before}")
        if step and taken != step:
            missing = folder / _next(before, split[before], place, step)
            raise _uneven(missing, f"is missing between {before} and {after}")
    return ordered


def _shape(name: str, parts: list[str]) -> tuple[list[str], str]:
    """Text around the numbers of a name, and its suffix: all frames have the same."""
    return parts[::2], Path(name).suffix.lower()


def _next(name: str, parts: list[str], place: int, step: int) -> str:
    """Name of the frame that comes `step` after `name`."""
    digits = parts[2 * place + 1]
    after = [*parts]
    after[2 * place + 1] = str(int(digits) + step).zfill(len(digits))
    return "".join(after) + Path(name).suffix


def _uneven(path: Path, what: str) -> DataError:
    return DataError(f"{path}: {what}; put the frames of one video alone into a folder, every one", reason="frames")
