"""A linear classifier on frozen features."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from torch import Tensor

from harness import progress
from harness.evaluators.cards.linear_probe import LINEAR_PROBE
from harness.evaluators.confusion import confusion_picture
from harness.evaluators.labelled import train_and_test
from harness.evaluators.scoring import hits, majority, majority_hits, scored
from harness.evaluators.selection import FOLDS, validated
from harness.functional.logistic import fit_logistic
from harness.functional.standardise import standardise
from harness.interfaces import Evaluation

if TYPE_CHECKING:
    from harness.cards import EvaluatorCard
    from harness.features import FrozenEncoder
    from harness.interfaces import Dataset

STRENGTHS = tuple(10.0**exponent for exponent in range(-6, 3))
"""The L2 penalties tried, beside the mean cross-entropy; scikit-learn's C is 1 / (N * strength)."""


class LinearProbe:
    """Logistic regression on standardised features, its L2 strength chosen by videos of other groups inside train.

    All strengths are solved at once on each fold; the one with the highest top-1 accuracy over all held-out
    videos (of equal ones the strongest) is refitted on all of train. The baseline is train's most frequent class, and
    for top-5, which is left out where there are no more than 5 classes, its most frequent five.

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
        count = len(train.classes)

        def fitted(x: Tensor, labels: Tensor, queries: Tensor) -> Tensor:
            x, queries = standardise(x, queries)
            return fit_logistic(x, labels, x.new_tensor(STRENGTHS), classes=count).predict(queries)

        with progress.bar("linear probe", total=FOLDS + 1) as bar:
            accuracies = validated(train, fitted, bar)
            best = max(range(len(STRENGTHS)), key=lambda i: (accuracies[i], STRENGTHS[i]))
            x, queries = standardise(train.vectors, test.vectors)
            final = fit_logistic(x, train.labels, x.new_tensor([STRENGTHS[best]]), classes=count)
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
                "strength": STRENGTHS[best],
                "validation_top1": {f"{s:g}": accuracy for s, accuracy in zip(STRENGTHS, accuracies, strict=True)},
                "converged": bool(final.converged.all()),
                "train_videos": len(train),
                "test_videos": len(test),
                "classes_absent_from_test": list(test.absent),
            },
            {"confusion": confusion_picture(test.labels, scores[0].argmax(1), test.classes)},
        )
