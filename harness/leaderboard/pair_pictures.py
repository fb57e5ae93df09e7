"""Pictures of the videos that two runs, or one alone, get wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.pictures.contact_sheet import evenly_spaced, frames_of
from harness.pictures.sheet import sheet
from harness.system.text import printable

if TYPE_CHECKING:
    from harness.interfaces import Split
    from harness.leaderboard.run_pairs import RunPair

ROWS, FRAMES, HEIGHT = 12, 7, 80
"""Videos of a picture, frames of each, and their height in pixels."""


def pair_pictures(pair: RunPair, split: Split) -> dict[str, bytes]:
    """Draw videos that both runs get wrong, or one alone gets right.

    PNG by file name, of at most `ROWS` videos.

    Args:
        pair: two runs, compared.
        split: the test split that they were measured on; videos that it lacks are left out.

    Raises:
        DataError: when a video does not decode.
    """
    lists = {
        "both-wrong.png": pair.both_wrong,
        f"only-{pair.one.key[:12]}-right.png": pair.only_one,
        f"only-{pair.other.key[:12]}-right.png": pair.only_other,
    }
    positions = {video.id: position for position, video in enumerate(split.videos)}
    pictures = {}
    for name, places in lists.items():
        chosen = [places[index] for index in evenly_spaced(len(places), min(ROWS, len(places)))]
        rows = [
            (_caption(pair, place), frames_of(split, position, min(FRAMES, split.videos[position].frames)))
            for place in chosen
            if (position := positions.get(pair.predictions.videos[place])) is not None
        ]
        if rows:
            pictures[name] = sheet(rows, HEIGHT)
    return pictures


def _caption(pair: RunPair, place: int) -> str:
    """Class of a video, and what each run took it for where it predicts classes."""
    lines = [pair.class_names.get(pair.predictions.labels[place], "")]
    for run in (pair.one, pair.other):
        if run.predictions is not None and run.predictions.predicted:
            taken = run.predictions.predicted[0][place]
            lines.append(f"{run.key[:4]}: {pair.class_names.get(taken, f'class {taken}')}")
    return "\n".join(map(printable, lines))
