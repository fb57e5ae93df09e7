"""Split of the files that lists name, with a policy for files that cannot be used."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.datasets import file_index
from harness.datasets.file_names import lookalike, plain, respelt
from harness.datasets.splits import VideoSplit
from harness.errors import DataError, UsageError
from harness.system.hashing import digest
from harness.values import Box, Video
from harness.video.probe import Record, unusable
from harness.video.segment import Segment
from harness.video.times import frame_times, nearest_frame

OnBadFile = Literal["error", "skip"]
"""Policy for files that cannot be used: a `DataError`, or a split without them."""
FASTEST = 100_000
"""Frames per second, more than cameras take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedFile:
    """Video or image that the lists of a data set name."""

    path: str
    """Path of a file, or folder of frames, below the data set's folder, with `/`.

    `shard.tar/name` inside an archive.
    """
    id: str = ""
    """Unique in the data set; the path without its suffix when empty."""
    labels: Mapping[str, int] = field(default_factory=dict)
    multilabels: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    targets: Mapping[str, float] = field(default_factory=dict)
    group: str = ""
    joints: Path | None = None
    box: Box | None = None
    """The part of the picture that counts, where it is not the whole."""
    seconds: tuple[float, float] | None = None
    """Start and end of the part of the file that counts, where it is not the whole."""
    fps: float | None = None
    """Frames per second of a folder of frames; None where such a folder is no video."""
    cut: bool = False
    """A part that reaches beyond the end of its file ends there.

    One that begins there is no video.
    """


def read_split(
    name: str,
    folder: Path,
    listed: Sequence[ListedFile],
    classes: Mapping[str, tuple[str, ...]],
    *,
    dataset: str,
    bad: OnBadFile = "error",
    absent: OnBadFile | None = None,
    records: Mapping[str, Record] | None = None,
    multilabel_classes: Mapping[str, tuple[str, ...]] | None = None,
) -> VideoSplit:
    """Build the labelled split `name` of the files that lists name, in their order.

    Args:
        name: `train`, `test`, ...
        folder: where the files lie.
        listed: what the lists name.
        classes: for each kind of label, the names of its classes.
        dataset: the data set's name, for messages.
        bad: what becomes of files that cannot be used.
        absent: what becomes of files that are not there; as `bad` when None.
        records: of all files, where they are known; else the files are decoded, once.
        multilabel_classes: for each multi-label kind, the names of its classes.

    Raises:
        DataError: when the lists name nothing, a file twice as different videos of one id, or files that cannot be
            used and may not be left out; naming the first of them.
    """
    if not listed:
        msg = f"{folder}: the lists of data set {dataset!r} name no videos for split {name!r}; get the official lists"
        raise DataError(msg)
    if records is None:
        listed, records = _looked_at(folder, listed, title=f"looking at {dataset} {name}")
    records = {**records, **{entry.path: _with_rate(entry, folder, records[entry.path]) for entry in listed}}
    videos: dict[str, Video] = {}
    segments: dict[int, Segment] = {}
    left_out: dict[str, str] = {}
    shared = Counter(path for path, _ in {(entry.path, _name(entry)) for entry in listed})
    for entry in listed:
        record = records[entry.path]
        if record.reason:
            of_many = f": {_name(entry)}" if shared[entry.path] > 1 else ""
            left_out[plain(entry.path) + of_many] = record.reason
            continue
        video = _video(entry, folder, record)
        if entry.cut and entry.seconds is not None and round(entry.seconds[0] * record.fps) >= record.frames:
            continue  # nothing of it is there
        if entry.seconds is not None:
            segment, last = _segment(entry, folder / entry.path, record, entry.seconds)
            segments[len(videos)] = segment
            video = _part(video, segment, last)
        if video.id in videos:
            msg = f"{folder}: the lists of data set {dataset!r} name {video.id!r} twice in split {name!r}"
            raise DataError(msg)
        videos[video.id] = video
    absent = absent or bad
    refused = [
        entry.path
        for entry in listed
        if (why := records[entry.path].reason)
        and (why == "unreadable" or (absent if why == "missing" else bad) == "error")  # may be gone the next time
    ]
    if refused or not videos:
        raise _refusal(folder, dataset, name, refused or [entry.path for entry in listed], len(listed), records)
    return VideoSplit(
        name,
        tuple(videos.values()),
        classes,
        left_out=left_out,
        _segments=segments,
        multilabel_classes=multilabel_classes or {},
    )


def _looked_at(
    folder: Path, listed: Sequence[ListedFile], *, title: str
) -> tuple[Sequence[ListedFile], dict[str, Record]]:
    """Make the records of files, which get the paths that they have on disk.

    There accents may be written in another way than in the lists.
    """
    records = _timed(folder, listed, file_index.records(folder, [entry.path for entry in listed], title=title), title)
    others = respelt(folder, [path for path, record in records.items() if record.reason == "missing"])
    if not others:
        return listed, records
    records |= file_index.records(folder, list(others.values()), title=title)
    moved = [
        dataclasses.replace(entry, path=others[entry.path], id=_name(entry)) if entry.path in others else entry
        for entry in listed
    ]
    return moved, _timed(folder, moved, records, title)


def _timed(folder: Path, listed: Sequence[ListedFile], records: dict[str, Record], title: str) -> dict[str, Record]:
    """Look again at files with parts whose rate nobody has checked.

    Their records were made by an older release.
    """
    parts = [entry.path for entry in listed if entry.seconds is not None and not entry.cut and entry.path in records]
    names = [name for name in dict.fromkeys(parts) if not (records[name].timed or records[name].reason)]
    if not names:
        return records
    with file_index.force_recheck():
        return records | file_index.records(folder, names, title=title)


def expect_rate(dataset: str, fps: float | None) -> float | None:
    """Check the option that says how fast folders of frames run.

    Nothing in images tells it. A guess would move the seconds of segments and would be part of keys, unsaid.

    Raises:
        UsageError: when it is no number of frames per second.
    """
    if fps is not None and not (type(fps) in (int, float) and 0 < fps <= FASTEST):
        msg = f"data set {dataset!r}: fps must be above 0 and at most {FASTEST}, got {fps}"
        raise UsageError(msg)
    return fps


def _with_rate(entry: ListedFile, folder: Path, record: Record) -> Record:
    """Add the rate that the data set says to the record of a folder of frames."""
    if "frame-folder" not in record.remarks:
        return record
    path = folder / entry.path
    if entry.fps is None:
        what = "is a folder of frames, which tell no rate; say `fps`, an option of `manifest` and of `video-folders`"
        return unusable("folder", f"{path}: {what}")
    if not path.resolve().is_relative_to(folder.resolve()):
        return unusable("frames", f"{path}: a symbolic link that leads out of {folder}; copy the frames there")
    return dataclasses.replace(record, fps=entry.fps)


def _name(entry: ListedFile) -> str:
    return plain(entry.id or entry.path.rpartition(".")[0])


def _video(entry: ListedFile, folder: Path, record: Record) -> Video:
    width, height = (record.width, record.height) if entry.box is None else entry.box.size
    return Video(
        id=_name(entry),
        path=folder / entry.path,
        frames=record.frames,
        fps=record.fps,
        width=width,
        height=height,
        group=plain(entry.group),
        labels=entry.labels,
        multilabels=entry.multilabels,
        targets=entry.targets,
        joints=entry.joints,
        box=entry.box,
        content=record.sha256,
    )


def _segment(entry: ListedFile, path: Path, record: Record, seconds: tuple[float, float]) -> tuple[Segment, int]:
    """Frames from the one nearest to the start up to the one nearest to the end.

    With the frame after its last.

    Raises:
        DataError: when the file ends before, no frame is shown between the two, or its time stamps tell none.
    """
    start, end = seconds
    first, last = (round(second * record.fps) for second in seconds)
    length = record.frames / record.fps if record.fps else 0.0
    if "variable-rate" in record.remarks and not entry.cut:  # which is of frames that a list numbers
        times = frame_times(path, record.frames)
        if times is None:
            msg = f"{path}: {start:g} to {end:g} s names no frames of it: its rate varies, and time stamps tell none"
            raise DataError(f"{msg}; encode it anew at a constant rate (ffmpeg -i OLD -vf fps=25 NEW)")
        first, last = (nearest_frame(times, second) for second in seconds)
        length = float(times[-1])
    last = min(last, record.frames) if entry.cut else last
    if not first < last <= record.frames:
        msg = f"{path}: {start:g} to {end:g} s is no part of it; it has {record.frames} frames, {length:g} s"
        raise DataError(msg)
    return Segment(first, record.frames, record.sha256), last


def _part(video: Video, segment: Segment, last: int) -> Video:
    """The record of a segment up to the frame `last`, made of the one of its file."""
    frames = last - segment.first
    content = digest({"file": segment.content, "first": segment.first, "frames": frames})
    return dataclasses.replace(video, frames=frames, content=content, joints=None)


def _refusal(
    folder: Path, dataset: str, name: str, refused: Sequence[str], listed: int, records: Mapping[str, Record]
) -> DataError:
    counts = Counter(records[path].reason for path in refused)
    first = refused[0]
    reason = records[first].reason
    near = lookalike(folder, first) if reason == "missing" else ""
    instead = f"; there is {near!r} instead of {first!r}" if near else ""
    if len(refused) == listed and {*counts} == {"missing"}:
        msg = (
            f"data set {dataset!r}: none of the {listed} videos of split {name!r} is below {folder} (the first is "
            f"{first}{instead}); correct the path with `harness dataset add {dataset} /path`"
        )
    else:
        kinds = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
        msg = (
            f"data set {dataset!r}: {len(refused)} of {listed} videos of split {name!r} cannot be used ({kinds}); "
            f"the first: {records[first].message}{instead}; `harness dataset check {dataset}` lists them"
            f"{'' if reason == 'unreadable' else ', and the option `bad: skip` leaves them out'}"
        )
    return DataError(msg, reason=reason)
