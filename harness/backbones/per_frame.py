"""An image network on every frame of a clip."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PerFrame(nn.Module):
    """Averages an image network's vectors over a clip's frames.

    Batch normalisation in `image` sees each frame as a sample of its own.

    Args:
        image: normalised float images (N, C, H, W) -> (N, dim).
    """

    def __init__(self, image: nn.Module) -> None:
        super().__init__()
        self.image: nn.Module = image.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, clips: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, dim)."""
        frames = clips.transpose(1, 2).flatten(0, 1)  # (B * T, C, H, W)
        vectors: Tensor = self.image(frames.contiguous(memory_format=torch.channels_last))
        return vectors.view(clips.shape[0], clips.shape[2], -1).mean(1)
