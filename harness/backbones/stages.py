"""Freeze the first stages of a network."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from harness.errors import UsageError


class Frozen(nn.Module):
    """A network with frozen first stages.

    They have no gradient and no weight decay, and their BN statistics do not move.

    Args:
        network: what is trained, normalised float clips (B, C, T, H, W) -> (B, dim).
        count: how many of its `stages` are frozen; `all` freezes the whole network, whatever is in no stage too.

    Raises:
        UsageError: when it has fewer.
    """

    def __init__(self, network: nn.Module, count: int | Literal["all"]) -> None:
        super().__init__()
        self.network = network
        self._parts = (network,) if count == "all" else _first(network, count)
        for part in self._parts:
            part.requires_grad_(False)

    def forward(self, clips: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, dim)."""
        vectors: Tensor = self.network(clips)
        return vectors

    def train(self, mode: bool = True) -> Frozen:
        """Set the mode of everything that is not frozen."""
        super().train(mode)
        for part in self._parts:
            part.eval()
        return self


def _first(network: nn.Module, count: int) -> tuple[nn.Module, ...]:
    parts = stages(network)
    if count > len(parts):
        known = ", ".join("+".join(stage) for stage in parts) or "none"
        msg = f"{count} stages are to be frozen, but the network has {len(parts)}: {known}"
        raise UsageError(msg)
    return tuple(network.get_submodule(name) for stage in parts[:count] for name in stage)


def stages(network: nn.Module) -> list[list[str]]:
    """Names of the modules that make up each stage of a network, in their order.

    A stage is a child with weights (parameters of two or more dimensions) and the normalisations, activations and
    pools that follow it. Where only one child has weights and is itself made of stages, they are the network's.

    >>> network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Flatten())
    >>> stages(network)
    [['0', '1', '2'], ['3', '4']]
    >>> stages(nn.Sequential(network, nn.Dropout()))
    [['0.0', '0.1', '0.2'], ['0.3', '0.4', '1']]
    """
    children = dict(network.named_children())
    weighty = [name for name, child in children.items() if any(weight.ndim > 1 for weight in child.parameters())]
    groups: list[list[str]] = []
    waiting: list[str] = []  # what comes before the first stage belongs to it
    for name, child in children.items():
        if name in weighty:
            inner = stages(child) if len(weighty) == 1 else []
            groups += [[f"{name}.{part}" for part in stage] for stage in inner] or [[name]]
            groups[0] = waiting + groups[0]
            waiting = []
        elif groups:
            groups[-1].append(name)
        else:
            waiting.append(name)
    return groups
