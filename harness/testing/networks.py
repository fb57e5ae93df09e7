"""A tiny backbone, and encoders that know the classes of `MovingSquares`, something, or nothing."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from harness.cards import BackboneCard, View
from harness.encoders import NetworkEncoder
from harness.interfaces import VideoBatch
from harness.seeding import seeded


class TinyBackbone:
    """Two 3D convolutions; batch normalisation and dropout are there so that training mode shows."""

    card: ClassVar[BackboneCard] = BackboneCard(
        name="tiny",
        summary="two 3D convolutions for tests",
        dim=16,
        view=View(frames=8, stride=2, size=32),
        mean=(0.3, 0.35, 0.4),
        std=(0.25, 0.2, 0.3),
    )

    def build(self, *, seed: int) -> nn.Module:
        """A new network, normalised float clips (B, 3, T, H, W) -> (B, 16); equal seeds give equal weights."""
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


class DirectionBackbone:
    """Its network needs no training: it sees in which of the four directions a bright thing moves."""

    card: ClassVar[BackboneCard] = BackboneCard(
        name="direction", summary="the direction in which a bright thing moves", dim=4, view=TinyBackbone.card.view
    )

    def build(self, *, seed: int) -> nn.Module:
        """A network, normalised float clips (B, 3, T, H, W) -> (B, 4); the same for every seed."""
        return _Direction()


class _Direction(nn.Module):
    """How far bright pixels move left, right, up and down between the first and last frame, in tenths of a side."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(10.0))

    def forward(self, clips: Tensor) -> Tensor:
        bright = (clips.amin(1) - 1.2).clamp(min=0)  # (B, T, H, W): of normalised values, white is near 1.8
        rows = torch.linspace(0, 1, bright.shape[2], device=clips.device)
        columns = torch.linspace(0, 1, bright.shape[3], device=clips.device)
        mass = bright.sum((2, 3)).clamp(min=1e-3)  # (B, T)
        x = (bright.sum(2) @ columns) / mass
        y = (bright.sum(3) @ rows) / mass
        right, down = x[:, -1] - x[:, 0], y[:, -1] - y[:, 0]
        return self.gain * torch.stack([-right, right, -down, down], dim=1).clamp(min=0)


def informed_encoder() -> NetworkEncoder:
    """An encoder whose vectors say the class of a `MovingSquares` video, in its direction's own dimension of 4."""
    backbone = DirectionBackbone()
    return NetworkEncoder(backbone.build(seed=0), backbone.card)


class UntrainedEncoder(NetworkEncoder):
    """A `TinyBackbone` that has learnt nothing, with everything that evaluators may need."""

    def __init__(self) -> None:
        super().__init__(TinyBackbone().build(seed=0), TinyBackbone.card)

    @property
    def feature_map(self) -> nn.Module:
        """Normalised float images (B, 3, H, W) -> (B, 8, H / 2, W / 2)."""
        return _FirstLayer(self.module)


class _FirstLayer(nn.Module):
    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.layer = next(network.children())

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, 8, H / 2, W / 2)."""
        maps: Tensor = self.layer(images[:, :, None])
        return maps[:, :, 0]


class UninformedEncoder:
    """An encoder whose vectors are noise that the pixels seed: equal clips get equal vectors, and that is all."""

    view = TinyBackbone.card.view
    dim = 16

    def encode(self, batch: VideoBatch) -> Tensor:
        """(B, 16) float32, as if drawn from a normal distribution."""
        sums = batch.clips.long().flatten(1).cumsum(1).sum(1)  # where a pixel lies counts too
        vectors = [torch.randn(self.dim, generator=torch.Generator().manual_seed(int(seed))) for seed in sums]
        return torch.stack(vectors).to(batch.clips.device)
