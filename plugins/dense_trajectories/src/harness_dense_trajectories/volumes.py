"""Grey volumes along trajectories on disk, cut out once by worker processes."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from harness.errors import DataError, UsageError
from harness.system import files, paths, processes, progress
from harness.system.code import module_hash
from harness.system.hashing import digest
from harness_dense_trajectories.boxes import find_boxes, read_boxes
from harness_dense_trajectories.extract import extract
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.tables import TIMEOUT, MappedTables, Tables, failure, grey
from harness_dense_trajectories.trajectories import span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.interfaces import Split

PER_VIDEO = 200
"""Volumes kept of a video, unless told otherwise: 3 KiB each."""

_UNSEEN = progress.Bar(-1, lambda _: None)
"""Stand-in for a bar in calls that each look for one table."""


@dataclass(frozen=True, slots=True)
class _Job:
    index: int
    """Position of the video in its split."""
    frames: NDArray[np.uint8]
    """(T, H, W) grey."""
    humans: Path | None
    """File of its boxes."""
    table: Path
    target: Path


@dataclass(frozen=True, slots=True)
class Volumes:
    """Grey volumes of some trajectories of whole videos, one file a video.

    Args:
        settings: of the extractor; the side of a volume is half of its `neighbourhood`, 16 pixels by default.
        boxes: the name of humans' boxes, which the camera's motion is not estimated from, see `find_boxes`; "" for
            none.
        per_video: largest number of volumes of a video.

    Raises:
        UsageError: when `per_video` is below 1.
    """

    settings: Settings
    boxes: str = ""
    per_video: int = PER_VIDEO

    def __post_init__(self) -> None:
        if self.per_video < 1:
            msg = f"per_video must be at least 1, got {self.per_video}"
            raise UsageError(msg)

    def load(self, split: Split, chosen: Sequence[int] | None = None) -> Sequence[NDArray[np.uint8]]:
        """Load the volumes (n, 12, 16, 16) of each video, cutting out those not on disk.

        Each video's are mapped from their file when asked for.

        Volume i is of row `chosen_rows(len(table), per_video)[i]` of the video's table in `Tables(settings,
        boxes=boxes)`. A table that is not on disk is written by the same extraction, so that `Tables` need not extract
        it again. A file is there whole or not at all, so that what is done stays done when the process is killed.

        Args:
            split: whose videos.
            chosen: positions of some of them, in another order; all when None.

        Raises:
            DataError: when a video does not decode, its boxes are missing or not what they should be, its table on
                disk has other trajectories than are extracted now, or a worker crashed or hung on it, naming the video.
            MemoryError: when a worker had no memory left.
        """
        chosen = range(len(split)) if chosen is None else chosen
        once = list(dict.fromkeys(chosen))
        targets: dict[int, Path] = {}
        work = functools.partial(_compute, settings=self.settings, per_video=self.per_video)
        with progress.bar(f"trajectories and volumes of {split.name}", total=len(once)) as bar:
            jobs = self._jobs(split, once, targets, bar)
            outcomes = processes.imap_isolated(work, jobs, timeout=TIMEOUT, size=lambda job: job.frames.nbytes)
            for job, outcome in outcomes:
                video = split.videos[job.index].id
                if isinstance(outcome, Exception):
                    raise failure(f"video {video!r}: its volumes are not cut out", outcome) from outcome
                bar.advance(note=video)
        # They map any array that NumPy wrote; their type says tables.
        return cast("Sequence[NDArray[np.uint8]]", MappedTables([targets[index] for index in chosen]))

    def _jobs(self, split: Split, chosen: Sequence[int], targets: dict[int, Path], bar: progress.Bar) -> Iterator[_Job]:
        """Yield jobs where table or volumes are not on disk; note the volumes' files."""
        tables = Tables(self.settings, boxes=self.boxes)
        for index in chosen:
            found: dict[int, Path] = {}
            missing = next(tables._jobs(split, [index], found, _UNSEEN), None)
            table = found[index]
            name = digest({"table": table.stem, "per_video": self.per_video, "code": module_hash(__name__)})
            target = targets[index] = paths.home() / "volumes" / name[:2] / f"{name}.npy"
            if missing is None and target.exists():
                bar.advance()
                continue
            frames = grey(split.read(index)) if missing is None else missing[1]
            yield _Job(index, frames, find_boxes(self.boxes, split.videos[index]), table, target)


def chosen_rows(count: int, most: int) -> NDArray[np.int64]:
    """Choose `most` of `count` rows of a table at random, all where there are no more.

    In rising order, and always the same for the same count.

    >>> chosen_rows(3, 200), chosen_rows(2000, 4)
    (array([0, 1, 2]), array([ 269,  855,  921, 1185]))
    """
    # Files outlive versions of NumPy, which keep the stream of a bit generator but not what is drawn with it.
    order = np.argsort(np.random.PCG64(0).random_raw(count), kind="stable")
    rows: NDArray[np.int64] = np.sort(order[:most])
    return rows


def _compute(job: _Job, settings: Settings, per_video: int) -> None:
    boxes = None if job.humans is None else read_boxes(job.humans, len(job.frames))
    trajectories = extract(job.frames, settings, boxes=boxes, volumes=True)
    assert trajectories.volumes is not None
    if job.table.exists():
        _expect_same_tracks(job.table, trajectories.table)
    else:
        _write(job.table, trajectories.table)
    _write(job.target, trajectories.volumes[chosen_rows(len(trajectories.table), per_video)])


def _expect_same_tracks(path: Path, extracted: NDArray[np.float32]) -> None:
    """Refuse a table whose rows would not be those of the volumes."""
    place = span("frame", "scale")
    table = MappedTables([path])[0]
    if table.shape != extracted.shape or not np.allclose(table[:, place], extracted[:, place], rtol=0, atol=0.5):
        msg = f"{path} has other trajectories than are extracted here; delete the file and run again"
        raise DataError(msg)


def _write(path: Path, array: NDArray[Any]) -> None:
    with files.replacing(path) as temporary, temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)
