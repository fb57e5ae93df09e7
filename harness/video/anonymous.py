"""Records of videos that tell no label, and the order in which they are given."""

from __future__ import annotations

import dataclasses
import functools
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.system import files, paths
from harness.system.hashing import digest
from harness.values import Video
from harness.video.segment import Segment


def hidden_order(videos: Sequence[Video]) -> list[int]:
    """Order in which an unlabelled split has the videos, as their positions here.

    It is shuffled by the content of the videos, hence the same for all names, labels and orders of a list.
    """
    names = [content_name(video) for video in videos]
    return sorted(range(len(videos)), key=names.__getitem__)


def anonymous(videos: Sequence[Video]) -> tuple[Video, ...]:
    """Copy records without labels, groups, joints, and with opaque ids and paths.

    Ids are unique. Paths lead nowhere: reading goes through the split.
    """
    copies: Counter[str] = Counter()
    records = []
    for video in videos:
        name = content_name(video)
        opaque = f"{name}-{copies[name]}" if copies[name] else name
        copies[name] += 1
        record = dataclasses.replace(
            video, id=opaque, path=Path(opaque), group="", labels={}, multilabels={}, targets={}, joints=None
        )
        records.append(record)
    return tuple(records)


def content_name(video: Video) -> str:
    """Name a video by what it shows; by its id where the content is unknown."""
    box = None if video.box is None else dataclasses.astuple(video.box)
    return digest({"content": video.content, "box": box, "id": "" if video.content else video.id})


class HiddenFiles:
    """Files of an unlabelled split, which neither its repr nor its pickle tells.

    Pickled, they lie in a file below the harness's home, from which they are read again.

    Args:
        files: for each video.
        segments: parts of the files that the videos are; None for a whole one. Those of none by default.
    """

    def __init__(self, files: Sequence[Path], segments: Sequence[Segment | None] = ()) -> None:
        self._files = tuple(files)
        parts = segments or [None] * len(self._files)
        self._parts = tuple(None if part is None else (part.first, part.total) for part in parts)

    def locate(self, index: int) -> Path:
        """File of a video, for reading."""
        return self._files[index]

    def segment(self, index: int) -> Segment | None:
        """Part of its file that a video is, for reading; None for the whole."""
        part = self._parts[index]
        return None if part is None else Segment(*part)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HiddenFiles) and (self._files, self._parts) == (other._files, other._parts)

    def __hash__(self) -> int:
        return hash((self._files, self._parts))

    def __repr__(self) -> str:
        return f"HiddenFiles({len(self._files)})"

    def __deepcopy__(self, memo: dict[int, Any]) -> HiddenFiles:
        return self

    def __reduce__(self) -> tuple[Callable[[str], HiddenFiles], tuple[str]]:
        listed = [[str(file.absolute()), part] for file, part in zip(self._files, self._parts, strict=True)]
        key = digest({"files": listed})
        if not _table(key).exists():
            files.write_text(_table(key), json.dumps(listed))
        return _restored, (key,)


def _table(key: str) -> Path:
    return paths.home() / "hidden" / f"{key}.json"


@functools.lru_cache(maxsize=8)
def _restored(key: str) -> HiddenFiles:
    try:
        listed = json.loads(_table(key).read_text(encoding="utf-8"))
        segments = [None if part is None else Segment(*part) for _, part in listed]
        return HiddenFiles([Path(name) for name, _ in listed], segments)
    except (OSError, ValueError) as error:
        msg = f"{_table(key)}: the files of a pickled split cannot be read ({error}); share HARNESS_HOME, pickle again"
        raise DataError(msg) from error
