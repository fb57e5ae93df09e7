"""Logistic regression of each class against the rest, all classes in one batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from harness.functional.logistic import fit_logistic


@dataclass(frozen=True, slots=True)
class OneVsRest:
    """P times C binary logistic regressions, whose scores are log odds."""

    weight: Tensor
    """(P, C, D)."""
    bias: Tensor
    """(P, C); minus infinity for a class of no point, infinity for one of all."""
    converged: Tensor
    """(P, C) bool: the gradient fell below the tolerance."""

    def scores(self, x: Tensor) -> Tensor:
        """(P, N, C) log odds of points (N, D)."""
        return x @ self.weight.mT + self.bias[:, None]


def fit_one_vs_rest(x: Tensor, membership: Tensor, strengths: Tensor) -> OneVsRest:
    """Fit a binary logistic regression for each strength and class, at once.

    Each minimises the mean of log(1 + exp(-y (w x + b))) plus strength / 2 * |w|^2, y being 1 or -1; b is not
    penalised. scikit-learn's `LogisticRegression(C=1 / (N * strength))` minimises this divided by the strength. They
    are problems of two classes for `fit_logistic`, whose weights are opposite, so that its penalty is half of this one.

    Args:
        x: (N, D) points, with entries of the order of 1.
        membership: (N, C) bool; a point may be of any number of classes.
        strengths: (P,) of the penalty, positive.

    Raises:
        ValueError: when shapes do not fit, `membership` is not bool, `x` is not finite, or a strength is not positive.

    >>> x, membership = torch.tensor([[-2.0], [-1.0], [1.0]]), torch.tensor([[1, 0], [0, 1], [0, 1]]).bool()
    >>> fitted = fit_one_vs_rest(x, membership, torch.tensor([0.1]))
    >>> (fitted.scores(torch.tensor([[-3.0], [3.0]])) > 0).tolist()
    [[[True, False], [False, True]]]
    """
    if membership.ndim != 2 or len(membership) != len(x) or membership.dtype != torch.bool or not membership.numel():
        msg = f"membership must be ({len(x)}, C) bool like x, got {tuple(membership.shape)} {membership.dtype}"
        raise ValueError(msg)
    count, classes = len(strengths), membership.shape[1]
    labels = membership.mT.to(torch.int64).repeat(count, 1)
    fitted = fit_logistic(x, labels, 2 * strengths.repeat_interleave(classes), classes=2)
    weight, bias = (part[:, 1] - part[:, 0] for part in (fitted.weight, fitted.bias))
    shape = (count, classes)
    return OneVsRest(weight.view(*shape, -1), bias.view(shape), fitted.converged.view(shape))
