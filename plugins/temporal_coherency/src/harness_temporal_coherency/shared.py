"""One network for all frames of an example, and how they are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn.functional import normalize

from harness.video.loader import read_clips
from harness.video.transforms import colour_jitter

if TYPE_CHECKING:
    import torch

    from harness.cards import View
    from harness.interfaces import Split


class SharedNetwork(nn.Module):
    """Embeds frames of several roles with one network and gives their vectors to a loss.

    Args:
        network: normalised float clips (N, C, T, H, W) -> (N, dim).
        roles: how many equal parts the batch has, one after the other.
        loss: takes a (B, dim) tensor for each role, then the targets where there are any.
        unit: scale the vectors to length 1 first.
    """

    def __init__(self, network: nn.Module, roles: int, loss: Callable[..., Tensor], *, unit: bool = True) -> None:
        super().__init__()
        self.network = network
        self.roles = roles
        self.loss = loss
        self.unit = unit

    def forward(self, clips: Tensor, targets: Tensor | None = None) -> Tensor:
        """(roles * B, C, 1, H, W) -> the loss."""
        vectors = self.network(clips)
        parts = (normalize(vectors, dim=1) if self.unit else vectors).chunk(self.roles)
        return self.loss(*parts) if targets is None else self.loss(*parts, targets)


def read_roles(
    train: Split, view: View, videos: Tensor, frames: Tensor, colour: float, generator: torch.Generator
) -> Tensor:
    """Single frames as clips (roles * B, C, 1, H, W) uint8: all of the first role, then all of the second, ...

    Args:
        train: where the videos are.
        view: how large the frames are.
        videos: (B, roles) positions in `train`.
        frames: (B, roles) numbers of frames.
        colour: strength of the jitter of each frame's colours; 0 leaves them.
        generator: of the jitter.

    Raises:
        DataError: when a video does not decode.
    """
    clips = read_clips(train, videos.T.flatten(), frames.T.reshape(-1, 1), size=view.size, generator=None)
    return colour_jitter(clips, colour, generator) if colour else clips
