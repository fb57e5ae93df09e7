"""An image network on every frame of a clip."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PerFrame(nn.Module):
    """Average an image network's vectors over a clip's frames.

    Batch normalisation sees each frame as a sample of its own.

    Args:
        feature_map: normalised float images (N, C, H, W) -> (N, c, h, w).
        pool: feature maps (N, c, h, w) -> (N, dim).
    """

    def __init__(self, feature_map: nn.Module, pool: nn.Module) -> None:
        super().__init__()
        self.feature_map: nn.Module = feature_map.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.pool = pool

    def forward(self, clips: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, dim)."""
        frames = clips.transpose(1, 2).flatten(0, 1)  # (B * T, C, H, W)
        vectors: Tensor = self.pool(self.feature_map(frames.contiguous(memory_format=torch.channels_last)))
        return vectors.view(clips.shape[0], clips.shape[2], -1).mean(1)
