"""Networks cut behind a layer, applied to every frame of a clip."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from harness.backbones.libraries.anatomy import remove
from harness.encoders.layers import output_of
from harness.errors import UsageError

TOGETHER = 256
"""Frames computed at a time."""


class Trunk(nn.Module):
    """A network up to one of its layers, on each frame of a clip alone.

    Parameters behind the layer are removed from the network, so that all that are left have a gradient.

    Args:
        network: normalised float clips (B, 3, T, H, W) -> anything, by way of the layer; changed in place.
        layer: name of a submodule that gives a map of a clip of one frame, (B, c, h, w) or (B, c, 1, h, w).
        size: pixels of a frame.

    Raises:
        UsageError: when the layer gives no map of a frame.
    """

    def __init__(self, network: nn.Module, layer: str, size: int) -> None:
        super().__init__()
        self.network = network
        self.layer = layer
        self.shape = _cut(network, layer, size)
        """Shape of a frame's map: channels, height, width."""

    def extra_repr(self) -> str:
        """Layer and shape, which tell trunks of equal weights apart."""
        return f"layer={self.layer!r}, shape={self.shape}"

    def forward(self, clips: Tensor) -> Tensor:
        """(B, 3, T, H, W) -> (B, c, T, h, w)."""
        maps = on_single_frames(lambda frames: output_of(self.network, self.layer, frames), clips)
        return maps.reshape(clips.shape[0], clips.shape[2], *self.shape).transpose(1, 2)


def on_single_frames(function: Callable[[Tensor], Tensor], clips: Tensor) -> Tensor:
    """Apply a function to each frame as a clip: (B, 3, T, H, W) -> (B * T, ...).

    Where no gradient is wanted it gets some frames at a time: first maps of VGG-19 take 13 MB a frame.

    Args:
        function: (N, 3, 1, H, W) -> (N, ...).
        clips: of T frames.
    """
    frames = clips.transpose(1, 2).flatten(0, 1)[:, :, None]
    if torch.is_grad_enabled():
        return function(frames)
    return torch.cat([function(some) for some in torch.split(frames, TOGETHER)])


def _cut(network: nn.Module, layer: str, size: int) -> tuple[int, int, int]:
    """Remove the parameters behind a layer; shape of its output for a frame."""
    probe = copy.deepcopy(network).to("meta").eval().requires_grad_(True)
    output = output_of(probe, layer, torch.zeros(2, 3, 1, size, size, device="meta"))
    shape = output.shape[1:]
    if output.ndim not in (4, 5) or (output.ndim == 5 and shape[1] != 1):
        msg = f"expected a map (channels, height, width) of a frame from layer {layer!r}, got {tuple(shape)}"
        raise UsageError(msg)
    output.sum().backward()  # type: ignore[no-untyped-call]
    remove(network, [name for name, parameter in probe.named_parameters() if parameter.grad is None])
    return shape[0], shape[-2], shape[-1]
