"""Some videos of a split, such as those held out to validate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from harness.results import digest

if TYPE_CHECKING:
    from torch import Tensor

    from harness.interfaces import Split, Video


@dataclass(frozen=True)
class Part:
    """The videos at `positions` of a split, in that order; as a split."""

    whole: Split
    positions: Sequence[int]

    @property
    def name(self) -> str:
        """Of the whole."""
        return self.whole.name

    @property
    def labelled(self) -> bool:
        """Whether the videos carry their labels and groups."""
        return self.whole.labelled

    @cached_property
    def videos(self) -> Sequence[Video]:
        """Those of the part."""
        return [self.whole.videos[position] for position in self.positions]

    @property
    def classes(self) -> Mapping[str, tuple[str, ...]]:
        """Of the whole, also those that no video of the part has."""
        return self.whole.classes

    @cached_property
    def manifest(self) -> str:
        """Hash of the whole's manifest and the positions."""
        return digest({"whole": self.whole.manifest, "positions": list(self.positions)})

    def __len__(self) -> int:
        return len(self.positions)

    def read(self, index: int, frames: Sequence[int] | None = None, *, short_side: int | None = None) -> Tensor:
        """Frames of the part's video `index`, as in `harness.interfaces.Split.read`."""
        return self.whole.read(self.positions[index], frames, short_side=short_side)

    def unlabelled(self) -> Part:
        """The same videos without labels, groups and classes."""
        return Part(self.whole.unlabelled(), self.positions)
