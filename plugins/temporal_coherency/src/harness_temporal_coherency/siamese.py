"""Frames of several roles through one network."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn.functional import normalize


class Siamese(nn.Module):
    """Embeds frames of several roles with one network and gives their vectors, of length 1, to a loss.

    Args:
        network: normalised float clips (N, C, T, H, W) -> (N, dim).
        roles: how many equal parts the batch has, one after the other.
        loss: takes a (B, dim) tensor for each role, then the targets where there are any.
    """

    def __init__(self, network: nn.Module, roles: int, loss: Callable[..., Tensor]) -> None:
        super().__init__()
        self.network = network
        self.roles = roles
        self.loss = loss

    def forward(self, clips: Tensor, targets: Tensor | None = None) -> Tensor:
        """(roles * B, C, 1, H, W) -> the loss."""
        vectors = normalize(self.network(clips), dim=1).chunk(self.roles)
        return self.loss(*vectors) if targets is None else self.loss(*vectors, targets)


def by_role(values: Tensor) -> Tensor:
    """(B, roles) -> (roles * B, 1): all frames of the first role, then all of the second, ..., as clips of one frame.

    >>> import torch
    >>> by_role(Tensor([[1, 2], [3, 4]]).long()).flatten().tolist()
    [1, 3, 2, 4]
    """
    return values.T.reshape(-1, 1)
