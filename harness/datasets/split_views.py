"""Views of a split: subsets, frames as images, further labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from harness.datasets.splits import no_flow
from harness.system.hashing import digest

if TYPE_CHECKING:
    from torch import Tensor

    from harness.interfaces import Split
    from harness.values import Video


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

    def read(self, index: int, frames: Sequence[int] | None = None, *, short_side: int | None = None) -> Tensor:
        """Read frames of a video, see `harness.interfaces.Split.read`."""
        return self._split.read(self.source(index), frames, short_side=short_side)

    def flow(self, index: int, frames: Sequence[int], *, short_side: int, device: str = "cpu") -> Tensor:
        """Read optical flow of a video, see `harness.interfaces.Split.flow`."""
        return self._split.flow(self.source(index), frames, short_side=short_side, device=device)

    def unlabelled(self) -> Split:
        """Hide labels, groups, classes and telling names."""
        return self._split.unlabelled()


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
        """Hide labels, groups, classes and telling names."""
        return Subset(self._split.unlabelled(), self._chosen)


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
        numbers: for each of them, numbers of frames.
    """

    def __init__(self, split: Split, numbers: Sequence[Sequence[int]]) -> None:
        super().__init__(split)
        self._numbers = numbers
        self._frames = [(index, number) for index, chosen in enumerate(numbers) for number in chosen]
        self._videos = tuple(
            dataclasses.replace(
                video,
                id=f"{video.id}.{position}",
                content=digest({"of": video.content, "frame": number}) if video.content else "",
                frames=1,
                group=(video.group or video.id) if split.labelled else "",
                joints=None,
            )
            for video, chosen in zip(split.videos, numbers, strict=True)
            for position, number in enumerate(chosen)
        )

    @classmethod
    def evenly(cls, split: Split, count: int) -> FrameImages:
        """Take `count` frames of each video: floor((i + 0.5) T / count) of T for the i-th."""
        return cls(split, [[(2 * i + 1) * v.frames // (2 * count) for i in range(count)] for v in split.videos])

    @classmethod
    def every(cls, split: Split, stride: int) -> FrameImages:
        """Take the first frame of each video, and every `stride`-th after it."""
        return cls(split, [range(0, video.frames, stride) for video in split.videos])

    @property
    def sources(self) -> list[int]:
        """Position of each image's video."""
        return [index for index, _ in self._frames]

    @property
    def videos(self) -> Sequence[Video]:
        """Images, those of a video together."""
        return self._videos

    @cached_property
    def manifest(self) -> str:
        """Hash of the videos and of their frames taken."""
        return digest({"films": self._split.manifest, "frames": [list(chosen) for chosen in self._numbers]})

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
        """Hide labels, groups, classes and telling names."""
        return FrameImages(self._split.unlabelled(), self._numbers)
