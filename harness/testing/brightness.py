"""A gradient method for tests of training, which remembers what it drew."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor, nn

from harness.cards import MethodCard
from harness.encoders.network import NetworkEncoder
from harness.testing.fixtures import MovingSquares, TinyBackbone
from harness.training.gradient_method import GradientMethod
from harness.training.session import TrainingSession
from harness.values import Batch, Budget, ComputePrecision

if TYPE_CHECKING:
    from harness.cards import View
    from harness.interfaces import Backbone, Encoder, Split


@dataclass(kw_only=True)
class PredictBrightness(GradientMethod):
    """Predicts the mean brightness of a clip of 4 frames."""

    card: ClassVar[MethodCard] = MethodCard(name="brightness", summary="predicts the mean brightness, for tests")
    batch_size: int = 8
    lr: float = 0.01
    announced: int = 4
    """Frames that an example is said to show."""
    drawn: list[list[int]] = field(default_factory=list)
    """Videos of each batch."""
    epochs: list[int] = field(default_factory=list)

    def frames_per_example(self, view: View) -> int:
        """Frames of an example, as announced."""
        return self.announced

    def draw(self, train: Split, view: View, size: int, generator: torch.Generator) -> Batch:
        """Draw clips of random videos and their brightness."""
        videos = torch.randint(len(train), (size,), generator=generator).tolist()
        clips = torch.stack([train.read(video, [0, 5, 10, 15], short_side=32) for video in videos])
        clips = clips.permute(0, 4, 1, 2, 3)[..., :32]
        self.drawn.append(videos)
        return Batch(clips, clips.float().mean((1, 2, 3, 4)) / 255)

    def build_loss(self, network: nn.Module, dim: int, train: Split) -> nn.Module:
        """Build a regression on the network's vector."""
        return _Regression(network, dim)

    def start_epoch(self, loss: nn.Module, train: Split, epoch: int) -> None:
        """Remember the epoch."""
        self.epochs.append(epoch)


class _Regression(nn.Module):
    def __init__(self, network: nn.Module, dim: int) -> None:
        super().__init__()
        self.network = network
        self.head = nn.Linear(dim, 1)

    def forward(self, clips: Tensor, targets: Tensor) -> Tensor:
        values: Tensor = self.head(self.network(clips)).squeeze(1)
        return (values - targets).square().mean()


def fit_brightness(
    method: PredictBrightness,
    folder: Path | None = None,
    *,
    frames: int = 1600,
    seed: int = 0,
    identity: str = "",
    backbone: Backbone | None = None,
    precision: ComputePrecision = "fp32",
) -> Tensor:
    """Fit on `MovingSquares`; give the network's weights and buffers as one vector."""
    session = TrainingSession(
        Budget(frames=frames, seed=seed), name="brightness", identity=identity, folder=folder, precision=precision
    )
    train = MovingSquares().split("train").unlabelled()
    encoder = method.fit(TinyBackbone() if backbone is None else backbone, train, session)
    return all_weights(encoder)


def all_weights(encoder: Encoder) -> Tensor:
    """Weights and buffers of a network encoder, as one vector of float64."""
    assert isinstance(encoder, NetworkEncoder)
    return torch.cat([tensor.flatten().double() for tensor in encoder.module.state_dict().values()])
