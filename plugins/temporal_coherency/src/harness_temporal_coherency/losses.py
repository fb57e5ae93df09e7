"""The losses, as functions of embedded frames."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, relu


def distance(first: Tensor, second: Tensor) -> Tensor:
    """Euclidean distance of rows, (N, D) and (N, D) -> (N,); its gradient is 0 where the rows are equal.

    >>> distance(torch.tensor([[0.0, 3.0], [1.0, 1.0]]), torch.tensor([[4.0, 0.0], [1.0, 1.0]])).tolist()
    [5.0, 0.0]
    """
    squared = (first - second).square().sum(1)
    apart = squared > 0
    return torch.where(apart, torch.where(apart, squared, 1.0).sqrt(), 0.0)


def contrastive(first: Tensor, second: Tensor, together: Tensor, margin: float = 1.0) -> Tensor:
    """Pairs that belong together near, the others at least `margin` apart; half the mean over pairs.

    Where y says that a pair belongs together and d is its distance: y d^2 + (1 - y) max(0, margin - d)^2.

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
    apart = distance(first, second)
    return torch.where(together, apart.square(), relu(margin - apart).square()).mean() / 2


def siamese(first: Tensor, second: Tensor, together: Tensor, margin: float = 1.0, *, released: bool = False) -> Tensor:
    """Ls: contiguous frames near, frames of two videos at least `margin` apart.

    The mean over pairs of d where they are contiguous, and max(0, margin - d) where not. With `released`, the
    `contrastive` loss of the authors' code: both terms squared, and halved.

    Args:
        first: (N, D).
        second: (N, D).
        together: (N,) bool.
        margin: delta of the paper.
        released: which form.

    Source: Redondo-Cabrera and Lopez-Sastre 2019, eq. 2.

    >>> here, there = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.25, 0.0]])
    >>> siamese(here, there, torch.tensor([True])).item(), siamese(here, there, torch.tensor([False])).item()
    (0.25, 0.75)
    """
    if released:
        return contrastive(first, second, together, margin)
    apart = distance(first, second)
    return torch.where(together, apart, relu(margin - apart)).mean()


def triplet(anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 0.5) -> Tensor:
    """Ld: a frame nearer to another of its video than to another video's, by a margin, in cosine distance.

    The mean over triplets of max(0, D(anchor, positive) - D(anchor, negative) + margin), D = 1 - cos.

    Args:
        anchor: (N, D).
        positive: (N, D).
        negative: (N, D).
        margin: M of the source.

    Source: Wang and Gupta, "Unsupervised learning of visual representations using videos", ICCV 2015, eq. 2, which
    Redondo-Cabrera and Lopez-Sastre 2019 compare with in their table 6.

    >>> a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    >>> triplet(a, a, b).item(), triplet(a, b, a).item()
    (0.0, 1.5)
    """
    near, far = (cosine_similarity(anchor, other, dim=1) for other in (positive, negative))
    return relu(far - near + margin).mean()


def quadruplet(
    anchor: Tensor, following: Tensor, later: Tensor, other: Tensor, margin: float = 0.5, *, released: bool = False
) -> Tensor:
    """Lq: contiguous frames near; a frame nearer to a later one of its video than to another video's, by a margin.

    The mean over tuples of d(anchor, following) + max(0, d(anchor, later) - d(anchor, other) + margin).
    With `released`, the form of the authors' code: squared distances summed over the batch, one hinge for all of
    them, divided by N.

    Args:
        anchor: (N, D) frame t.
        following: (N, D) frame t + w.
        later: (N, D) frame t + n.
        other: (N, D) a frame of another video.
        margin: alpha of the paper.
        released: which form.

    Source: Redondo-Cabrera and Lopez-Sastre 2019, eq. 3.

    >>> a = torch.zeros(1, 2)
    >>> quadruplet(a, a, a, torch.tensor([[0.25, 0.0]])).item()
    0.25
    """
    if released:
        near, positive, negative = ((anchor - x).square().sum() for x in (following, later, other))
        return (near + relu(positive - negative + margin)) / len(anchor)
    positive, negative = distance(anchor, later), distance(anchor, other)
    return (distance(anchor, following) + relu(positive - negative + margin)).mean()
