"""Check of a data set: files missing, corrupt or changed, and what splits share."""

from __future__ import annotations

import itertools
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.datasets import file_index
from harness.datasets.overlap import Overlap, absent_classes, equal_videos, overlap
from harness.datasets.splits import VideoSplit
from harness.errors import DataError
from harness.system import progress

if TYPE_CHECKING:
    from harness.interfaces import Dataset, Split

SHORT = 16
"""Frames: videos with fewer are looped by the usual clip."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitReport:
    """Contents of a split."""

    listed: int
    """Videos that the lists name."""
    videos: int
    """Those that can be used."""
    frames: int
    hours: float
    """Hours of the videos whose files say how fast they run."""
    manifest: str
    left_out: Mapping[str, str]
    """Reason for each video that cannot be used, by its path."""
    changed: Mapping[str, str]
    """Difference of each file that is not what was recorded, by the video's id."""
    short: tuple[str, ...]
    """Ids of videos with fewer than 16 frames; none where all are images."""
    remarks: Mapping[str, int]
    """Number of unusual files by remark."""

    @property
    def sound(self) -> bool:
        """Nothing is missing, corrupt or changed."""
        return not self.left_out and not self.changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Contents of a data set."""

    splits: Mapping[str, SplitReport]
    leaking: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For each two splits, groups that are in both."""
    doubled: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """For each two splits, pairs of videos with the same content."""
    similar: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    """For each two splits, pairs of videos of nearly the same pictures."""
    absent: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """For each split and kind of label, classes that another split has and it lacks."""

    @property
    def sound(self) -> bool:
        """Every split is sound, and no group or file is in two of them.

        Similar videos and absent classes may be as the authors of the data published it.
        """
        return all(split.sound for split in self.splits.values()) and not self.leaking and not self.doubled


def check(dataset: Dataset) -> Report:
    """Decode every file of `dataset`.

    Files that it leaves out are reported; one that refuses files that cannot be used ends the check at the first.

    Raises:
        UsageError: when nothing says where it lies.
        DataError: when the lists are wrong, or nothing can be used.
    """
    with file_index.force_recheck() as looks:
        splits = {split: dataset.split(split) for split in dataset.card.splits}
        reports = {name: _split(split, looks) for name, split in splits.items()}
    pairs = list(itertools.combinations(splits.values(), 2))
    leaking = {f"{one.name}, {other.name}": _common(one, other) for one, other in pairs}
    doubled: dict[str, tuple[tuple[str, str], ...]] = {}
    similar: dict[str, tuple[tuple[str, str], ...]] = {}
    for one, other in pairs:
        readable = not reports[one.name].changed and not reports[other.name].changed
        shared = overlap(one, other) if readable else Overlap(equal=equal_videos(one, other))
        for pairs_of_kind, indices in ((doubled, shared.equal), (similar, shared.similar)):
            named = tuple((one.videos[ours].id, other.videos[theirs].id) for theirs, ours in indices.items())
            if named:
                pairs_of_kind[f"{one.name}, {other.name}"] = named
    return Report(
        splits=reports,
        leaking={sides: groups for sides, groups in leaking.items() if groups},
        doubled=doubled,
        similar=similar,
        absent=absent_classes(splits),
    )


def _split(split: Split, looks: Mapping[Path, file_index.Look]) -> SplitReport:
    missing = split.left_out
    if isinstance(split, VideoSplit):
        _look(split, looks)
        changed = {
            video.id: what
            for position, video in enumerate(split.videos)
            if (what := _changed(looks[video.path], split.file_content(position)))
        }
        remarks = Counter(remark for video in split.videos for remark in looks[video.path].now.remarks)
    else:
        changed, remarks = _unreadable(split), Counter()
    images = all(video.frames == 1 for video in split.videos)
    return SplitReport(
        listed=len(split) + len(missing),
        videos=len(split),
        frames=sum(video.frames for video in split.videos),
        hours=round(sum(video.frames / video.fps for video in split.videos if video.fps) / 3600, 3),
        manifest=split.manifest,
        left_out=dict(missing),
        changed=changed,
        short=() if images else tuple(video.id for video in split.videos if video.frames < SHORT),
        remarks=dict(remarks),
    )


def _look(split: VideoSplit, looks: Mapping[Path, file_index.Look]) -> None:
    """Decode the videos whose records came from elsewhere."""
    others = [video.path for video in split.videos if video.path not in looks]
    if others:
        folder = Path(os.path.commonpath([path.parent for path in others]))
        names = [path.relative_to(folder).as_posix() for path in others]
        file_index.records(folder, names, title=f"looking at {split.name}")


def _changed(look: file_index.Look, digest: str) -> str:
    if look.now.reason:
        return f"cannot be used ({look.now.reason})"
    if look.now.sha256 != digest:
        return "another content than the data set's manifest says"
    if look.before is not None and look.before.sha256 and look.before.sha256 != look.now.sha256:
        return "another content than when it was last looked at"
    return ""


def _unreadable(split: Split) -> dict[str, str]:
    unreadable = {}
    with progress.bar(f"looking at {split.name}", total=len(split)) as bar:
        for position, video in enumerate(split.videos):
            try:
                shape = tuple(split.read(position).shape)
            except DataError as error:
                unreadable[video.id] = str(error)
            else:
                recorded = (video.frames, video.height, video.width)
                if shape[:3] != recorded:
                    unreadable[video.id] = f"expected (T, H, W) {recorded} as its record says, got {shape[:3]}"
            bar.advance()
    return unreadable


def _common(one: Split, other: Split) -> tuple[str, ...]:
    groups = [{video.group for video in split.videos} - {""} for split in (one, other)]
    return tuple(sorted(groups[0] & groups[1]))
