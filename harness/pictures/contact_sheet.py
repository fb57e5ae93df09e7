"""Contact sheet of a split: a row of frames or images for each class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.interfaces import Split
from harness.pictures.sheet import Frame, sheet
from harness.system.text import printable

UNLABELLED = "unlabelled"
"""Text of the only row where there are no classes."""


def contact_sheet(split: Split, *, label: str = "", columns: int = 7, height: int = 80) -> bytes:
    """Draw a PNG with a row for each class.

    A row has `columns` frames, evenly spaced over one video of the class. Where all of a class's videos are images, its
    row shows as many of them, evenly spaced over the split. The rows of videos show a different group each where they
    can, so that people, places and cameras vary down the sheet. A split without any labels gets one row.

    Args:
        split: labelled or not.
        label: kind of the labels whose classes are shown; without one `action`, or the first where there is none.
        columns: frames of each video, or images of each class; fewer where there are not so many images.
        height: of a frame, in pixels.

    Raises:
        KeyError: when the split has labels, but not the one asked for.
        DataError: when a video does not decode.
    """
    if not split.classes:
        return sheet([(UNLABELLED, _row(split, range(len(split)), 0, columns))], height)
    label = label or ("action" if "action" in split.classes else next(iter(split.classes)))
    members: list[list[int]] = [[] for _ in split.classes[label]]
    for position, video in enumerate(split.videos):
        members[video.labels[label]].append(position)
    rows = [
        (printable(name), _row(split, positions, index, columns))
        for index, (name, positions) in enumerate(zip(split.classes[label], members, strict=True))
        if positions
    ]
    return sheet(rows, height)


def _row(split: Split, positions: Sequence[int], index: int, columns: int) -> list[Frame]:
    """Images of the videos at `positions`, or frames of one of them, evenly spaced."""
    if all(split.videos[position].frames == 1 for position in positions):
        chosen = evenly_spaced(len(positions), min(columns, len(positions)))
        return [split.read(positions[place], [0])[0].numpy() for place in chosen]
    return frames_of(split, positions[index % len(positions)], columns)


def frames_of(split: Split, position: int, columns: int) -> list[Frame]:
    """Frames of a video, evenly spaced; repeated where it has fewer."""
    return list(split.read(position, evenly_spaced(split.videos[position].frames, columns)).numpy())


def evenly_spaced(count: int, columns: int) -> list[int]:
    """Positions from the first to the last of `count`.

    >>> evenly_spaced(10, 4)
    [0, 3, 6, 9]
    """
    spread: list[int] = np.linspace(0, count - 1, columns).round().astype(int).tolist()
    return spread
