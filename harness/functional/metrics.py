"""Metrics of classes and clusters, batched over repeats and bootstrap draws."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.functional.contingency import batched, conditional_entropies, entropies, filled_cells, group_sums


def accuracy(labels: Tensor, predicted: Tensor, weights: Tensor | None = None) -> Tensor:
    """Share of videos whose predicted class is the true one, in [0, 1].

    Args:
        labels: (N,) integers.
        predicted: (..., N) integers.
        weights: (B, N), not negative, or None for every video once.

    Returns:
        (...) float64, or (..., B) with `weights`.

    Raises:
        ValueError: when shapes do not fit, a tensor is not of integers, or a draw of `weights` is negative or empty.

    >>> accuracy(torch.tensor([0, 1, 1, 2]), torch.tensor([0, 1, 2, 2])).item()
    0.75
    >>> accuracy(torch.tensor([0, 1]), torch.tensor([[0, 0], [1, 1]]), torch.tensor([[2, 0], [1, 1], [1, 3]])).tolist()
    [[1.0, 0.5, 0.25], [0.0, 0.5, 0.75]]
    """

    def draws(labels: Tensor, predicted: Tensor, weights: Tensor) -> Tensor:
        return (weights @ (labels == predicted).to(weights)) / weights.sum(1)

    return batched(draws, labels, predicted, weights)


def mean_class_accuracy(labels: Tensor, predicted: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean over classes of the accuracy within each, in [0, 1].

    The classes are those that `labels`, or the draw, contains.

    Arguments, shapes and errors as in `accuracy`.

    >>> mean_class_accuracy(torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 0, 0])).item()
    0.5
    """

    def draws(labels: Tensor, predicted: Tensor, weights: Tensor) -> Tensor:
        index = torch.unique(labels, return_inverse=True)[1]
        total = group_sums(weights, index)  # (C, B)
        hits = group_sums(weights * (labels == predicted), index)
        present = total > 0
        return (hits / total.where(present, 1)).sum(0) / present.sum(0)

    return batched(draws, labels, predicted, weights)


def mean(labels: Tensor, values: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mean over videos of their values; NaN leaves a video out.

    Args:
        labels: (N,) integers, not looked at.
        values: (..., N) floating point.
        weights: (B, N), not negative, or None for every video once.

    Returns:
        (...) float64, or (..., B) with `weights`; NaN where every video is left out.

    Raises:
        ValueError: when shapes do not fit, or `weights` is negative or not finite.

    >>> mean(torch.tensor([0, 1, 1]), torch.tensor([1.0, 0.0, float("nan")])).item()
    0.5
    """
    if values.ndim < 1 or values.shape[-1:] != labels.shape or not values.numel():
        msg = f"values must be (..., {len(labels)}), got {tuple(values.shape)}"
        raise ValueError(msg)
    if weights is not None and (weights.ndim != 2 or weights.shape[1] != len(labels)):
        msg = f"weights must be (B, {len(labels)}), got {tuple(weights.shape)}"
        raise ValueError(msg)
    if weights is not None and not bool(((weights >= 0) & torch.isfinite(weights)).all()):
        msg = "weights must be finite and not negative"
        raise ValueError(msg)
    wide = values.to(torch.float64)
    counted = (~wide.isnan()).to(torch.float64)
    draws = wide.new_ones(1, len(labels)) if weights is None else weights.to(wide)
    means = (wide.nan_to_num(0.0) @ draws.mT) / (counted @ draws.mT)
    return means.squeeze(-1) if weights is None else means


def conditional_entropy(labels: Tensor, predicted: Tensor, weights: Tensor | None = None) -> Tensor:
    """H(class | cluster) in bits, between 0 and H(class).

    The sum over cells of -M/N log2(M / M_cluster) of the contingency table M; an empty cell or cluster counts 0.
    It is biased towards 0 at small N, so compare values at equal N only. `predicted` holds cluster indices;
    arguments, shapes and errors as in `accuracy`.

    Source: Redondo-Cabrera and Lopez-Sastre, "Unsupervised learning from videos using temporal coherency deep
    networks", CVIU 2019, the evaluation of discovery.

    >>> labels = torch.tensor([0] * 10 + [1] * 10)
    >>> clusters = torch.tensor([0] * 9 + [1] + [0] + [1] * 9)
    >>> round(conditional_entropy(labels, clusters).item(), 3)
    0.469
    """
    return batched(conditional_entropies, labels, predicted, weights)


def normalized_mutual_information(labels: Tensor, predicted: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mutual information over the mean entropy of classes and clusters, in [0, 1].

    1 when there is only one class and one cluster. Arguments, shapes and errors as in `accuracy`.

    >>> normalized_mutual_information(torch.tensor([0, 0, 1, 1]), torch.tensor([5, 5, 3, 3])).item()
    1.0
    """

    def draws(labels: Tensor, predicted: Tensor, weights: Tensor) -> Tensor:
        classes, clusters = entropies(labels, weights), entropies(predicted, weights)
        shared = (classes - conditional_entropies(labels, predicted, weights)).clamp(min=0)
        mean = (classes + clusters) / 2
        return torch.where(mean > 0, (shared / mean.where(mean > 0, 1)).clamp(max=1), 1.0)

    return batched(draws, labels, predicted, weights)


def purity(labels: Tensor, predicted: Tensor, weights: Tensor | None = None) -> Tensor:
    """Share of videos of the most frequent class of their cluster, in [0, 1].

    Arguments, shapes and errors as in `accuracy`.

    >>> purity(torch.tensor([0, 0, 1, 1]), torch.tensor([7, 7, 7, 8])).item()
    0.75
    """

    def draws(labels: Tensor, predicted: Tensor, weights: Tensor) -> Tensor:
        cells, cluster = filled_cells(labels, predicted, weights)
        largest = cells.new_zeros(int(cluster.max()) + 1, cells.shape[1])
        largest.scatter_reduce_(0, cluster[:, None].expand_as(cells), cells, "amax")
        return largest.sum(0) / weights.sum(1)

    return batched(draws, labels, predicted, weights)


def entropy(labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """H(class) in bits of `labels` (N,): a scalar, or (B,) with `weights` (B, N).

    Raises:
        ValueError: as in `accuracy`.

    >>> entropy(torch.tensor([0, 1, 2, 3])).item()
    2.0
    """
    return batched(lambda labels, _, weights: entropies(labels, weights), labels, labels, weights)
