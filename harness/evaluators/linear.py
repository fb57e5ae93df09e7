"""Linear probe and linear SVM on frozen features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol

import torch.nn.functional as F

from harness.evaluators.cards import LINEAR_PROBE, LINEAR_SVM
from harness.evaluators.labelled_features import train_and_test
from harness.evaluators.pictures import with_confusion
from harness.evaluators.scoring import FOLDS, hits, majority, majority_hits, scored, validated
from harness.functional.logistic import fit_logistic
from harness.functional.standardise import standardise
from harness.functional.svm import fit_svm
from harness.interfaces import Evaluation
from harness.system import progress

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cards import EvaluatorCard
    from harness.encoders.frozen import FrozenEncoder
    from harness.functional.svm import Svm
    from harness.interfaces import Dataset, Evaluation


class Classifiers(Protocol):
    """P linear classifiers of N points in C classes."""

    @property
    def weight(self) -> Tensor:
        """(P, C, D)."""
        ...

    @property
    def bias(self) -> Tensor:
        """(P, C)."""
        ...

    @property
    def converged(self) -> Tensor:
        """(P,) bool."""
        ...

    def predict(self, x: Tensor) -> Tensor:
        """(P, N) int64 classes of (N, D)."""
        ...


def evaluate_linear(
    card: EvaluatorCard,
    encoder: FrozenEncoder,
    data: Dataset,
    label: str,
    *,
    option: str,
    candidates: Sequence[float],
    scale: Callable[[Tensor, Tensor], tuple[Tensor, ...]],
    fit: Callable[[Tensor, Tensor, Tensor, int], Classifiers],
) -> Evaluation:
    """Classify test by the candidate of highest top-1 accuracy over the held-out groups of train, refitted on train.

    The baselines are train's most frequent class, and for top-5, which is left out where there are no more than 5
    classes, its most frequent five.

    Args:
        card: of the evaluator.
        encoder: what is measured.
        data: what it is measured on.
        label: which kind of class to predict.
        option: what the candidates are, in the notes.
        candidates: of equal ones the first is taken.
        scale: train's vectors and others', both by train's.
        fit: scaled vectors (N, D), labels (N,), candidates (P,) and the number of classes -> P classifiers.

    Raises:
        DataError: as in `train_and_test`, or when train has one group only, so that nothing can validate.
    """
    train, test = train_and_test(encoder, data, label)
    count = len(train.classes)

    def fitted(x: Tensor, labels: Tensor, queries: Tensor) -> Tensor:
        x, queries = scale(x, queries)
        return fit(x, labels, x.new_tensor(candidates), count).predict(queries)

    with progress.bar(card.name, total=FOLDS + 1) as bar:
        accuracies = validated(train, fitted, bar)
        best = max(range(len(candidates)), key=lambda i: (accuracies[i], -i))
        x, queries = scale(train.vectors, test.vectors)
        final = fit(x, train.labels, x.new_tensor([candidates[best]]), count)
        bar.advance()
    scores = queries @ final.weight.mT + final.bias[:, None]  # (1, N, C)
    values = {"top5": hits(scores, test.labels, 5)} if count > 5 else {}
    found, predictions = scored(
        card, test, scores.argmax(2), majority(train, test), values, {"top5": majority_hits(train, test, 5)}
    )
    return Evaluation(
        found,
        predictions,
        {
            option: candidates[best],
            "validation_top1": {f"{c:g}": accuracy for c, accuracy in zip(candidates, accuracies, strict=True)},
            "converged": bool(final.converged.all()),
            "train_videos": len(train),
            "test_videos": len(test),
            "classes_absent_from_test": list(test.absent),
        },
    )


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
