"""A linear classifier on frozen features."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor

from harness import progress
from harness.errors import DataError
from harness.evaluators import LINEAR_PROBE
from harness.evaluators.labelled import Labelled, train_and_test
from harness.evaluators.scoring import majority, predictions, scores
from harness.functional.folds import group_folds
from harness.functional.logistic import fit_logistic
from harness.functional.standardise import standardise
from harness.interfaces import Evaluation

if TYPE_CHECKING:
    from harness.cards import EvaluatorCard
    from harness.features import FrozenEncoder
    from harness.interfaces import Dataset

STRENGTHS = tuple(10.0**exponent for exponent in range(-6, 3))
"""The L2 penalties tried, beside the mean cross-entropy; scikit-learn's C is 1 / (N * strength)."""

FOLDS = 3


class LinearProbe:
    """Logistic regression on standardised features, its L2 strength chosen by videos of other groups inside train.

    All strengths are solved at once on each fold; the one with the highest top-1 accuracy over all held-out
    videos (of equal ones the strongest) is refitted on all of train. The baseline is train's most frequent class.

    Args:
        label: which kind of class to predict.

    Source: Kornblith et al., "Do better ImageNet models transfer better?", CVPR 2019.
    """

    card: ClassVar[EvaluatorCard] = LINEAR_PROBE

    def __init__(self, label: str = "action") -> None:
        self.label = label

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Probe `encoder`; nothing here is random, so `seed` changes nothing.

        Raises:
            DataError: as in `train_and_test`, or when train has one group only, so that nothing can validate.
        """
        train, test = train_and_test(encoder, data, self.label)
        with progress.bar("linear probe", total=FOLDS + 1) as bar:
            accuracies = _validate(train, bar)
            best = max(range(len(STRENGTHS)), key=lambda i: (accuracies[i], STRENGTHS[i]))
            x, queries = standardise(train.vectors, test.vectors)
            strength = x.new_tensor([STRENGTHS[best]])
            fitted = fit_logistic(x, train.labels, strength, classes=len(train.classes))
            bar.advance()
        predicted = fitted.predict(queries)
        return Evaluation(
            scores(self.card, test.labels, predicted, majority(train, test)),
            predictions(test, predicted),
            {
                "strength": STRENGTHS[best],
                "validation_top1": {f"{s:g}": accuracy for s, accuracy in zip(STRENGTHS, accuracies, strict=True)},
                "converged": bool(fitted.converged.all()),
                "train_videos": len(train),
                "test_videos": len(test),
                "classes_absent_from_test": list(test.absent),
            },
        )


def _validate(train: Labelled, bar: progress.Bar) -> list[float]:
    """Top-1 accuracy of each strength over all of train, each video predicted by the fold that did not see it."""
    folds = group_folds(train.labels, train.groups, FOLDS)
    if not folds.any():
        msg = f"train has one group only ({train.groups[0]!r}); choosing the strength needs at least two"
        raise DataError(msg)
    hits = torch.zeros(len(STRENGTHS), dtype=torch.int64, device=folds.device)
    for fold in range(FOLDS):
        held_out = folds == fold
        if held_out.any():
            hits += _hits(train, held_out)
        bar.advance()
    return [count / len(train) for count in hits.tolist()]


def _hits(train: Labelled, held_out: Tensor) -> Tensor:
    x, queries = standardise(train.vectors[~held_out], train.vectors[held_out])
    labels = train.labels
    fitted = fit_logistic(x, labels[~held_out], x.new_tensor(STRENGTHS), classes=len(train.classes))
    return (fitted.predict(queries) == labels[held_out]).sum(1)
