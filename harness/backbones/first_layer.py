"""First layer of a network, for inputs with other channels."""

from __future__ import annotations

import math

import torch
from torch import nn

from harness.errors import UsageError


@torch.no_grad()
def with_input_channels(network: nn.Module, channels: int) -> nn.Module:
    """Redraw a network's first convolution for inputs of `channels` channels.

    Weights are normal, of the old ones' standard deviation times the square root of old over new fan-in, so that sums
    over inputs of unit variance vary as before; biases are 0. They are drawn from torch's global random numbers.

    Args:
        network: changed in place, and returned.
        channels: for example 24, of twelve fields of optical flow.

    >>> network = with_input_channels(nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.ReLU()), 24)
    >>> tuple(network(torch.zeros(1, 24, 9, 9)).shape)
    (1, 8, 4, 4)

    Raises:
        UsageError: when the network has no convolution, or its first one has groups that do not divide `channels`.
    """
    first = next((module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Conv3d)), None)
    if first is None:
        msg = f"expected a network with a convolution, for inputs of {channels} channels, got {type(network).__name__}"
        raise UsageError(msg)
    if channels < 1 or channels % first.groups:
        msg = f"expected a multiple of the {first.groups} groups of the first convolution as channels, got {channels}"
        raise UsageError(msg)
    old = first.weight
    weight = old.new_empty(old.shape[0], channels // first.groups, *old.shape[2:])
    weight.normal_(std=float(old.std()) * math.sqrt(old.shape[1] / weight.shape[1]))
    first.weight, first.in_channels = nn.Parameter(weight), channels
    if first.bias is not None:
        first.bias.zero_()
    return network
