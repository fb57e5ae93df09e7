"""A linear classifier on frozen features."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness.evaluators.cards.linear_probe import LINEAR_PROBE
from harness.evaluators.confusion import with_confusion
from harness.evaluators.linear import evaluate_linear
from harness.functional.logistic import fit_logistic
from harness.functional.standardise import standardise

if TYPE_CHECKING:
    from harness.cards import EvaluatorCard
    from harness.features import FrozenEncoder
    from harness.interfaces import Dataset, Evaluation

STRENGTHS = tuple(10.0**exponent for exponent in range(2, -7, -1))
"""The L2 penalties tried, beside the mean cross-entropy; scikit-learn's C is 1 / (N * strength)."""


class LinearProbe:
    """Logistic regression on standardised features, its L2 strength chosen by videos of other groups inside train.

    All strengths are solved at once on each fold; the one with the highest top-1 accuracy over all held-out
    videos (of equal ones the strongest) is refitted on all of train.

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
            DataError: as in `evaluate_linear`.
        """
        return with_confusion(probed(encoder, data, self.label), data.split("test").classes[self.label])


def probed(encoder: FrozenEncoder, data: Dataset, label: str) -> Evaluation:
    """What the linear probe finds, without its picture.

    Raises:
        DataError: as in `evaluate_linear`.
    """
    return evaluate_linear(
        LINEAR_PROBE,
        encoder,
        data,
        label,
        option="strength",
        candidates=STRENGTHS,
        scale=standardise,
        fit=lambda x, labels, strengths, classes: fit_logistic(x, labels, strengths, classes=classes),
    )
