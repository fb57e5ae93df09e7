"""Small data set, backbones and encoders for tests."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torch.utils.weak import WeakTensorKeyDictionary

from harness.cards import BackboneCard, DatasetCard, View
from harness.encoders.network import NetworkEncoder
from harness.errors import DataError, unknown
from harness.system.hashing import digest
from harness.system.seeding import seeded
from harness.values import Inputs, Promise, Video, VideoBatch
from harness.video.anonymous import anonymous, hidden_order
from harness.video.decode import resized
from harness.video.flow import displacement, flow, quantised
from harness.video.write import write_video

FRAMES, HEIGHT, WIDTH, FPS = 24, 48, 64, 12.0
SIDE = 9
"""Side of a square in pixels."""

DIRECTIONS = {"left": (-1.0, 0.0), "right": (1.0, 0.0), "up": (0.0, -1.0), "down": (0.0, 1.0)}
"""Classes of the label `action`, with their motion (x, y) in pixels a frame."""

GROUPS = {"train": 6, "test": 4}
TAKES = 2
"""Number of videos of one class in one group."""

_FLOW: MutableMapping[Tensor, dict[int, Tensor]] = WeakTensorKeyDictionary()
"""Flow by length of the short side, of frames in memory."""


@dataclass(frozen=True)
class MemorySplit:
    """Split with its frames in memory."""

    name: str
    videos: tuple[Video, ...]
    frames: tuple[Tensor, ...]
    """(T, H, W, C) uint8 RGB tensors, one for each video."""
    classes: Mapping[str, tuple[str, ...]]
    labelled: bool = True
    left_out: Mapping[str, str] = field(default_factory=dict)
    multilabel_classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.videos)

    @functools.cached_property
    def manifest(self) -> str:
        """Hash of ids, pixels, labels, targets, groups and classes."""
        rows = [
            [video.id, hashlib.sha256(frames.numpy().tobytes()).hexdigest(), dict(video.labels), video.group]
            for video, frames in zip(self.videos, self.frames, strict=True)
        ]
        parts: dict[str, Any] = {
            "multilabels": [{kind: list(those) for kind, those in video.multilabels.items()} for video in self.videos],
            "targets": [dict(video.targets) for video in self.videos],
            "multilabel_classes": {kind: list(names) for kind, names in self.multilabel_classes.items()},
        }
        further = {name: part for name, part in parts.items() if any(part)}  # none changes a hash that is older
        classes = {kind: list(names) for kind, names in self.classes.items()}
        return digest({"videos": rows, "classes": classes, **further})

    def read(self, index: int, frames: Sequence[int] | None = None, *, short_side: int | None = None) -> Tensor:
        """Copy frames of video `index` as (T, H, W, C) uint8 RGB."""
        taken = self.frames[index].clone() if frames is None else self.frames[index][list(frames)]
        if short_side is None or short_side == min(taken.shape[1:3]):
            return taken
        width, height = resized(taken.shape[2], taken.shape[1], short_side)
        pictures = interpolate(taken.permute(0, 3, 1, 2).float(), (height, width), mode="area")
        return pictures.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()

    def flow(self, index: int, frames: Sequence[int], *, short_side: int, device: str = "cpu") -> Tensor:
        """Compute TV-L1 flow (T, 2, H, W) float32 from each of `frames` to the next.

        Flow is in pixels of the resized frames, and kept in memory for all splits that share the frames.

        Raises:
            DataError: when one of `frames` has no next frame.
        """
        clip = self.frames[index]
        if len(clip) < 2 or max(frames, default=0) > len(clip) - 2:
            msg = f"video {self.videos[index].id!r}: {len(clip)} frames give no flow from frames {list(frames)}"
            raise DataError(msg)
        known = _FLOW.setdefault(clip, {})
        if short_side not in known:
            whole = flow(self.read(index, short_side=short_side).to(device), "tvl1")
            known[short_side] = displacement(quantised(whole.cpu()))
        return known[short_side][list(frames)]

    def unlabelled(self) -> MemorySplit:
        """Hide labels, groups, classes, names and order."""
        if not self.labelled:
            return self
        order = hidden_order(self.videos)
        videos = anonymous([self.videos[position] for position in order])
        frames = tuple(self.frames[position] for position in order)
        return MemorySplit(self.name, videos, frames, classes={}, labelled=False)


class MovingSquares:
    """Videos of white squares that move left, right, up or down.

    A square of 9 pixels moves over a dark background, in 24 frames of 64 x 48. The label `action` is the direction. The
    background's colour is the group's and says nothing of the class; starts, speeds and noise differ between the
    videos. There are 48 videos to train on and 32 to test, as many of each class.

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
        """Build the labelled split `name`.

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
                    content=hashlib.sha256(frames[-1].numpy().tobytes()).hexdigest(),
                )
            )
    return MemorySplit(name, tuple(videos), tuple(frames), {"action": tuple(DIRECTIONS)})


def _moving(background: Tensor, direction: Tensor, random: torch.Generator) -> Tensor:
    """Draw a moving square, (T, H, W, C) uint8.

    Its whole path lies in the central 48 x 48 pixels.
    """
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


class TinyBackbone:
    """Network of two 3D convolutions, with batch normalisation and dropout.

    These two make training mode differ from evaluation mode.
    """

    card: ClassVar[BackboneCard] = BackboneCard(
        name="tiny",
        summary="two 3D convolutions for tests",
        dim=16,
        spatial="0",
    )
    inputs: ClassVar[Inputs] = Inputs(
        view=View(frames=8, stride=2, size=32), mean=(0.3, 0.35, 0.4), std=(0.25, 0.2, 0.3)
    )

    def build(self, *, seed: int) -> nn.Module:
        """Build a network, normalised float clips (B, 3, T, H, W) -> (B, 16).

        Equal seeds give equal weights.
        """
        with seeded(seed):
            return nn.Sequential(
                nn.Conv3d(3, 8, 3, stride=2, padding=1, bias=False),
                nn.BatchNorm3d(8),
                nn.ReLU(),
                nn.Conv3d(8, 16, 3, stride=2, padding=1),
                nn.ReLU(),
                nn.AdaptiveAvgPool3d(1),
                nn.Flatten(),
                nn.Dropout(0.1),
            )


class PlainBackbone(TinyBackbone):
    """The network of `TinyBackbone` without normalisation and dropout."""

    def build(self, *, seed: int) -> nn.Module:
        """Build a network, normalised float clips (B, 3, T, H, W) -> (B, 16)."""
        layers = super().build(seed=seed).children()
        return nn.Sequential(*(layer for layer in layers if not isinstance(layer, nn.BatchNorm3d | nn.Dropout)))


class DirectionBackbone:
    """Network that measures the direction of motion of a bright object.

    It needs no training to tell left, right, up and down apart.
    """

    card: ClassVar[BackboneCard] = BackboneCard(
        name="direction", summary="the direction in which a bright thing moves", dim=4, tokens="tokens"
    )
    inputs: ClassVar[Inputs] = Inputs(view=TinyBackbone.inputs.view)

    def build(self, *, seed: int) -> nn.Module:
        """Build the network, normalised float clips (B, 3, T, H, W) -> (B, 4).

        It is the same for every seed.
        """
        return _Direction()


class _Direction(nn.Module):
    """Displacement of bright pixels to the left, right, top and bottom, (B, 4).

    Measured from the first frame to the last, in tenths of a side. Its tokens are this vector and one of zeros.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(10.0))
        self.tokens = nn.Identity()

    def forward(self, clips: Tensor) -> Tensor:
        bright = (clips.amin(1) - 1.2).clamp(min=0)  # (B, T, H, W): of normalised values, white is near 1.8
        rows = torch.linspace(0, 1, bright.shape[2], device=clips.device)
        columns = torch.linspace(0, 1, bright.shape[3], device=clips.device)
        mass = bright.sum((2, 3)).clamp(min=1e-3)  # (B, T)
        x = (bright.sum(2) @ columns) / mass
        y = (bright.sum(3) @ rows) / mass
        right, down = x[:, -1] - x[:, 0], y[:, -1] - y[:, 0]
        vectors = self.gain * torch.stack([-right, right, -down, down], dim=1).clamp(min=0)
        tokens: Tensor = self.tokens(torch.stack([vectors, torch.zeros_like(vectors)], dim=1))
        return tokens[:, 0]


def informed_encoder() -> NetworkEncoder:
    """Build an encoder whose vectors tell the class of a `MovingSquares` video.

    Each of the 4 directions has a dimension of its own.
    """
    backbone = DirectionBackbone()
    return NetworkEncoder.of(backbone.build(seed=0), backbone)


class UntrainedEncoder(NetworkEncoder):
    """Encoder with an untrained `TinyBackbone`.

    It offers everything that evaluators may need: vectors, feature maps and the network.
    """

    def __init__(self) -> None:
        super().__init__(TinyBackbone().build(seed=0), TinyBackbone.inputs, spatial=TinyBackbone.card.spatial)


class UninformedEncoder:
    """Encoder of noise vectors, seeded by the pixels of a clip.

    Equal clips get equal vectors; nothing else of a clip shows in them.
    """

    promise: ClassVar[Promise] = Promise(views=(TinyBackbone.inputs.view,), shape=(16,))

    def encode(self, batch: VideoBatch) -> Tensor:
        """Encode clips as (B, 16) float32 of a standard normal distribution."""
        sums = batch.clips.long().flatten(1).cumsum(1).sum(1)  # where a pixel lies counts too
        vectors = [torch.randn(16, generator=torch.Generator().manual_seed(int(seed))) for seed in sums]
        return torch.stack(vectors).to(batch.clips.device)

    def save(self, folder: Path) -> None:
        """Write nothing; there is nothing to store."""
