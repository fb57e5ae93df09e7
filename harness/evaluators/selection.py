"""Choosing a hyper-parameter by videos of other groups inside train."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

from harness.errors import DataError
from harness.functional.folds import group_folds

if TYPE_CHECKING:
    from torch import Tensor

    from harness import progress
    from harness.evaluators.labelled import Labelled

FOLDS = 3

Fitted = Callable[["Tensor", "Tensor", "Tensor"], "Tensor"]
"""Points (N, D), labels (N,) and queries (M, D) -> (P, M) classes predicted with each of P candidates."""


def validated(train: Labelled, fitted: Fitted, bar: progress.Bar) -> list[float]:
    """Top-1 accuracy of each candidate over all of train, each video predicted by the fold that did not see it.

    Raises:
        DataError: when train has one group only, so that nothing can validate.
    """
    folds = group_folds(train.labels, train.groups, FOLDS)
    if not folds.any():
        msg = f"train has one group only ({train.groups[0]!r}); choosing hyper-parameters needs at least two"
        raise DataError(msg)
    hits: Tensor = torch.zeros(1, dtype=torch.int64, device=folds.device)
    for fold in range(FOLDS):
        held_out = folds == fold
        if held_out.any():
            predicted = fitted(train.vectors[~held_out], train.labels[~held_out], train.vectors[held_out])
            hits = hits + (predicted == train.labels[held_out]).sum(1)
        bar.advance()
    return [count / len(train) for count in hits.tolist()]
