"""The upper reference: the same network, trained with labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from harness.errors import DataError, UsageError
from harness.methods.cards import SUPERVISED
from harness.training.gradient_method import GradientMethod
from harness.values import Batch, as_tokens
from harness.video.loader import read_clips
from harness.video.sampling import random_clips
from harness.video.transforms import random_flip

if TYPE_CHECKING:
    from harness.cards import MethodCard, View
    from harness.interfaces import Split


@dataclass(kw_only=True)
class Supervised(GradientMethod):
    """Cross-entropy of a classifier, which the encoder is without.

    One example is a clip of the backbone's view from a random place of a random video, cropped at random and mirrored
    half of the time unless `mirror` says otherwise.

    Raises:
        UsageError: when `hidden` is negative.
        DataError: when the training split has no label of that kind.
    """

    card: ClassVar[MethodCard] = SUPERVISED

    label: str = "action"
    """The kind of label that is learnt."""
    hidden: int = 0
    """Units of a hidden layer with a ReLU before the linear classifier; 0 has none."""
    label_smoothing: float = 0.1
    mirror: bool = True
    """False for classes that a mirror turns into others, such as left and right."""
    batch_size: int = 32
    optimizer: Literal["sgd", "adamw"] = "adamw"
    lr: float = 3e-3
    weight_decay: float = 0.05

    def __post_init__(self) -> None:
        if self.hidden < 0:
            msg = f"method {self.card.name!r}: hidden must be at least 0, got {self.hidden}"
            raise UsageError(msg)

    def frames_per_example(self, view: View) -> int:
        """A clip's."""
        return view.frames

    def draw(self, train: Split, view: View, size: int, generator: torch.Generator) -> Batch:
        """`size` clips of random videos with their classes."""
        videos = torch.randint(len(train), (size,), generator=generator)
        chosen = [train.videos[index] for index in videos.tolist()]
        n_frames = torch.tensor([video.frames for video in chosen])
        frames = random_clips(n_frames, view.frames, view.step, generator)
        clips = read_clips(train, videos, frames, size=view.size, generator=generator)
        if self.mirror:
            clips = random_flip(clips, generator)
        return Batch(clips, torch.tensor([video.labels[self.label] for video in chosen]))

    def build_loss(self, network: nn.Module, dim: int, train: Split) -> Classifier:
        """The network with its classifier."""
        if self.label not in train.classes:
            msg = f"the training split has no label {self.label!r}; it has: {', '.join(train.classes) or 'none'}"
            raise DataError(msg)
        return Classifier(network, dim, len(train.classes[self.label]), self.label_smoothing, self.hidden)


class Classifier(nn.Module):
    """Network with a classifier: normalised clips, classes -> cross-entropy.

    Args:
        network: normalised float clips (B, C, T, H, W) -> (B, dim), or tokens or maps, which are averaged.
        dim: length of its vectors, or of its tokens.
        classes: how many.
        smoothing: share of the target that is spread over all classes.
        hidden: units of a hidden layer with a ReLU before the linear one; 0 has none.
    """

    def __init__(self, network: nn.Module, dim: int, classes: int, smoothing: float, hidden: int = 0) -> None:
        super().__init__()
        self.network = network
        self.classes = classes
        self.head: nn.Module = nn.Linear(dim, classes)
        if hidden:
            self.head = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, classes))
        self.smoothing = smoothing

    def logits(self, clips: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, classes)."""
        logits: Tensor = self.head(as_tokens(self.network(clips)).mean(1))
        return logits

    def forward(self, clips: Tensor, labels: Tensor) -> Tensor:
        """(B, C, T, H, W) and (B,) -> the loss."""
        return cross_entropy(self.logits(clips), labels, label_smoothing=self.smoothing)
