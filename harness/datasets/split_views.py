"""Views of a split: subsets, frames as images, further labels."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from harness.datasets.splits import no_flow
from harness.system.hashing import digest
from harness.video.anonymous import anonymous, hidden_order

if TYPE_CHECKING:
    from torch import Tensor

    from harness.interfaces import Split
    from harness.values import Video


@runtime_checkable
class Made(Protocol):
    """Split whose videos are made of those of others."""

    def origins(self, index: int) -> Sequence[tuple[Split, int]]:
        """Videos that one is made of: their splits, and positions there."""
        ...


def source_videos(split: Split, index: int, *, images: bool = True) -> list[tuple[Split, int]]:
    """Find the videos of data sets that one is made of.

    Each with its split, and its position there.

    Args:
        split: any split.
        index: position of the video in it.
        images: whether the source of a frame is its video; else the frame itself.
    """
    if not isinstance(split, Made) or (isinstance(split, FrameImages) and not images):
        return [(split, index)]
    return [source for one, place in split.origins(index) for source in source_videos(one, place, images=images)]


class SplitView:
    """Split that delegates to another one; subclasses change a part of it.

    Args:
        split: the other one.
    """

    def __init__(self, split: Split) -> None:
        self._split = split

    @property
    def name(self) -> str:
        """Name of the split, `train` or `test`."""
        return self._split.name

    @property
    def labelled(self) -> bool:
        """Labels and groups are there."""
        return self._split.labelled

    @property
    def videos(self) -> Sequence[Video]:
        """Videos in a fixed order."""
        return self._split.videos

    @property
    def classes(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the classes of each kind of label."""
        return self._split.classes

    @property
    def multilabel_classes(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the classes of each multi-label kind."""
        return self._split.multilabel_classes

    @property
    def left_out(self) -> Mapping[str, str]:
        """Reason for each listed video that the split lacks, by its path."""
        return self._split.left_out

    @property
    def manifest(self) -> str:
        """Hash of everything that the split contains."""
        return self._split.manifest

    def __len__(self) -> int:
        return len(self.videos)

    def source(self, index: int) -> int:
        """Find the position of a video in the other split."""
        return index

    def origins(self, index: int) -> Sequence[tuple[Split, int]]:
        """Find the video that one is: its split, and its position there."""
        return [(self._split, self.source(index))]

    def read(self, index: int, frames: Sequence[int] | None = None, *, short_side: int | None = None) -> Tensor:
        """Read frames of a video, see `harness.interfaces.Split.read`."""
        return self._split.read(self.source(index), frames, short_side=short_side)

    def flow(self, index: int, frames: Sequence[int], *, short_side: int, device: str = "cpu") -> Tensor:
        """Read optical flow of a video, see `harness.interfaces.Split.flow`."""
        return self._split.flow(self.source(index), frames, short_side=short_side, device=device)

    def unlabelled(self) -> Split:
        """Hide labels, groups, classes, names and order."""
        return self._split.unlabelled()

    def hidden_positions(self) -> list[int]:
        """Position of each video of the other split in its unlabelled version."""
        order = hidden_order(self._split.videos) if self._split.labelled else range(len(self._split))
        hidden = [0] * len(order)
        for position, original in enumerate(order):
            hidden[original] = position
        return hidden


class Subset(SplitView):
    """Some videos of a split.

    Args:
        split: the parent split.
        chosen: positions in it, in the order they have here.
    """

    def __init__(self, split: Split, chosen: Sequence[int]) -> None:
        super().__init__(split)
        self._chosen = tuple(chosen)

    @cached_property
    def videos(self) -> Sequence[Video]:
        """The selected videos."""
        return tuple(self._split.videos[position] for position in self._chosen)

    @cached_property
    def manifest(self) -> str:
        """Hash of the parent split and of the selection."""
        return digest({"whole": self._split.manifest, "chosen": list(self._chosen)})

    def source(self, index: int) -> int:
        """Find the position of a selected video in the parent split."""
        return self._chosen[index]

    def unlabelled(self) -> Subset:
        """Hide labels, groups, classes, names and order."""
        if not self.labelled:
            return self
        hidden = self.hidden_positions()
        chosen = [hidden[self._chosen[index]] for index in hidden_order(self.videos)]
        return Subset(self._split.unlabelled(), chosen)


class Limited(Subset):
    """Some videos of a split, to try things out; the others count as left out."""

    @cached_property
    def left_out(self) -> Mapping[str, str]:
        """Reason for each listed video that the split lacks, by its path or id."""
        chosen = set(self._chosen)
        others = (video.id for position, video in enumerate(self._split.videos) if position not in chosen)
        return {**self._split.left_out, **dict.fromkeys(others, "limit")}


class Relabelled(SplitView):
    """A split whose videos carry more labels.

    Args:
        split: the split without them.
        labels: for each kind of label, the class of each video's id.
        classes: for each kind of label, the names of its classes.
    """

    def __init__(
        self, split: Split, labels: Mapping[str, Mapping[str, int]], classes: Mapping[str, tuple[str, ...]]
    ) -> None:
        super().__init__(split)
        self._classes = {**split.classes, **classes}
        self._videos = tuple(
            dataclasses.replace(
                video, labels={**video.labels, **{kind: known[video.id] for kind, known in labels.items()}}
            )
            for video in split.videos
        )

    @property
    def videos(self) -> Sequence[Video]:
        """Videos with all labels."""
        return self._videos

    @property
    def classes(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the classes of all kinds of label."""
        return self._classes

    @cached_property
    def manifest(self) -> str:
        """Hash of the split and of all its labels."""
        labels = [dict(video.labels) for video in self.videos]
        return digest({"plain": self._split.manifest, "labels": labels, "classes": dict(self.classes)})


class FrameImages(SplitView):
    """Frames of the videos of a split, each an image: a video of one frame.

    Images of one video have a group of their own where the video has none.

    Args:
        split: the videos.
        frames: of each image, the position of its video and its number there.
    """

    def __init__(self, split: Split, frames: Sequence[tuple[int, int]]) -> None:
        super().__init__(split)
        self._frames = tuple(frames)
        taken: Counter[int] = Counter()
        images = []
        for index, number in self._frames:
            video = split.videos[index]
            image = dataclasses.replace(
                video,
                id=f"{video.id}.{taken[index]}",
                content=digest({"of": video.content, "frame": number}) if video.content else "",
                frames=1,
                group=video.group or video.id,
                joints=None,
            )
            images.append(image)
            taken[index] += 1
        self._videos = tuple(images) if split.labelled else anonymous(images)

    @classmethod
    def evenly(cls, split: Split, count: int) -> FrameImages:
        """Take `count` frames of each video: floor((i + 0.5) T / count) of T for the i-th."""
        return cls._of(split, lambda video: [(2 * i + 1) * video.frames // (2 * count) for i in range(count)])

    @classmethod
    def every(cls, split: Split, stride: int) -> FrameImages:
        """Take the first frame of each video, and every `stride`-th after it."""
        return cls._of(split, lambda video: range(0, video.frames, stride))

    @classmethod
    def _of(cls, split: Split, numbers: Callable[[Video], Iterable[int]]) -> FrameImages:
        return cls(split, [(index, number) for index, video in enumerate(split.videos) for number in numbers(video)])

    @property
    def sources(self) -> list[int]:
        """Position of each image's video."""
        return [index for index, _ in self._frames]

    def origins(self, index: int) -> Sequence[tuple[Split, int]]:
        """Find the video of an image: its split, and its position there."""
        return [(self._split, self._frames[index][0])]

    @property
    def videos(self) -> Sequence[Video]:
        """Images in the order of `frames`."""
        return self._videos

    @cached_property
    def manifest(self) -> str:
        """Hash of the videos and of their frames taken."""
        return digest({"films": self._split.manifest, "frames": [list(one) for one in self._frames]})

    def read(self, index: int, frames: Sequence[int] | None = None, *, short_side: int | None = None) -> Tensor:
        """Read an image as (T, H, W, C) uint8 RGB, once for each of `frames`.

        Raises:
            DataError: when the video does not decode.
            IndexError: when another frame than 0 is asked for.
        """
        if any(frame != 0 for frame in frames or ()):
            msg = f"image {self.videos[index].id!r} has frame 0 alone, asked for {max(frames or ())}"
            raise IndexError(msg)
        video, number = self._frames[index]
        return self._split.read(video, [number] * (1 if frames is None else len(frames)), short_side=short_side)

    def flow(self, index: int, frames: Sequence[int], *, short_side: int, device: str = "cpu") -> Tensor:
        """Refuse: an image has no flow.

        Raises:
            DataError: always.
        """
        raise no_flow(self.videos[index])

    def unlabelled(self) -> FrameImages:
        """Hide labels, groups, classes, names and order."""
        if not self.labelled:
            return self
        hidden = self.hidden_positions()
        images = [self._frames[index] for index in hidden_order(self.videos)]
        return FrameImages(self._split.unlabelled(), [(hidden[video], number) for video, number in images])
