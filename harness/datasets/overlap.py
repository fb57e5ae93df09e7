"""Videos that two splits share, and classes that one of them lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.datasets.fingerprints import fingerprints
from harness.datasets.split_views import source_videos

if TYPE_CHECKING:
    from torch import Tensor

    from harness.interfaces import Split
    from harness.values import Box


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
    equal = equal_videos(first, second)
    ours, theirs = _Opened(first), _Opened(second)
    pairs = fingerprints(theirs).similar(fingerprints(ours))
    similar = {theirs.positions[index]: ours.positions[other] for index, other in pairs.items()}
    return Overlap(equal=equal, similar={index: other for index, other in similar.items() if index not in equal})


def equal_videos(first: Split, second: Split) -> dict[int, int]:
    """Find the videos of `second` whose content is that of one of `first`.

    An image of a video, and videos that are joined to one, are those that they are made of.
    """
    known = {content: index for index in range(len(first)) for content in _contents(first, index)}
    shared: dict[int, int] = {}
    for index in range(len(second)):
        others = [known[content] for content in _contents(second, index) if content in known]
        if others:
            shared[index] = others[0]
    return shared


def _contents(split: Split, index: int) -> list[tuple[str, Box | None]]:
    """Known contents of the videos that one is made of, with their boxes."""
    sources = (one.videos[place] for one, place in source_videos(split, index))
    return [(video.content, video.box) for video in sources if video.content]


class _Opened:
    """Videos of a split, those joined to one apart, as `fingerprints` reads them."""

    def __init__(self, split: Split) -> None:
        found = [
            (position, one, place)
            for position in range(len(split))
            for one, place in source_videos(split, position, images=False)
        ]
        self.name = split.name
        self.positions = [position for position, _, _ in found]
        self.videos = [one.videos[place] for _, one, place in found]
        self._places = [(one, place) for _, one, place in found]

    def read(self, index: int, frames: Sequence[int] | None = None, *, short_side: int | None = None) -> Tensor:
        """Read frames of a video, see `harness.interfaces.Split.read`."""
        one, place = self._places[index]
        return one.read(place, frames, short_side=short_side)


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
