"""Statistics of per-video predictions, batched over repeats and bootstrap draws."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol

import torch
from torch import Tensor

_ELEMENTS = 2**22  # weights cast to float64 at a time, so that thousands of draws do not fill the memory


class Statistic(Protocol):
    """What `Metric.statistic` names: one number from the labels and predictions of N videos.

    `labels` (N,) and `predicted` (..., N) are integers. Without `weights` the result is (...) float64. With
    `weights` (B, N), how often each draw of a bootstrap took each video, it is (..., B) in one call.
    """

    def __call__(self, labels: Tensor, predicted: Tensor, weights: Tensor | None = None) -> Tensor:
        """The statistic; raises ValueError when shapes, types or weights are not as above."""
        ...


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

    return _batched(draws, labels, predicted, weights)


def mean_class_accuracy(labels: Tensor, predicted: Tensor, weights: Tensor | None = None) -> Tensor:
    """Accuracy within each class, averaged over the classes that `labels` (or the draw) contains, in [0, 1].

    Arguments, shapes and errors as in `accuracy`.

    >>> mean_class_accuracy(torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 0, 0])).item()
    0.5
    """

    def draws(labels: Tensor, predicted: Tensor, weights: Tensor) -> Tensor:
        index = torch.unique(labels, return_inverse=True)[1]
        total = _sums(weights, index)  # (C, B)
        hits = _sums(weights * (labels == predicted), index)
        present = total > 0
        return (hits / total.where(present, 1)).sum(0) / present.sum(0)

    return _batched(draws, labels, predicted, weights)


def conditional_entropy(labels: Tensor, predicted: Tensor, weights: Tensor | None = None) -> Tensor:
    """H(class | cluster) in bits: the class information that the clusters leave open, between 0 and H(class).

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
    return _batched(_conditional_entropy, labels, predicted, weights)


def normalized_mutual_information(labels: Tensor, predicted: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mutual information of classes and clusters over the arithmetic mean of their entropies, in [0, 1].

    1 when there is only one class and one cluster. Arguments, shapes and errors as in `accuracy`.

    >>> normalized_mutual_information(torch.tensor([0, 0, 1, 1]), torch.tensor([5, 5, 3, 3])).item()
    1.0
    """

    def draws(labels: Tensor, predicted: Tensor, weights: Tensor) -> Tensor:
        classes, clusters = _entropy(labels, weights), _entropy(predicted, weights)
        shared = (classes - _conditional_entropy(labels, predicted, weights)).clamp(min=0)
        mean = (classes + clusters) / 2
        return torch.where(mean > 0, (shared / mean.where(mean > 0, 1)).clamp(max=1), 1.0)

    return _batched(draws, labels, predicted, weights)


def purity(labels: Tensor, predicted: Tensor, weights: Tensor | None = None) -> Tensor:
    """Share of videos that belong to the most frequent class of their cluster, in [0, 1].

    Arguments, shapes and errors as in `accuracy`.

    >>> purity(torch.tensor([0, 0, 1, 1]), torch.tensor([7, 7, 7, 8])).item()
    0.75
    """

    def draws(labels: Tensor, predicted: Tensor, weights: Tensor) -> Tensor:
        cells, cluster = _cells(labels, predicted, weights)
        largest = cells.new_zeros(int(cluster.max()) + 1, cells.shape[1])
        largest.scatter_reduce_(0, cluster[:, None].expand_as(cells), cells, "amax")
        return largest.sum(0) / weights.sum(1)

    return _batched(draws, labels, predicted, weights)


def entropy(labels: Tensor, weights: Tensor | None = None) -> Tensor:
    """H(class) in bits of the class frequencies of `labels` (N,): a scalar, or (B,) with `weights` (B, N).

    Raises:
        ValueError: as in `accuracy`.

    >>> entropy(torch.tensor([0, 1, 2, 3])).item()
    2.0
    """
    return _batched(lambda labels, _, weights: _entropy(labels, weights), labels, labels, weights)


STATISTICS: Mapping[str, Statistic] = MappingProxyType(
    {
        "accuracy": accuracy,
        "mean_class_accuracy": mean_class_accuracy,
        "conditional_entropy": conditional_entropy,
        "normalized_mutual_information": normalized_mutual_information,
        "purity": purity,
    }
)
"""The functions that a metric's `statistic` can name."""

_Draws = Callable[[Tensor, Tensor, Tensor], Tensor]  # labels (N,), predicted (N,), float64 weights (B, N) -> (B,)


def _batched(draws: _Draws, labels: Tensor, predicted: Tensor, weights: Tensor | None) -> Tensor:
    _check(labels, predicted, weights)
    rows = predicted.reshape(-1, len(labels))
    all_weights = labels.new_ones(1, len(labels)) if weights is None else weights
    parts = []
    for part in torch.split(all_weights, max(1, _ELEMENTS // len(labels))):
        part = part.to(torch.float64)
        if not bool((part >= 0).all() and (part.sum(1) > 0).all() and torch.isfinite(part).all()):
            msg = "weights must be finite and not negative, with at least one positive in each draw"
            raise ValueError(msg)
        parts.append(torch.stack([draws(labels, row, part) for row in rows]))
    values = torch.cat(parts, dim=1)
    return values.reshape(predicted.shape[:-1] if weights is None else (*predicted.shape[:-1], len(weights)))


def _check(labels: Tensor, predicted: Tensor, weights: Tensor | None) -> None:
    if labels.ndim != 1 or not len(labels):
        msg = f"labels must be (N,) with at least one video, got {tuple(labels.shape)}"
        raise ValueError(msg)
    if predicted.ndim < 1 or predicted.shape[-1] != len(labels) or not predicted.numel():
        msg = f"predicted must be (..., {len(labels)}), got {tuple(predicted.shape)}"
        raise ValueError(msg)
    for name, tensor in (("labels", labels), ("predicted", predicted)):
        if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
            msg = f"{name} must be integers, got {tensor.dtype}"
            raise ValueError(msg)
    if weights is not None and (weights.ndim != 2 or weights.shape[1] != len(labels) or not len(weights)):
        msg = f"weights must be (B, {len(labels)}), got {tuple(weights.shape)}"
        raise ValueError(msg)


def _sums(weights: Tensor, index: Tensor) -> Tensor:
    """(G, B): the weight of each of the G groups that `index` (N,) makes, in each draw."""
    return weights.new_zeros(int(index.max()) + 1, len(weights)).index_add_(0, index, weights.mT)


def _cells(labels: Tensor, predicted: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """The filled cells of the contingency table: their weights (U, B) and the cluster (U,) each lies in.

    Only filled cells, because at most N of the C x K are.
    """
    rows = torch.unique(labels, return_inverse=True)[1]
    columns = torch.unique(predicted, return_inverse=True)[1]
    width = int(columns.max()) + 1
    filled, index = torch.unique(rows * width + columns, return_inverse=True)
    return _sums(weights, index), filled % width


def _conditional_entropy(labels: Tensor, predicted: Tensor, weights: Tensor) -> Tensor:
    cells, cluster = _cells(labels, predicted, weights)
    clusters = _sums(cells.mT, cluster)
    return ((_xlog2x(clusters).sum(0) - _xlog2x(cells).sum(0)) / weights.sum(1)).clamp(min=0)


def _entropy(labels: Tensor, weights: Tensor) -> Tensor:
    frequencies = _sums(weights, torch.unique(labels, return_inverse=True)[1]) / weights.sum(1)
    return (-_xlog2x(frequencies).sum(0)).clamp(min=0)


def _xlog2x(x: Tensor) -> Tensor:
    return torch.xlogy(x, x) / math.log(2)
