"""Losses of embedded frames, and the network that embeds them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, normalize, relu

Distance = Literal["euclidean", "cosine"]


class SharedNetwork(nn.Module):
    """Loss of the vectors that one network gives the frames of several roles.

    Args:
        network: normalised float clips (N, C, T, H, W) -> (N, dim).
        roles: number of equal parts of the batch, one after the other.
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


def euclidean(first: Tensor, second: Tensor) -> Tensor:
    """Euclidean distance of rows, (N, D) and (N, D) -> (N,).

    Its gradient is 0 where the rows are equal.

    >>> euclidean(torch.tensor([[0.0, 3.0], [1.0, 1.0]]), torch.tensor([[4.0, 0.0], [1.0, 1.0]])).tolist()
    [5.0, 0.0]
    """
    squared = (first - second).square().sum(1)
    apart = squared > 0
    return torch.where(apart, torch.where(apart, squared, 1.0).sqrt(), 0.0)


def contrastive(first: Tensor, second: Tensor, together: Tensor, margin: float = 1.0) -> Tensor:
    """Contrastive loss: contiguous pairs near, others at least `margin` apart.

    Half the mean over pairs of y d^2 + (1 - y) max(0, margin - d)^2, with the distance d and y = 1 where together.

    Args:
        first: (N, D).
        second: (N, D).
        together: (N,) bool.
        margin: delta of the paper.

    Source: Hadsell, Chopra and LeCun 2006, eq. 4; with Caffe's factor 1 / 2N, as the paper's release has it.

    >>> same = torch.tensor([[1.0, 0.0]])
    >>> contrastive(same, torch.tensor([[1.0, 0.5]]), torch.tensor([False])).item()
    0.125
    """
    apart = euclidean(first, second)
    return torch.where(together, apart.square(), relu(margin - apart).square()).mean() / 2


def siamese(first: Tensor, second: Tensor, together: Tensor, margin: float = 1.0, *, released: bool = False) -> Tensor:
    """Loss Ls: contiguous frames near, frames of two videos at least `margin` apart.

    The mean over pairs of d where they are contiguous, and max(0, margin - d) where not. With `released`, the
    `contrastive` loss of the authors' code: both terms squared, and halved.

    Args:
        first: (N, D).
        second: (N, D).
        together: (N,) bool.
        margin: delta of the paper.
        released: the form of the authors' code.

    Source: Redondo-Cabrera and Lopez-Sastre 2019, eq. 2.

    >>> here, there = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.25, 0.0]])
    >>> siamese(here, there, torch.tensor([True])).item(), siamese(here, there, torch.tensor([False])).item()
    (0.25, 0.75)
    """
    if released:
        return contrastive(first, second, together, margin)
    apart = euclidean(first, second)
    return torch.where(together, apart, relu(margin - apart)).mean()


def triplet(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 0.5, *, distance: Distance = "cosine"
) -> Tensor:
    """Loss Ld: a frame nearer to another of its video than to another video's.

    The mean over triplets of max(0, D(anchor, positive) - D(anchor, negative) + margin). The distance D of a and b is
    1 - a . b / (|a| |b|) for `cosine`, |a - b| for `euclidean`; of vectors of length 1 the former is half the square
    of the latter, so that one margin does not mean the same in both.

    Args:
        anchor: (N, D).
        positive: (N, D).
        negative: (N, D).
        margin: M of the source.
        distance: `cosine` as Wang and Gupta have it, `euclidean` as Redondo-Cabrera and Lopez-Sastre do.

    Source: Wang and Gupta, "Unsupervised learning of visual representations using videos", ICCV 2015, eq. 2, which
    Redondo-Cabrera and Lopez-Sastre 2019 compare with in their table 6 as a "ranking Euclidean loss".

    >>> a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    >>> triplet(a, a, b).item(), triplet(a, b, a).item()
    (0.0, 1.5)
    >>> triplet(a, b, a, distance="euclidean").item()  # the root of 5, and the margin
    2.7360680103302
    """
    if distance == "euclidean":
        near, far = euclidean(anchor, positive), euclidean(anchor, negative)
    else:
        near, far = (1 - cosine_similarity(anchor, other, dim=1) for other in (positive, negative))
    return relu(near - far + margin).mean()


def quadruplet(
    anchor: Tensor, following: Tensor, later: Tensor, other: Tensor, margin: float = 0.5, *, released: bool = False
) -> Tensor:
    """Loss Lq: contiguous frames near, a frame nearer to its video than to another.

    The mean over tuples of d(anchor, following) + max(0, d(anchor, later) - d(anchor, other) + margin).
    With `released`, the form of the authors' code: squared distances summed over the batch, one hinge for all of
    them, divided by N.

    Args:
        anchor: (N, D) frame t.
        following: (N, D) frame t + w.
        later: (N, D) frame t + n.
        other: (N, D) a frame of another video.
        margin: alpha of the paper.
        released: the form of the authors' code.

    Source: Redondo-Cabrera and Lopez-Sastre 2019, eq. 3.

    >>> a = torch.zeros(1, 2)
    >>> quadruplet(a, a, a, torch.tensor([[0.25, 0.0]])).item()
    0.25
    """
    if released:
        near, positive, negative = ((anchor - x).square().sum() for x in (following, later, other))
        return (near + relu(positive - negative + margin)) / len(anchor)
    positive, negative = euclidean(anchor, later), euclidean(anchor, other)
    return (euclidean(anchor, following) + relu(positive - negative + margin)).mean()
