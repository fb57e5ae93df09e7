"""Training videos of several data sets as one, to learn from without labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from harness.datasets import cards
from harness.errors import UsageError, unknown
from harness.interfaces import Prepared
from harness.store.choices import Choice, WrittenChoice
from harness.system.hashing import digest
from harness.video.anonymous import anonymous, content_name, hidden_order

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cards import DatasetCard
    from harness.interfaces import Dataset, Split
    from harness.values import Video


class Union:
    """Training videos of several data sets, equal files once; labels are left out.

    Args:
        of: the data sets, with their options.
        build: builds one of them.

    Raises:
        UsageError: when there are fewer than two.
    """

    card: ClassVar[DatasetCard] = cards.UNION

    def __init__(self, of: Sequence[WrittenChoice], *, build: Callable[[Choice], Dataset]) -> None:
        if len(of) < 2:
            msg = f"a union needs at least two data sets in `of`, got {len(of)}"
            raise UsageError(msg)
        self._parts = [build(choice) for choice in of]

    @property
    def ready(self) -> bool:
        """The files of every part are there."""
        return all(part.ready for part in self._parts if isinstance(part, Prepared))

    def split(self, name: str) -> Split:
        """Join the training splits.

        Raises:
            UsageError: when another split is asked for: a union is only learnt from.
            DataError: when files of a part are missing or damaged.
        """
        if name not in self.card.splits:
            raise unknown("split of a union, which is only learnt from:", name, self.card.splits)
        return UnionSplit(name, [part.split(name) for part in self._parts])


class UnionSplit:
    """Videos of several splits in one hidden order, those of equal content once.

    Args:
        name: of the split.
        parts: labelled or not.
    """

    labelled: ClassVar[bool] = False
    classes: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    multilabel_classes: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def __init__(self, name: str, parts: Sequence[Split]) -> None:
        self.name = name
        self.left_out = {
            f"{number}/{path}": reason for number, part in enumerate(parts) for path, reason in part.left_out.items()
        }
        self._parts = [part.unlabelled() for part in parts]
        first: dict[str, tuple[int, int]] = {}
        for number, part in enumerate(self._parts):
            for index, video in enumerate(part.videos):
                first.setdefault(content_name(video), (number, index))
        places = list(first.values())
        records = [self._parts[number].videos[index] for number, index in places]
        order = hidden_order(records)
        self._places = [places[position] for position in order]
        self.videos: Sequence[Video] = anonymous([records[position] for position in order])

    def __len__(self) -> int:
        return len(self.videos)

    @cached_property
    def manifest(self) -> str:
        """Hash of the parts and of the videos that are taken from them."""
        return digest({"union": [part.manifest for part in self._parts], "places": [list(one) for one in self._places]})

    def origins(self, index: int) -> Sequence[tuple[Split, int]]:
        """Find the video that one is: its part, and its position there."""
        part, place = self._places[index]
        return [(self._parts[part], place)]

    def read(self, index: int, frames: Sequence[int] | None = None, *, short_side: int | None = None) -> Tensor:
        """Read frames of a video, see `harness.interfaces.Split.read`."""
        part, place = self._places[index]
        return self._parts[part].read(place, frames, short_side=short_side)

    def flow(self, index: int, frames: Sequence[int], *, short_side: int, device: str = "cpu") -> Tensor:
        """Read optical flow of a video, see `harness.interfaces.Split.flow`."""
        part, place = self._places[index]
        return self._parts[part].flow(place, frames, short_side=short_side, device=device)

    def unlabelled(self) -> UnionSplit:
        """The split itself: it has no labels."""
        return self
