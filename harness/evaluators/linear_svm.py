"""Linear support vector machines on frozen features."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch.nn.functional as F
from torch import Tensor

from harness import progress
from harness.evaluators.cards.linear_svm import LINEAR_SVM
from harness.evaluators.confusion import confusion_picture
from harness.evaluators.labelled import train_and_test
from harness.evaluators.scoring import hits, majority, majority_hits, scored
from harness.evaluators.selection import FOLDS, validated
from harness.functional.svm import fit_svm
from harness.interfaces import Evaluation

if TYPE_CHECKING:
    from harness.cards import EvaluatorCard
    from harness.features import FrozenEncoder
    from harness.interfaces import Dataset

COSTS = tuple(10.0**exponent for exponent in range(-3, 4))
"""The values of C tried: the weight of the summed squared hinge beside |w|^2 / 2."""

POSITIVE_WEIGHT = 2.0
"""Of the loss of a class's own videos."""


class LinearSVM:
    """One-vs-rest squared hinge on features of length 1, its C chosen by videos of other groups inside train.

    All values of C and all classes are solved at once on each fold; the C of highest top-1 accuracy over all held-out
    videos (of equal ones the smallest) is refitted on all of train. The baselines are those of the linear probe.

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
            DataError: as in `train_and_test`, or when train has one group only, so that nothing can validate.
        """
        train, test = train_and_test(encoder, data, self.label)
        count = len(train.classes)

        def fitted(x: Tensor, labels: Tensor, queries: Tensor) -> Tensor:
            machines = fit_svm(
                F.normalize(x, dim=1), labels, x.new_tensor(COSTS), classes=count, positive_weight=POSITIVE_WEIGHT
            )
            return machines.predict(F.normalize(queries, dim=1))

        with progress.bar("linear SVM", total=FOLDS + 1) as bar:
            accuracies = validated(train, fitted, bar)
            best = max(range(len(COSTS)), key=lambda i: (accuracies[i], -COSTS[i]))
            x, queries = F.normalize(train.vectors, dim=1), F.normalize(test.vectors, dim=1)
            cost = x.new_tensor([COSTS[best]])
            final = fit_svm(x, train.labels, cost, classes=count, positive_weight=POSITIVE_WEIGHT)
            bar.advance()
        scores = queries @ final.weight.mT + final.bias[:, None]  # (1, N, C)
        values = {"top5": hits(scores, test.labels, 5)} if count > 5 else {}
        found, predictions = scored(
            self.card, test, scores.argmax(2), majority(train, test), values, {"top5": majority_hits(train, test, 5)}
        )
        return Evaluation(
            found,
            predictions,
            {
                "cost": COSTS[best],
                "validation_top1": {f"{c:g}": accuracy for c, accuracy in zip(COSTS, accuracies, strict=True)},
                "converged": bool(final.converged.all()),
                "train_videos": len(train),
                "test_videos": len(test),
                "classes_absent_from_test": list(test.absent),
            },
            {"confusion": confusion_picture(test.labels, scores[0].argmax(1), test.classes)},
        )
