"""What the 436 numbers of a trajectory are, and where in its row."""

from __future__ import annotations

import itertools

STEPS = 15
"""Of a track, which has a point more."""
CELLS = 2
"""Of the neighbourhood in x and in y."""
TIME_CELLS = 3
"""Of a track, five steps each."""
BINS = 8
"""Of orientation; HOF has one more for what stands still."""

_WIDTHS = {
    "frame": 1,  # the track's last frame, counted from 0
    "mean_x": 1,
    "mean_y": 1,
    "std_x": 1,
    "std_y": 1,
    "length": 1,  # of the track in pixels
    "scale": 1,  # how many times smaller than the frame its level is
    "x_share": 1,  # mean_x by the width
    "y_share": 1,  # mean_y by the height
    "t_share": 1,  # the track's middle by the number of frames
    "shape": 2 * STEPS,
    "hog": TIME_CELLS * CELLS * CELLS * BINS,
    "hof": TIME_CELLS * CELLS * CELLS * (BINS + 1),
    "mbh_x": TIME_CELLS * CELLS * CELLS * BINS,
    "mbh_y": TIME_CELLS * CELLS * CELLS * BINS,
}
_ENDS = list(itertools.accumulate(_WIDTHS.values()))

COLUMNS: dict[str, slice] = {
    name: slice(end - width, end) for (name, width), end in zip(_WIDTHS.items(), _ENDS, strict=True)
}
"""Of a row, in the order of the original's output.

`shape` is (step, x y); the histograms are (time cell, x cell, y cell, bin).
"""
WIDTH = _ENDS[-1]
DESCRIPTORS = ("shape", "hog", "hof", "mbh_x", "mbh_y")
"""The names of columns that describe; the ten before them say where the track is."""


def column(name: str) -> int:
    """The number of a column that is one wide.

    >>> column("mean_x"), column("t_share")
    (1, 9)

    Raises:
        ValueError: when `name` is none, or wider.
    """
    found = COLUMNS.get(name)
    if found is None or found.stop - found.start != 1:
        single = [known for known, width in _WIDTHS.items() if width == 1]
        msg = f"{name!r} is no single column; those are {', '.join(single)}"
        raise ValueError(msg)
    return int(found.start)


def span(first: str, last: str) -> slice:
    """The columns from the start of one name to the end of another.

    >>> span("shape", "mbh_y"), span("hog", "mbh_y")
    (slice(10, 436, None), slice(40, 436, None))

    Raises:
        ValueError: when there is no such name, or they are the wrong way round.
    """
    names = list(COLUMNS)
    if first not in COLUMNS or last not in COLUMNS or names.index(first) > names.index(last):
        msg = f"no columns lie between {first!r} and {last!r}; the names in order: {', '.join(names)}"
        raise ValueError(msg)
    return slice(COLUMNS[first].start, COLUMNS[last].stop)
