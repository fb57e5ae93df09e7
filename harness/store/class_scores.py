"""Class scores of a run: a `.npy` on disk, its checksum in the record."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import DataError
from harness.store.records import ClassScoresRecord
from harness.system.checksums import checksum
from harness.system.text import printable
from harness.system.zips import parse_array
from harness.values import ClassScores

if TYPE_CHECKING:
    from harness.store.records import Run

FOLDER = "class_scores"
"""Folder of a store, and of an archive, with one file a run."""
LARGEST = 10**9
"""Bytes of a file, at most."""


class DamagedScoresError(DataError):
    """A file that is not as it was written, or not of its run.

    Args:
        path: of the file.
        problem: how it is damaged.
    """

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{printable(str(path))}: damaged ({problem}); {COMPUTE_AGAIN}")
        self.problem = problem


COMPUTE_AGAIN = "`harness run` of its suite computes the run again"
"""Way out where class scores are damaged or gone."""


def to_bytes(scores: ClassScores) -> bytes:
    """Write class scores as a `.npy`."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.ascontiguousarray(scores.values), version=(1, 0), allow_pickle=False)
    return file.getvalue()


def record_of(scores: ClassScores, content: bytes) -> ClassScoresRecord:
    """Describe class scores and the file that holds them, for the record of a run."""
    return ClassScoresRecord(kind=scores.kind, checksum=checksum(content))


def parse(run: Run, content: bytes, path: Path) -> ClassScores:
    """Parse the file of a run's class scores.

    Args:
        run: with a record of them.
        content: of the file.
        path: for messages.

    Raises:
        DamagedScoresError: when the checksum is another, or the values are not of the run's videos.
    """
    record = run.class_scores
    assert record is not None
    if checksum(content) != record.checksum:
        raise DamagedScoresError(path, "its bytes are not those that were written")
    try:
        scores = ClassScores(record.kind, parse_array("it", content))
    except (ValueError, TypeError, OverflowError, SyntaxError, EOFError) as error:
        raise DamagedScoresError(path, f"no class scores: {printable(str(error))}") from error
    videos = len(run.predictions.videos) if run.predictions else 0
    if scores.values.shape[1] != videos:
        raise DamagedScoresError(path, f"it has {scores.values.shape[1]} videos, the run {videos}")
    return scores
