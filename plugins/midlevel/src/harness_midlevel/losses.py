"""Losses of codes in clusters: one-vs-rest hinge, and the Fisher ratio."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

_LEAST = 1e-6
"""Least share of the total scatter that the Fisher loss divides by."""


def hinge_loss(outputs: Tensor, labels: Tensor, *, positive_weight: float = 1.0) -> Tensor:
    """Hinge loss of one detector a cluster, (): sum over clusters, mean over samples.

    sum_k max(0, 1 - d_k t_k) with t_k = 1 for a sample's own cluster and -1 for the others. The penalty on the
    detectors' weights is left out.

    Args:
        outputs: (N, K) outputs d of the detectors.
        labels: (N,) int64 clusters.
        positive_weight: factor of the term of a sample's own cluster; 1 in the paper.

    Raises:
        ValueError: when shapes differ, there is no sample, or labels are no integers.

    Source: Hou, Wu, Chen, Luo and Jia, "Unsupervised deep learning of mid-level video representation for action
    recognition", AAAI 2018, eq. 5.

    >>> hinge_loss(torch.tensor([[2.0, -2.0, -2.0], [0.0, 0.0, 0.0]]), torch.tensor([0, 1]))
    tensor(1.5000)
    """
    _check("outputs", outputs, labels)
    own = one_hot(labels, outputs.shape[1]).bool()
    terms = torch.where(own, positive_weight * (1 - outputs).relu(), (1 + outputs).relu())
    return terms.sum(1).mean()


def fisher_loss(codes: Tensor, labels: Tensor) -> Tensor:
    """Scatter within clusters over scatter between clusters, (): tr S_W / tr S_B.

    Neither a shift nor a scale of the codes changes it. The denominator is at least 1e-6 of the total scatter; the loss
    of equal codes is 0, without gradient.

    Args:
        codes: (N, D).
        labels: (N,) integers, any values.

    Raises:
        ValueError: when shapes differ, there is no sample, or labels are no integers.

    Source: Hou et al. 2018, eq. 2 to 4.

    >>> fisher_loss(torch.tensor([[0.0], [2.0], [10.0], [12.0]]), torch.tensor([0, 0, 1, 1]))
    tensor(0.0400)
    """
    _check("codes", codes, labels)
    _, owner, sizes = torch.unique(labels, return_inverse=True, return_counts=True)
    centred = codes - codes.mean(0)
    # A product, because sums by index come in any order on an accelerator.
    means = one_hot(owner, len(sizes)).to(codes).mT @ centred / sizes[:, None]
    within = (centred - means[owner]).square().sum()
    between = (sizes * means.square().sum(1)).sum()
    least = (_LEAST * (within + between)).clamp_min(torch.finfo(codes.dtype).tiny)
    ratio: Tensor = within / torch.maximum(between, least)
    return ratio


def _check(name: str, values: Tensor, labels: Tensor) -> None:
    if values.ndim != 2 or labels.shape != values.shape[:1] or not len(labels) or labels.dtype != torch.int64:
        expected = f"expected {name} (N, D) and labels (N,) int64 of N > 0 samples"
        msg = f"{expected}, got {tuple(values.shape)} and {tuple(labels.shape)} {labels.dtype}"
        raise ValueError(msg)
