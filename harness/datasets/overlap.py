"""Videos that two splits share, and classes that one of them lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.datasets.concatenated_split import ConcatenatedSplit
from harness.datasets.fingerprints import fingerprints

if TYPE_CHECKING:
    from harness.interfaces import Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Videos of a second split that are in a first one, by their positions."""

    equal: Mapping[int, int] = field(default_factory=dict)
    """Position in the second split, position in the first, of the same content."""
    similar: Mapping[int, int] = field(default_factory=dict)
    """The same of nearly the same pictures."""


def overlap(first: Split, second: Split) -> Overlap:
    """Find the videos of `second` that are in `first`, too.

    Similar are those whose few sampled frames are all near by a perceptual hash, and alike as thumbnails; mirrored ones
    and those cut out of each other are not found. A part of the picture is a video of its own.

    Raises:
        DataError: when a video does not decode.
    """
    if isinstance(first, ConcatenatedSplit):
        first = first.parts
    equal = equal_videos(first, second)
    similar = fingerprints(second).similar(fingerprints(first))
    return Overlap(equal=equal, similar={index: other for index, other in similar.items() if index not in equal})


def equal_videos(first: Split, second: Split) -> dict[int, int]:
    """Find the videos of `second` whose content is that of one of `first`."""
    known = {(video.content, video.box): index for index, video in enumerate(first.videos) if video.content}
    shared = ((index, known.get((video.content, video.box))) for index, video in enumerate(second.videos))
    return {index: other for index, other in shared if other is not None}


def absent_classes(splits: Mapping[str, Split]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Name the classes that a split lacks and another one has, by split and label."""
    shown = {
        name: {
            kind: {names[video.labels[kind]] for video in split.videos if kind in video.labels}
            for kind, names in split.classes.items()
        }
        for name, split in splits.items()
    }
    absent: dict[str, dict[str, tuple[str, ...]]] = {}
    for name, kinds in shown.items():
        for kind, own in kinds.items():
            others = set().union(*(other.get(kind, set()) for other in shown.values()))
            if own and others - own:
                absent.setdefault(name, {})[kind] = tuple(sorted(others - own))
    return absent
