"""Splits made of other splits: subsets, joined, skipped, unlabelled."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor

from harness.interfaces import Partial, Split, Video
from harness.system.hashing import digest
from harness.video.decode import resized

if TYPE_CHECKING:
    from torch import Tensor

    from harness.interfaces import Split, Video


class Selected:
    """Some videos of a split.

    Args:
        whole: the split.
        chosen: positions in it, in the order they have here.
    """

    def __init__(self, whole: Split, chosen: Sequence[int]) -> None:
        self._whole = whole
        self._chosen = tuple(chosen)
        self.name = whole.name
        self.labelled = whole.labelled
        self.classes = whole.classes
        self.videos: Sequence[Video] = tuple(whole.videos[position] for position in self._chosen)
        self.left_out = left_out(whole)

    def __len__(self) -> int:
        return len(self.videos)

    @cached_property
    def manifest(self) -> str:
        """Hash of the whole and of what was chosen."""
        return digest({"whole": self._whole.manifest, "chosen": list(self._chosen)})

    def read(self, index: int, frames: Sequence[int] | None = None, *, short_side: int | None = None) -> Tensor:
        """As the whole's, of one of the chosen."""
        return self._whole.read(self._chosen[index], frames, short_side=short_side)

    def unlabelled(self) -> Selected:
        """The same videos without labels, groups and classes."""
        return Selected(self._whole.unlabelled(), self._chosen)


class Joined:
    """All videos of a split, one after the other, as one; it has no labels.

    Frames of another size are brought to that of the first video.

    Source: Redondo-Cabrera and Lopez-Sastre, "Unsupervised learning from videos using temporal coherency deep
    networks", 2018, where it is called "more unsupervised".
    """

    def __init__(self, parts: Split) -> None:
        self._parts = parts.unlabelled()
        self.name = parts.name
        self.labelled = parts.labelled
        self.classes: Mapping[str, tuple[str, ...]] = {}
        self._ends = np.cumsum([video.frames for video in parts.videos])
        first = self._parts.videos[0]
        self.videos: Sequence[Video] = (
            dataclasses.replace(first, id="joined", frames=int(self._ends[-1]), labels={}, group="", joints=None),
        )
        self.left_out = left_out(parts)

    def __len__(self) -> int:
        return 1

    @cached_property
    def manifest(self) -> str:
        """Hash of the parts."""
        return digest({"joined": self._parts.manifest, "labelled": self.labelled})

    def read(self, index: int, frames: Sequence[int] | None = None, *, short_side: int | None = None) -> Tensor:
        """Frames (T, H, W, C) uint8 RGB, counted over all parts.

        Raises:
            DataError: when a part does not decode.
            IndexError: when a frame is not one of those there are.
        """
        video = self.videos[index]
        wanted = np.arange(video.frames) if frames is None else np.asarray(frames, dtype=np.int64)
        if len(wanted) and not 0 <= wanted.min() <= wanted.max() < video.frames:
            msg = f"video {video.id!r} has frames 0 to {video.frames - 1}, asked for {wanted.min()} to {wanted.max()}"
            raise IndexError(msg)
        parts = np.searchsorted(self._ends, wanted, side="right")
        width, height = resized(video.width, video.height, short_side)
        found = torch.empty((len(wanted), height, width, 3), dtype=torch.uint8)
        for part in np.unique(parts):
            places = np.flatnonzero(parts == part)
            before = self._ends[part] - self._parts.videos[part].frames
            read = self._parts.read(int(part), (wanted[places] - before).tolist(), short_side=short_side)
            found[torch.from_numpy(places)] = _sized(read, height, width)
        return found

    def unlabelled(self) -> Joined:
        """The same, said to be unlabelled."""
        return Joined(self._parts)


class Pictures:
    """Frames of the videos of a split, each an image: a video of one frame.

    Images of one video have a group of their own where the video has none.

    Args:
        films: the split.
        numbers: for each of its videos, which frames.
    """

    def __init__(self, films: Split, numbers: Sequence[Sequence[int]]) -> None:
        self._films = films
        self._numbers = numbers
        self.name = films.name
        self.labelled = films.labelled
        self.classes = films.classes
        self._frames = [(index, number) for index, chosen in enumerate(numbers) for number in chosen]
        self.videos: Sequence[Video] = tuple(
            dataclasses.replace(
                video,
                id=f"{video.id}.{position}",
                frames=1,
                group=(video.group or video.id) if films.labelled else "",
                joints=None,
            )
            for video, chosen in zip(films.videos, numbers, strict=True)
            for position in range(len(chosen))
        )
        self.left_out = left_out(films)

    @classmethod
    def evenly(cls, films: Split, count: int) -> Pictures:
        """So many frames of each video: floor((i + 0.5) T / count) of T for the i-th."""
        return cls(films, [[(2 * i + 1) * v.frames // (2 * count) for i in range(count)] for v in films.videos])

    @classmethod
    def every(cls, films: Split, stride: int) -> Pictures:
        """The first frame of each video, and every `stride`-th after it."""
        return cls(films, [range(0, video.frames, stride) for video in films.videos])

    @property
    def films(self) -> list[int]:
        """For each image, the position of its video."""
        return [index for index, _ in self._frames]

    def __len__(self) -> int:
        return len(self.videos)

    @cached_property
    def manifest(self) -> str:
        """Hash of the videos and of the frames that each gives."""
        return digest({"films": self._films.manifest, "frames": [list(chosen) for chosen in self._numbers]})

    def read(self, index: int, frames: Sequence[int] | None = None, *, short_side: int | None = None) -> Tensor:
        """The image as (T, H, W, C) uint8 RGB, once for each of `frames`, which can only be 0.

        Raises:
            DataError: when the video does not decode.
            IndexError: when another frame is asked for.
        """
        if any(frame != 0 for frame in frames or ()):
            msg = f"image {self.videos[index].id!r} has frame 0 alone, asked for {max(frames or ())}"
            raise IndexError(msg)
        film, number = self._frames[index]
        return self._films.read(film, [number] * (1 if frames is None else len(frames)), short_side=short_side)

    def unlabelled(self) -> Pictures:
        """The same images without labels, groups and classes."""
        return Pictures(self._films.unlabelled(), self._numbers)


class Relabelled:
    """A split whose videos carry more labels.

    Args:
        plain: the split.
        labels: for each kind of label, the class of each video's id.
        classes: for each kind of label, the names of its classes.
    """

    def __init__(
        self, plain: Split, labels: Mapping[str, Mapping[str, int]], classes: Mapping[str, tuple[str, ...]]
    ) -> None:
        self._plain = plain
        self.name = plain.name
        self.labelled = plain.labelled
        self.classes = {**plain.classes, **classes}
        self.videos: Sequence[Video] = tuple(
            dataclasses.replace(
                video, labels={**video.labels, **{kind: known[video.id] for kind, known in labels.items()}}
            )
            for video in plain.videos
        )
        self.left_out = left_out(plain)

    def __len__(self) -> int:
        return len(self.videos)

    @cached_property
    def manifest(self) -> str:
        """Hash of the split and of all its labels."""
        labels = [dict(video.labels) for video in self.videos]
        return digest({"plain": self._plain.manifest, "labels": labels, "classes": dict(self.classes)})

    def read(self, index: int, frames: Sequence[int] | None = None, *, short_side: int | None = None) -> Tensor:
        """As the split's."""
        return self._plain.read(index, frames, short_side=short_side)

    def unlabelled(self) -> Split:
        """The split without labels: it has no more than before."""
        return self._plain.unlabelled()


def left_out(split: Split) -> Mapping[str, str]:
    """For each video that the split's lists name and it lacks, the reason."""
    return split.left_out if isinstance(split, Partial) else {}


def _sized(frames: Tensor, height: int, width: int) -> Tensor:
    if frames.shape[1:3] == (height, width):
        return frames
    return torch.from_numpy(
        np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames.numpy()])
    )


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
