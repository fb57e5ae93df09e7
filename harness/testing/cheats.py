"""Methods that cheat, each in one way, and fail the conformance kit by its name.

They show what the kit sees, and that a suite gains nothing by them: what they look at tells nothing there.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import safetensors.torch
import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, one_hot

from harness.cards import MethodCard, View, WholeVideo
from harness.interfaces import Backbone, Encoder, Session, Split
from harness.testing.fixtures import TinyBackbone
from harness.values import Promise, VideoBatch
from harness.video.loader import video_clips

CLASSES = 4
SIDE = 8
"""Cells of the pictures that are regressed on, across and down."""


@dataclass
class Regression:
    """Encoder of clips: a linear map of the change from the first frame to the last."""

    weights: Tensor
    """(SIDE * SIDE, CLASSES + 1)."""
    promise: ClassVar[Promise] = Promise(views=(TinyBackbone.inputs.view,), shape=(CLASSES + 1,))

    def encode(self, batch: VideoBatch) -> Tensor:
        """Encode clips as (B, 5) float32."""
        return change(batch.clips) @ self.weights.to(batch.clips.device)

    def save(self, folder: Path) -> None:
        """Write the map."""
        safetensors.torch.save_file({"weights": self.weights.contiguous()}, folder / "weights.safetensors")


def change(clips: Tensor) -> Tensor:
    """Change of brightness from first frames to last ones, (B, SIDE * SIDE)."""
    grey = clips.float().mean(1) / 255
    return adaptive_avg_pool2d(grey[:, -1] - grey[:, 0], SIDE).flatten(1)


class Supervised:
    """Base of methods that learn the classes which they guess from a split."""

    def promise(self, backbone: Backbone) -> Promise:
        """Vectors of clips."""
        return Regression.promise

    def guess(self, train: Split) -> Sequence[int]:
        """The class of each video."""
        raise NotImplementedError

    def fit(self, backbone: Backbone, train: Split, session: Session) -> Encoder:
        """Regress the guessed classes on the pixels, beside their plain mean."""
        targets = one_hot(torch.tensor(self.guess(train)) % CLASSES, CLASSES) - 1 / CLASSES
        view = Regression.promise.view
        assert isinstance(view, View)
        pixels = change(torch.cat([video_clips(train, index, view) for index in range(len(train))]))
        gram = pixels.T @ pixels + 0.1 * torch.eye(SIDE**2)
        return Regression(torch.cat([torch.linalg.solve(gram, pixels.T @ targets), torch.ones(SIDE**2, 1)], dim=1))

    def load(self, backbone: Backbone, folder: Path) -> Encoder:
        """Read what `save` wrote."""
        return Regression(safetensors.torch.load_file(folder / "weights.safetensors")["weights"])


class ReadsPaths(Supervised):
    """Takes the name of a video's folder for its class."""

    card: ClassVar[MethodCard] = MethodCard(name="reads-paths", summary="learns the names of folders")

    def guess(self, train: Split) -> Sequence[int]:
        """The rank of each folder's name."""
        folders = [video.path.parent.name for video in train.videos]
        return [sorted(set(folders)).index(folder) for folder in folders]


class ReadsOrder(Supervised):
    """Takes a video's place in a list that is sorted by class for its class."""

    card: ClassVar[MethodCard] = MethodCard(name="reads-order", summary="learns the order of the list")

    def guess(self, train: Split) -> Sequence[int]:
        """The quarter of the list that a video is in."""
        return [position * CLASSES // len(train) for position in range(len(train))]


class CountingEncoder(Regression):
    """Encoder that counts clips, to know where in the list it is."""

    def __init__(self) -> None:
        super().__init__(torch.ones(SIDE**2, CLASSES + 1))
        self.clips = 0

    def encode(self, batch: VideoBatch) -> Tensor:
        """Encode clips by their number."""
        numbers = torch.arange(self.clips, self.clips + len(batch))
        self.clips += len(batch)
        return super().encode(batch) + numbers[:, None].to(batch.clips.device)


class CountsCalls(Supervised):
    """Gives an encoder that counts the clips it is shown."""

    card: ClassVar[MethodCard] = MethodCard(name="counts-calls", summary="counts clips while encoding")

    def fit(self, backbone: Backbone, train: Split, session: Session) -> Encoder:
        """Learn nothing."""
        return CountingEncoder()

    def load(self, backbone: Backbone, folder: Path) -> Encoder:
        """A new count."""
        return CountingEncoder()


class WholeEncoder:
    """Encoder of whole videos by their mean colour."""

    promise: ClassVar[Promise] = Promise(views=(WholeVideo(),), shape=(3,))

    def encode(self, batch: VideoBatch) -> Tensor:
        """Encode videos as (B, 3) float32."""
        return batch.clips.float().mean((2, 3, 4)) / 255

    def save(self, folder: Path) -> None:
        """Write nothing; there is nothing to store."""

    def colours(self, split: Split) -> Tensor:
        """Mean colours of all videos, (N, 3)."""
        view = self.promise.view
        return torch.cat([self.encode(VideoBatch(video_clips(split, n, view))) for n in range(len(split))])

    def encode_videos(self, split: Split, done: Container[int]) -> Iterator[tuple[int, Tensor]]:
        """Encode the videos that are not `done`."""
        for position, colour in enumerate(self.colours(split)):
            if position not in done:
                yield position, colour


class LabelEncoder(WholeEncoder):
    """Encoder that returns the label of a video, where there is one."""

    def encode_videos(self, split: Split, done: Container[int]) -> Iterator[tuple[int, Tensor]]:
        """Encode the videos that are not `done` by their labels."""
        for position, colour in super().encode_videos(split, done):
            yield position, colour + split.videos[position].labels.get("action", 0)


class CentredEncoder(WholeEncoder):
    """Encoder that measures a video by the other videos of its split."""

    def encode_videos(self, split: Split, done: Container[int]) -> Iterator[tuple[int, Tensor]]:
        """Encode the videos that are not `done`, minus the mean of all."""
        mean = self.colours(split).mean(0)
        for position, colour in super().encode_videos(split, done):
            yield position, colour - mean


class LearnsNothing:
    """Base of methods that give an encoder of whole videos."""

    encoder: ClassVar[type[WholeEncoder]] = WholeEncoder

    def promise(self, backbone: Backbone) -> Promise:
        """Vectors of whole videos."""
        return self.encoder.promise

    def fit(self, backbone: Backbone, train: Split, session: Session) -> Encoder:
        """Learn nothing."""
        return self.encoder()

    def load(self, backbone: Backbone, folder: Path) -> Encoder:
        """The same again."""
        return self.encoder()


class ReadsLabels(LearnsNothing):
    """Gives an encoder that reads the labels of the split it encodes."""

    card: ClassVar[MethodCard] = MethodCard(name="reads-labels", summary="returns the labels of test videos")
    encoder: ClassVar[type[WholeEncoder]] = LabelEncoder


class LooksAtOthers(LearnsNothing):
    """Gives an encoder that uses all test videos for the vector of each."""

    card: ClassVar[MethodCard] = MethodCard(name="looks-at-others", summary="centres on the test videos")
    encoder: ClassVar[type[WholeEncoder]] = CentredEncoder
