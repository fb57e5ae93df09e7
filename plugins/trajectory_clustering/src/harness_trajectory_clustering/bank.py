"""Memory bank of one unit vector a video."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize


class MemoryBank(nn.Module):
    """A unit vector for each video, moved towards the newest embedding.

    It has no gradient. Random entries are uniform in a cube, scaled to length 1, as in the ports of local aggregation.

    Args:
        count: N, videos.
        dim: D.
        momentum: share of the old entry in the new one.

    Source: Wu, Xiong, Yu and Lin, CVPR 2018; Tokmakov, Hebert and Schmid 2020, section 3.1.

    >>> bank = MemoryBank(3, 2)
    >>> bank.fill(torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]]))
    >>> bank.update(torch.tensor([0]), torch.tensor([[0.0, 1.0]]))
    >>> bank.vectors
    tensor([[0.7071, 0.7071],
            [0.0000, 1.0000],
            [0.6000, 0.8000]])
    """

    vectors: Tensor
    """(N, D) float32, each of length 1."""

    def __init__(self, count: int, dim: int, momentum: float = 0.5) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("vectors", normalize(torch.rand(count, dim) * 2 - 1, dim=1))

    @torch.no_grad()
    def fill(self, vectors: Tensor) -> None:
        """Replace all entries by vectors (N, D), scaled to length 1."""
        self.vectors.copy_(normalize(vectors, dim=1))

    @torch.no_grad()
    def update(self, videos: Tensor, vectors: Tensor) -> None:
        """Move the entries of `videos` (B,) towards unit vectors (B, D).

        A video that comes several times gets their mean, whatever their order.
        """
        entries, owner = torch.unique(videos, return_inverse=True)
        sums = vectors.new_zeros(len(entries), vectors.shape[1]).index_add_(0, owner, vectors)
        means = sums / owner.bincount(minlength=len(entries))[:, None]
        mixed = self.momentum * self.vectors[entries] + (1 - self.momentum) * means
        self.vectors[entries] = normalize(mixed, dim=1)
