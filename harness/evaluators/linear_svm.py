"""Linear support vector machines on frozen features."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch.nn.functional as F

from harness.evaluators.cards.linear_svm import LINEAR_SVM
from harness.evaluators.confusion import with_confusion
from harness.evaluators.linear import evaluate_linear
from harness.functional.svm import fit_svm

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cards import EvaluatorCard
    from harness.features import FrozenEncoder
    from harness.functional.svm import Svm
    from harness.interfaces import Dataset, Evaluation

COSTS = tuple(10.0**exponent for exponent in range(-3, 4))
"""The values of C tried: the weight of the summed squared hinge beside |w|^2 / 2."""

POSITIVE_WEIGHT = 2.0
"""Of the loss of a class's own videos."""


class LinearSVM:
    """One-vs-rest squared hinge on features of length 1, its C chosen by videos of other groups inside train.

    All values of C and all classes are solved in one call on each fold; the C of highest top-1 accuracy over all
    held-out videos (of equal ones the smallest) is refitted on all of train.

    Args:
        label: which kind of class to predict.

    Source: Goyal et al., "Scaling and benchmarking self-supervised visual representation learning", ICCV 2019.
    """

    card: ClassVar[EvaluatorCard] = LINEAR_SVM

    def __init__(self, label: str = "action") -> None:
        self.label = label

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Classify test; nothing here is random, so `seed` changes nothing.

        Raises:
            DataError: as in `evaluate_linear`.
        """
        found = evaluate_linear(
            self.card, encoder, data, self.label, option="cost", candidates=COSTS, scale=_unit, fit=_fitted
        )
        return with_confusion(found, data.split("test").classes[self.label])


def _unit(reference: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
    return F.normalize(reference, dim=1), F.normalize(others, dim=1)


def _fitted(x: Tensor, labels: Tensor, costs: Tensor, classes: int) -> Svm:
    return fit_svm(x, labels, costs, classes=classes, positive_weight=POSITIVE_WEIGHT)
