"""Outputs of a network's inner layers."""

from __future__ import annotations

from typing import Any

import torch  # noqa: F401 - for the example
from torch import Tensor, nn

from harness.errors import UsageError, unknown


class _ReachedError(Exception):
    """Ends a forward pass at the layer that is asked for."""


def output_of(network: nn.Module, layer: str, inputs: Any) -> Tensor:
    """Output of the submodule `layer` for `inputs`; layers behind it are not computed.

    Of several outputs it is the first, such as a block's tokens without its attention.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU())
    >>> tuple(output_of(network, "1", torch.zeros(2, 3, 4)).shape)
    (2, 5)

    Raises:
        UsageError: when the network has no such submodule, or the pass does not reach it, or it gives no tensor.
    """
    names = [name for name, _ in network.named_modules() if name]
    if layer not in names:
        raise unknown(f"layer of network {type(network).__name__}:", layer, names)
    reached: list[Tensor] = []

    def keep(module: nn.Module, arguments: Any, output: Any) -> None:
        reached.append(output[0] if isinstance(output, list | tuple) and output else output)
        raise _ReachedError

    handle = network.get_submodule(layer).register_forward_hook(keep)
    try:
        network(inputs)
    except _ReachedError:
        pass
    finally:
        handle.remove()
    if not reached or not isinstance(reached[0], Tensor):
        got = type(reached[0]).__name__ if reached else "nothing"
        msg = f"expected layer {layer!r} of network {type(network).__name__} to give a tensor, got {got}"
        raise UsageError(msg)
    return reached[0]
