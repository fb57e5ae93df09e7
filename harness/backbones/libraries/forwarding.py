"""Fit the forward pass of a library's network to clips.

Only the method `forward` of the object is replaced: layers and weights keep the names that they have in the library,
for `layer` of evaluators and for files of weights.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MethodType
from typing import Any, Literal

import torch
from torch import Tensor, nn


def replace_forward(network: nn.Module, forward: Callable[[nn.Module, Tensor], Tensor]) -> nn.Module:
    """Replace the forward pass by a function of the network and clips."""

    def forward_clips(self: nn.Module, clips: Tensor) -> Tensor:  # torch.export traces functions only
        return forward(self, clips)

    network.forward = MethodType(forward_clips, network)
    return network


OverTime = Literal["mean", "sequence"]
"""Outputs of an image network for a clip: the mean over frames, or all of them."""


def own_forward(network: nn.Module, inputs: Any) -> Tensor:
    """Output of the forward pass of the network's class."""
    output: Tensor = type(network).forward(network, inputs)
    return output


def on_frames(
    network: nn.Module, over_time: OverTime, forward: Callable[[nn.Module, Tensor], Tensor] = own_forward
) -> nn.Module:
    """Apply an image network to frames: (B, C, T, H, W) -> (B, dim), (B, T, dim).

    Args:
        network: of images.
        over_time: mean or sequence.
        forward: of the network and images (N, C, H, W) -> (N, dim).
    """
    return replace_forward(network, partial(_frame_vectors, forward=forward, over_time=over_time))


def frames_in_python(over_time: OverTime) -> str:
    """Python that does to an image `network` and `clips` what `on_frames` does."""
    sequence = "network(clips.transpose(1, 2).flatten(0, 1)).unflatten(0, (len(clips), -1))"
    return f"{sequence}.mean(1)" if over_time == "mean" else sequence


def on_pathways(network: nn.Module, alpha: int) -> nn.Module:
    """Give a network every `alpha`th frame as slow pathway, and all as fast one."""
    return replace_forward(network, partial(_two_pathways, alpha=alpha))


def _frame_vectors(
    network: nn.Module, clips: Tensor, *, forward: Callable[[nn.Module, Tensor], Tensor], over_time: OverTime
) -> Tensor:
    frames = clips.transpose(1, 2).flatten(0, 1).contiguous(memory_format=torch.channels_last)
    vectors = forward(network, frames).view(clips.shape[0], clips.shape[2], -1)
    return vectors.mean(1) if over_time == "mean" else vectors


def _two_pathways(network: nn.Module, clips: Tensor, *, alpha: int) -> Tensor:
    frames = clips.shape[2]
    slow = torch.linspace(0, frames - 1, frames // alpha, device=clips.device).long()
    return own_forward(network, [clips[:, :, slow], clips])
