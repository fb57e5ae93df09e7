"""A tiny labelled data set: white squares that move, where the direction of motion is the class."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from harness.cards import DatasetCard
from harness.errors import unknown
from harness.interfaces import Video
from harness.results import digest
from harness.video.decode import resized
from harness.video.write import write_video

FRAMES, HEIGHT, WIDTH, FPS = 24, 48, 64, 12.0
SIDE = 9
"""Of a square, in pixels."""

DIRECTIONS = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "up": (0.0, -1.0), "down": (0.0, 1.0)}
"""The classes of the label `action`, with their motion (x, y) in pixels a frame."""

GROUPS = {"train": 6, "test": 4}
TAKES = 2
"""Videos of one class in one group."""


@dataclass(frozen=True)
class MemorySplit:
    """A split whose frames lie in memory."""

    name: str
    videos: tuple[Video, ...]
    frames: tuple[Tensor, ...]
    """A (T, H, W, C) uint8 RGB tensor for each video."""
    classes: Mapping[str, tuple[str, ...]]
    labelled: bool = True

    def __len__(self) -> int:
        return len(self.videos)

    @functools.cached_property
    def manifest(self) -> str:
        """Hash of ids, pixels, and the labels and groups where there are any."""
        rows = [
            [video.id, hashlib.sha256(frames.numpy().tobytes()).hexdigest(), dict(video.labels), video.group]
            for video, frames in zip(self.videos, self.frames, strict=True)
        ]
        return digest({"videos": rows, "classes": {kind: list(names) for kind, names in self.classes.items()}})

    def read(self, index: int, frames: Sequence[int] | None = None, *, short_side: int | None = None) -> Tensor:
        """Frames of video `index` as (T, H, W, C) uint8 RGB, in memory of their own."""
        taken = self.frames[index].clone() if frames is None else self.frames[index][list(frames)]
        if short_side is None or short_side == min(taken.shape[1:3]):
            return taken
        width, height = resized(taken.shape[2], taken.shape[1], short_side)
        pictures = interpolate(taken.permute(0, 3, 1, 2).float(), (height, width), mode="area")
        return pictures.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()

    def unlabelled(self) -> MemorySplit:
        """The same videos without labels, groups, classes and names."""
        bare = tuple(replace(video, id=f"{n:06d}", labels={}, group="") for n, video in enumerate(self.videos))
        return replace(self, videos=bare, classes={}, labelled=False)


class MovingSquares:
    """A white square of 9 pixels moves left, right, up or down over a dark background, in 24 frames of 64 x 48.

    The label `action` is the direction. The background's colour is the group's and says nothing of the class; starts,
    speeds and noise differ between the videos. There are 48 videos to train on and 32 to test, as many of each class.

    Args:
        folder: where the videos are also written as files, which lose a little; None writes none, and the videos'
            paths lead nowhere.

    >>> train = MovingSquares().split("train")
    >>> len(train), train.classes["action"], tuple(train.read(0).shape)
    (48, ('left', 'right', 'up', 'down'), (24, 48, 64, 3))
    """

    card: ClassVar[DatasetCard] = DatasetCard(
        name="moving-squares", summary="white squares that move in one of four directions"
    )

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder

    def split(self, name: str) -> MemorySplit:
        """The labelled split `name`.

        Raises:
            UsageError: when `name` is neither `train` nor `test`.
        """
        if name not in GROUPS:
            raise unknown("split", name, GROUPS)
        split = _drawn(name)
        return split if self._folder is None else _written(split, self._folder)


@functools.cache
def _drawn(name: str) -> MemorySplit:
    random = torch.Generator().manual_seed(list(GROUPS).index(name))
    videos: list[Video] = []
    frames: list[Tensor] = []
    for group in range(GROUPS[name]):
        background = torch.randint(20, 130, (3,), generator=random)
        for label in [*range(len(DIRECTIONS))] * TAKES:
            title = f"{name}-{len(videos):02d}"
            direction = torch.tensor(list(DIRECTIONS.values())[label])
            frames.append(_moving(background, direction, random))
            videos.append(
                Video(
                    id=title,
                    path=Path("moving-squares", f"{title}.avi"),
                    frames=FRAMES,
                    fps=FPS,
                    width=WIDTH,
                    height=HEIGHT,
                    group=f"{name}-{group}",
                    labels={"action": label},
                )
            )
    return MemorySplit(name, tuple(videos), tuple(frames), {"action": tuple(DIRECTIONS)})


def _moving(background: Tensor, direction: Tensor, random: torch.Generator) -> Tensor:
    """(T, H, W, C) uint8: one square on its way; all of the way lies in the central 48 x 48 pixels."""
    speed = 0.8 + 0.2 * torch.rand(1, generator=random)
    middle = torch.tensor([WIDTH / 2, HEIGHT / 2]) + 10 * torch.rand(2, generator=random) - 5
    times = torch.arange(FRAMES) - (FRAMES - 1) / 2
    x, y = (middle + speed * times[:, None] * direction).T  # (T,) each
    inside_x = (torch.arange(WIDTH) + 0.5 - x[:, None]).abs() <= SIDE / 2
    inside_y = (torch.arange(HEIGHT) + 0.5 - y[:, None]).abs() <= SIDE / 2
    inside = (inside_y[:, :, None] & inside_x[:, None, :])[..., None]  # (T, H, W, 1)
    noise = torch.randint(-8, 9, (FRAMES, HEIGHT, WIDTH, 3), generator=random)
    return (torch.where(inside, 240, background) + noise).to(torch.uint8)


def _written(split: MemorySplit, folder: Path) -> MemorySplit:
    videos = tuple(replace(video, path=folder / video.path.name) for video in split.videos)
    for video, frames in zip(videos, split.frames, strict=True):
        if not video.path.exists():
            write_video(video.path, frames.numpy(), video.fps)
    return replace(split, videos=videos)
