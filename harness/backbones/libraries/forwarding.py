"""Fit the forward pass of a library's network to clips.

Only the method `forward` of the object is replaced: layers and weights keep the names that they have in the library,
for `layer` of evaluators and for files of weights.
"""

from __future__ import annotations

from collections.abc import Callable
from types import MethodType
from typing import Literal

import torch
from torch import Tensor, nn


def replace_forward(network: nn.Module, forward: Callable[[nn.Module, Tensor], Tensor]) -> nn.Module:
    """Replace the forward pass by a function of the network and clips."""
    network.forward = MethodType(forward, network)
    return network


OverTime = Literal["mean", "sequence"]
"""Outputs of an image network for a clip: the mean over frames, or all of them."""


def on_frames(network: nn.Module, over_time: OverTime) -> nn.Module:
    """Apply an image network to frames: (B, C, T, H, W) -> (B, dim), (B, T, dim)."""
    return replace_forward(network, averaged_frames if over_time == "mean" else frame_vectors)


def two_pathways(network: nn.Module, clips: Tensor, alpha: int) -> Tensor:
    """Give a network every `alpha`th frame as slow pathway, and all as fast one."""
    frames = clips.shape[2]
    slow = torch.linspace(0, frames - 1, frames // alpha, device=clips.device).long()
    vectors: Tensor = type(network).forward(network, [clips[:, :, slow], clips])
    return vectors


def averaged_frames(network: nn.Module, clips: Tensor) -> Tensor:
    """Average an image network's vectors over the frames: (B, C, T, H, W) -> (B, dim)."""
    return frame_vectors(network, clips).mean(1)


def frame_vectors(network: nn.Module, clips: Tensor) -> Tensor:
    """Vectors of an image network for each frame: (B, C, T, H, W) -> (B, T, dim)."""
    frames = clips.transpose(1, 2).flatten(0, 1).contiguous(memory_format=torch.channels_last)
    vectors: Tensor = type(network).forward(network, frames)
    return vectors.view(clips.shape[0], clips.shape[2], -1)
