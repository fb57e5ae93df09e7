"""An image network on every frame of a clip."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class PerFrame(nn.Module):
    """Average an image network's vectors over a clip's frames.

    Batch normalisation sees each frame as a sample of its own. The feature map and every layer are submodules under
    their own names, so that `feature_map` and `fc6` can be asked for.

    Args:
        feature_map: normalised float images (N, C, H, W) -> (N, c, h, w).
        layers: by name, one after the other; the first takes the feature map, the last gives (N, dim).
    """

    def __init__(self, feature_map: nn.Module, layers: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.feature_map: nn.Module = feature_map.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._names = tuple(layers)
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, clips: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, dim)."""
        frames = clips.transpose(1, 2).flatten(0, 1)  # (B * T, C, H, W)
        values: Tensor = self.feature_map(frames.contiguous(memory_format=torch.channels_last))
        for name in self._names:
            values = self.get_submodule(name)(values)
        return values.view(clips.shape[0], clips.shape[2], -1).mean(1)
