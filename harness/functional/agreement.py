"""Agreement of clusters with classes, batched as the metrics are."""

from __future__ import annotations

import math

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from harness.functional.contingency import batched, conditional_entropies, entropies, filled_cells, group_sums
from harness.functional.metrics import conditional_entropy, entropy

_ELEMENTS = 2**22  # terms of the expected mutual information that are held at a time


def adjusted_rand_index(labels: Tensor, predicted: Tensor, weights: Tensor | None = None) -> Tensor:
    """Rand index of classes and clusters, adjusted for chance.

    Share of pairs of videos on which both agree, scaled so that chance is 0 and equality is 1.

    Below 0 where they agree less than chance. 1 where neither splits the videos, or each leaves every video alone.
    `predicted` holds cluster indices; arguments, shapes and errors as in `metrics.accuracy`, and `weights` must be
    whole numbers.

    Source: Hubert and Arabie, "Comparing partitions", Journal of Classification 1985, equation 5.

    >>> scores = adjusted_rand_index(torch.tensor([0, 0, 1, 1]), torch.tensor([[7, 7, 3, 3], [0, 1, 0, 1]]))
    >>> [round(score, 4) for score in scores.tolist()]
    [1.0, -0.5]
    """

    def draws(labels: Tensor, predicted: Tensor, weights: Tensor) -> Tensor:
        _check_whole(weights)
        both = _pairs(filled_cells(labels, predicted, weights)[0])
        classes, clusters = _pairs(_sizes(labels, weights)), _pairs(_sizes(predicted, weights))
        count = weights.sum(1)
        chance = classes * (clusters / (count * (count - 1) / 2).clamp(min=1))  # in this order nothing overflows
        span = (classes + clusters) / 2 - chance
        # The mean equals what is expected by chance only where the two partitions are one and trivial.
        return torch.where(span > 0, (both - chance) / span.where(span > 0, 1), 1.0)

    return batched(draws, labels, predicted, weights)


def adjusted_mutual_information(labels: Tensor, predicted: Tensor, weights: Tensor | None = None) -> Tensor:
    """Mutual information of classes and clusters, adjusted for chance.

    Chance is 0 and equality is 1.

    (MI - E[MI]) / (mean of the two entropies - E[MI]), where E[MI] is over all ways to deal the same videos to classes
    and clusters of the same sizes. 1 where classes and clusters are the same partition; 0 where only one of the two
    splits the videos. `predicted` holds cluster indices; arguments, shapes and errors as in `metrics.accuracy`, and
    `weights` must be whole numbers. Memory grows linearly in N.

    Source: Vinh, Epps and Bailey, "Information theoretic measures for clusterings comparison: variants, properties,
    normalization and correction for chance", JMLR 2010, equation 24 for E[MI], and the arithmetic mean as the bound.

    >>> labels = torch.tensor([0, 0, 0, 1, 1, 1])
    >>> scores = adjusted_mutual_information(labels, torch.tensor([[5, 5, 5, 2, 2, 2], [0, 0, 1, 1, 2, 2]]))
    >>> [round(score, 4) for score in scores.tolist()]
    [1.0, 0.2988]
    """
    added = CellInformation()

    def draws(labels: Tensor, predicted: Tensor, weights: Tensor) -> Tensor:
        _check_whole(weights)
        classes, clusters = entropies(labels, weights), entropies(predicted, weights)
        open_, shared = (
            conditional_entropies(labels, predicted, weights),
            conditional_entropies(predicted, labels, weights),
        )
        expected = _expected_information(_sizes(labels, weights), _sizes(predicted, weights), added) / math.log(2)
        span = (classes + clusters) / 2 - expected
        # Where both conditional entropies are 0 the partitions are one; there the span may be 0 too.
        same = (open_ < 1e-12) & (shared < 1e-12)
        trivial = (classes == 0) | (clusters == 0)
        score = (classes - open_ - expected) / span.where(~same & ~trivial, 1)
        return score.masked_fill(trivial, 0.0).masked_fill(same, 1.0)

    return batched(draws, labels, predicted, weights)


def matched_accuracy(labels: Tensor, predicted: Tensor, weights: Tensor | None = None) -> Tensor:
    """Highest accuracy under one-to-one matchings of clusters to classes, in [0, 1].

    The Hungarian accuracy of the literature. With more clusters than classes the videos of the clusters left over
    count as wrong, with fewer those of the classes left over. `predicted` holds cluster indices; arguments, shapes and
    errors as in `metrics.accuracy`. Memory grows with the number of classes times that of clusters.

    Source: Kuhn, "The Hungarian method for the assignment problem", Naval Research Logistics Quarterly 1955.

    >>> matched_accuracy(torch.tensor([0, 0, 1, 1]), torch.tensor([[9, 9, 4, 4], [0, 1, 2, 3]])).tolist()
    [1.0, 0.5]
    """

    def draws(labels: Tensor, predicted: Tensor, weights: Tensor) -> Tensor:
        rows, columns = (torch.unique(groups, return_inverse=True)[1] for groups in (labels, predicted))
        shape = int(rows.max()) + 1, int(columns.max()) + 1
        filled, index = torch.unique(rows * shape[1] + columns, return_inverse=True)
        cells, places = group_sums(weights, index).mT.cpu().numpy(), filled.cpu().numpy()
        matched = np.empty(len(cells))
        for draw, values in enumerate(cells):  # one table at a time, which may be large
            table = np.zeros(shape)
            table.reshape(-1)[places] = values
            matched[draw] = table[linear_sum_assignment(table, maximize=True)].sum()
        return torch.from_numpy(matched).to(weights.device) / weights.sum(1)

    return batched(draws, labels, predicted, weights)


def homogeneity(labels: Tensor, predicted: Tensor, weights: Tensor | None = None) -> Tensor:
    """1 - H(class | cluster) / H(class), in [0, 1].

    1 where every cluster holds one class, or there is one class only.

    `predicted` holds cluster indices; arguments, shapes and errors as in `metrics.accuracy`.

    Source: Rosenberg and Hirschberg, "V-Measure: a conditional entropy-based external cluster evaluation measure",
    EMNLP 2007, section 2.

    >>> homogeneity(torch.tensor([0, 0, 1, 1]), torch.tensor([[0, 1, 2, 3], [0, 0, 0, 0]])).tolist()
    [1.0, 0.0]
    """
    return _explained(conditional_entropy(labels, predicted, weights), entropy(labels, weights))


def completeness(labels: Tensor, predicted: Tensor, weights: Tensor | None = None) -> Tensor:
    """1 - H(cluster | class) / H(cluster), in [0, 1].

    1 where every class lies in one cluster.

    Arguments, shapes, errors and source as in `homogeneity`.

    >>> completeness(torch.tensor([0, 0, 1, 1]), torch.tensor([[0, 1, 2, 3], [0, 0, 0, 0]])).tolist()
    [0.5, 1.0]
    """

    def draws(labels: Tensor, predicted: Tensor, weights: Tensor) -> Tensor:
        return _explained(conditional_entropies(predicted, labels, weights), entropies(predicted, weights))

    return batched(draws, labels, predicted, weights)


def _explained(left: Tensor, whole: Tensor) -> Tensor:
    return torch.where(whole > 0, (1 - left / whole.where(whole > 0, 1)).clamp(0, 1), 1.0)


def _check_whole(weights: Tensor) -> None:
    if not torch.equal(weights, weights.round()):
        msg = "weights must be whole numbers: how often each draw took each video"
        raise ValueError(msg)


def _sizes(groups: Tensor, weights: Tensor) -> Tensor:
    """(G, B) sizes of the classes or clusters `groups` (N,), in each draw."""
    return group_sums(weights, torch.unique(groups, return_inverse=True)[1])


def _pairs(sizes: Tensor) -> Tensor:
    return (sizes * (sizes - 1) / 2).sum(0)


class CellInformation:
    """Nats that a cell adds to the mutual information on average, each computed once.

    Bootstraps of several clusterings have few different sizes of classes, clusters and samples, and many draws.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[Tensor, Tensor]] = {}

    def __call__(self, classes: Tensor, clusters: Tensor, count: int) -> Tensor:
        """(A, B) nats by the size of the class (A,) and of the cluster (B,), ascending."""
        wanted = (classes[:, None] * (count + 1) + clusters).flatten()
        keys, values = self._known.get(count, (wanted[:0], wanted[:0].to(torch.float64)))
        missing = wanted[~torch.isin(wanted, keys)]
        if len(missing):
            new = _cell_information(missing // (count + 1), missing % (count + 1), count)
            keys, order = torch.cat([keys, missing]).sort()
            values = torch.cat([values, new])[order]
            self._known[count] = keys, values
        return values[torch.searchsorted(keys, wanted)].view(len(classes), len(clusters))


def _expected_information(classes: Tensor, clusters: Tensor, added: CellInformation) -> Tensor:
    """(B,) nats of expected mutual information of random partitions of these sizes.

    The sizes are those of classes (C, B) and clusters (K, B), in each draw.
    """
    counts = classes.sum(0).long()
    expected = torch.empty_like(classes[0])
    for count in torch.unique(counts).tolist():
        draws = counts == count
        (a, times_a), (b, times_b) = _frequencies(classes[:, draws]), _frequencies(clusters[:, draws])
        expected[draws] = ((times_a @ added(a, b, count)) * times_b).sum(1)
    return expected


def _frequencies(sizes: Tensor) -> tuple[Tensor, Tensor]:
    """Different sizes (U,) among `sizes` (G, B), and their counts in each draw (B, U)."""
    different, index = torch.unique(sizes.long(), return_inverse=True)
    times = sizes.new_zeros(sizes.shape[1], len(different))
    return different, times.scatter_add_(1, index.mT, torch.ones_like(sizes.mT))


def _cell_information(a: Tensor, b: Tensor, count: int) -> Tensor:
    """(P,) nats of cells of classes of `a` (P,) and clusters of `b` (P,) videos."""
    numbers = torch.arange(count + 1, device=a.device, dtype=torch.float64)
    log_factorial, log = torch.lgamma(numbers + 1), numbers.log()
    # A cell's size is hypergeometric; by Hoeffding's inequality it lies outside this reach with a chance below 1e-17.
    smaller, mean = torch.minimum(a, b), a * b.to(torch.float64) / count
    reach = (20 * smaller.to(torch.float64)).sqrt()
    least = torch.maximum((a + b - count).clamp(min=1), (mean - reach).floor().long())
    terms = torch.minimum(smaller, (mean + reach).ceil().long()) - least + 1
    ways = log_factorial[torch.stack([a, b, count - a, count - b])].sum(0) - log_factorial[count]
    information = mean.new_zeros(len(a))
    for part in torch.split(torch.arange(len(a), device=a.device), max(1, _ELEMENTS // max(1, int(terms.max())))):
        pair = part.repeat_interleave(terms[part])
        offset = least[part] - (terms[part].cumsum(0) - terms[part])
        cell = torch.arange(len(pair), device=a.device) + offset.repeat_interleave(terms[part])
        rest = [cell, a[pair] - cell, b[pair] - cell, cell + (count - a - b)[pair]]
        probability = (ways[pair] - log_factorial[torch.stack(rest)].sum(0)).exp_()
        added = cell * (log[cell] - (log[a] + log[b] - log[count])[pair]) * probability
        information.index_add_(0, pair, added / count)
    return information
