"""A picture of a split that people can look at: a row of frames for each class."""

from __future__ import annotations

import numpy as np

from harness.interfaces import Split
from harness.video.sheet import sheet


def contact_sheet(split: Split, *, label: str = "action", columns: int = 7, height: int = 80) -> bytes:
    """A PNG with a row for each class of `label`: `columns` frames, evenly spaced over one of its videos.

    The rows show a different group each where they can, so that people, places and cameras vary down the sheet.

    Args:
        split: a labelled split.
        label: the kind of label whose classes are shown.
        columns: frames of each video.
        height: of a frame, in pixels.

    Raises:
        KeyError: when the split has no such label.
        DataError: when a video does not decode.
    """
    rows = []
    for index, name in enumerate(split.classes[label]):
        candidates = [i for i, video in enumerate(split.videos) if video.labels[label] == index]
        if candidates:
            chosen = candidates[index % len(candidates)]
            positions = np.linspace(0, split.videos[chosen].frames - 1, columns).round().astype(int)
            rows.append((name, list(split.read(chosen, positions.tolist()).numpy())))
    return sheet(rows, height)
