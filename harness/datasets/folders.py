"""`video-folders`: any folder of videos or images by class."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness.datasets import cards
from harness.datasets.file_names import plain
from harness.datasets.listed_files import ListedFile, OnBadFile, expect_rate
from harness.datasets.located import ListedDataset
from harness.errors import DataError, UsageError
from harness.system.presence import ABSENT, is_folder
from harness.video.frame_folder import IMAGES

if TYPE_CHECKING:
    from harness.cards import DatasetCard

VIDEOS = frozenset(
    (".3gp", ".avi", ".flv", ".gif", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ogv", ".ts", ".webm", ".wmv")
)


class VideoFolders(ListedDataset):
    """A folder of videos or images by class.

    Expected: `<folder>/train/<class>/<file>` and `<folder>/test/<class>/<file>`, or `<folder>/<class>/<file>` alone. A
    folder inside a class folder, `<class>/<group>/<file>`, is a group: videos that show one scene.

    Without `train/` and `test/` each class is split by itself: its groups (a file outside of them is one of its own)
    are put into the order of the SHA-256 of their names, and the first `test_share` of them, rounded, at least one
    and not all, are test. The same names always give the same split.

    Hidden files and folders, and files that are named neither as a video nor as an image, are ignored. Classes are in
    the order of their names.

    With `fps`, a folder of images is one video, `<class>/<video>/<frame>` or `<class>/<group>/<video>/<frame>`, and no
    image is one by itself: see `harness.video.frame_folder`. Without it the same folder is a group of images.

    Args:
        test_share: of the groups of a class that are test, where the folder has no `train/` and `test/`.
        bad: what becomes of files that cannot be used.
        fps: frames per second of folders of frames, where there are such; files say their own.
        location: see `LocatedDataset`.

    Raises:
        UsageError: when `test_share` is not between 0 and 1, or `fps` is no rate.
    """

    card: ClassVar[DatasetCard] = cards.VIDEO_FOLDERS

    def __init__(
        self,
        test_share: float = 0.3,
        bad: OnBadFile = "error",
        fps: float | None = None,
        *,
        location: Path | None = None,
    ) -> None:
        super().__init__(bad, location=location)
        if not 0 < test_share < 1:
            msg = f"data set {self.card.name!r}: test_share must be between 0 and 1, got {test_share}"
            raise UsageError(msg)
        self.test_share = test_share
        self.fps = expect_rate(self.card.name, fps)

    def listed(self, name: str) -> tuple[list[ListedFile], dict[str, tuple[str, ...]]]:
        """Walk the class folders, and split them where there are no `train/` and `test/`."""
        folder = self.folder
        if all(is_folder(folder / side) for side in self.card.splits):
            sides = {side: _files(folder, f"{side}/", frames=self.fps is not None) for side in self.card.splits}
            _expect_fit(folder, sides)
            files = sides[name]
            classes = tuple(sides["train"])
        else:
            every = _files(folder, "", frames=self.fps is not None)
            files = {action: self._side(folder / action, paths, name) for action, paths in every.items()}
            classes = tuple(every)
        listed = [
            ListedFile(path=path, id=path, labels={"action": classes.index(action)}, group=group, fps=self.fps)
            for action, paths in files.items()
            for path, group in paths.items()
        ]
        return listed, {"action": classes}

    def _side(self, folder: Path, paths: dict[str, str], name: str) -> dict[str, str]:
        """Select the files of one class that are in the split `name`."""
        keys = sorted(
            {group or plain(path) for path, group in paths.items()},
            key=lambda key: hashlib.sha256(key.encode()).digest(),
        )
        if len(keys) < 2:
            msg = f"{folder}: a class needs two files or groups at least, to be split into train and test; this has one"
            raise DataError(msg)
        count = min(max(round(self.test_share * len(keys)), 1), len(keys) - 1)
        test = set(keys[:count])
        return {path: group for path, group in paths.items() if ((group or plain(path)) in test) == (name == "test")}


def visible(folder: Path) -> list[Path]:
    """List the files and folders that are not hidden, in the order of names.

    Raises:
        DataError: when it is no folder, or cannot be read.
    """
    try:
        paths = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        msg = f"{folder}: cannot be read as a folder ({error.strerror}); correct the path, or its permissions"
        raise DataError(msg, reason="" if error.errno in ABSENT else "unreadable") from error
    return sorted(paths, key=lambda path: (plain(path.name), path))


def media(paths: Iterable[Path]) -> list[Path]:
    """Select the paths that are named as a video or an image."""
    return [path for path in paths if path.suffix.lower() in VIDEOS | IMAGES and not is_folder(path)]


def _files(root: Path, below: str, *, frames: bool) -> dict[str, dict[str, str]]:
    """List the files of each class, as paths below `root`, each with its group.

    With `frames`, folders of images in place of images.
    """
    select = _videos if frames else media
    classes: dict[str, dict[str, str]] = {}
    for folder in visible(root / below):
        if not is_folder(folder):
            continue
        inside = visible(folder)
        paths = dict.fromkeys((_below(root, path) for path in select(inside)), "")
        for group in inside:
            if is_folder(group) and _below(root, group) not in paths:
                named = plain(_below(root, group).removeprefix(below))
                paths |= dict.fromkeys((_below(root, path) for path in select(visible(group))), named)
        if not paths:
            msg = f"{folder}: no video or image in this class folder; fill it, or remove it"
            raise DataError(msg)
        classes.setdefault(plain(folder.name), {}).update(paths)
    if not classes:
        msg = f"{root / below}: no folders of classes; put the files of each class into a folder of its own"
        raise DataError(msg)
    return classes


def _videos(paths: Sequence[Path]) -> list[Path]:
    """Select videos and folders of frames.

    Raises:
        DataError: when an image lies in no folder of frames, or something else in one.
    """
    chosen = []
    for path in paths:
        if is_folder(path):
            inside = visible(path)
            images = _images(inside)
            others = [one for one in inside if is_folder(one) or one.suffix.lower() in VIDEOS]
            if images and others:
                msg = f"{others[0]}: lies among images, which `fps` makes the frames of one video; move it elsewhere"
                raise DataError(msg)
            if images:
                chosen.append(path)
        elif path.suffix.lower() in VIDEOS:
            chosen.append(path)
        elif _images([path]):
            msg = f"{path}: an image in no folder of frames; with `fps` each video is `<class>/<video>/<frame>`"
            raise DataError(msg)
    return chosen


def _images(paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if path.suffix.lower() in IMAGES and not is_folder(path)]


def _below(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _expect_fit(folder: Path, sides: dict[str, dict[str, dict[str, str]]]) -> None:
    train, test = sides["train"], sides["test"]
    for action, paths in test.items():
        if action not in train:
            msg = f"{folder}: class {action!r} is in test/ and not in train/; add it there, or remove it"
            raise DataError(msg)
        common: Sequence[str] = sorted(set(paths.values()) & set(train[action].values()) - {""})
        if common:
            msg = f"{folder}: group {common[0]!r} is in train/ and in test/; give groups that differ different names"
            raise DataError(msg)
