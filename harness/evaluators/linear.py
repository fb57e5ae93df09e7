"""Linear probe and linear SVM on frozen features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import torch.nn.functional as F

from harness.evaluators.cards import LINEAR_PROBE, LINEAR_SVM
from harness.evaluators.class_scores import keep
from harness.evaluators.labelled_features import TRAIN_AND_TEST, split_notes, train_and_test
from harness.evaluators.pictures import with_confusion
from harness.evaluators.scoring import FOLDS, score_logits, validate
from harness.functional.logistic import fit_logistic
from harness.functional.standardise import standardise
from harness.functional.svm import fit_svm
from harness.system import progress
from harness.values import Encoding, Evaluation

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cards import EvaluatorCard
    from harness.functional.logistic import Logistic
    from harness.functional.svm import Svm
    from harness.interfaces import Dataset, FrozenEncoder
    from harness.values import Encoding, Promise, ScoreKind


class _Linear(ABC):
    """Linear classifier of frozen features, its regularisation chosen inside train.

    All candidates are solved at once on each fold; the one with the highest top-1 accuracy over all held-out videos (of
    equal ones the first) is refitted on all of train.
    """

    card: ClassVar[EvaluatorCard]
    option: ClassVar[str]
    """Name of the candidates in the notes."""
    candidates: ClassVar[tuple[float, ...]]
    kind: ClassVar[ScoreKind]
    """Meaning of the classifier's outputs."""

    def __init__(self, label: str = "action") -> None:
        self.label = label

    def encodings(self, promise: Promise, data: Dataset, *, seed: int) -> tuple[Encoding, ...]:
        """Vectors of train and test."""
        return TRAIN_AND_TEST

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Classify test; nothing here is random, so `seed` changes nothing.

        Raises:
            DataError: as in `classify`.
        """
        return with_confusion(self.classify(encoder, data), data.split("test").classes[self.label])

    def classify(
        self,
        encoder: FrozenEncoder,
        data: Dataset,
        encoding: Encoding = Encoding(),  # noqa: B008 - frozen
    ) -> Evaluation:
        """Classify test, without a picture.

        Raises:
            DataError: as in `train_and_test`, or when train has one group only, so that nothing can validate.
        """
        train, test = train_and_test(encoder, data, self.label, encoding)
        count = len(train.classes)

        def fit_predict(rest: Tensor, held_out: Tensor) -> Tensor:
            x, queries = self.scale(train.vectors[rest], train.vectors[held_out])
            predicted = self.fit(x, train.labels[rest], x.new_tensor(self.candidates), count).predict(queries)
            bar.advance()
            return predicted

        with progress.bar(self.card.name, total=FOLDS + 1) as bar:
            accuracies = validate(train, fit_predict)
            best = max(range(len(accuracies)), key=lambda i: (accuracies[i], -i))
            x, queries = self.scale(train.vectors, test.vectors)
            final = self.fit(x, train.labels, x.new_tensor([self.candidates[best]]), count)
            bar.advance()
        logits = queries @ final.weight.mT + final.bias[:, None]  # (1, N, C)
        scores, predictions = score_logits(self.card, train, test, logits)
        return Evaluation(
            scores,
            predictions,
            {
                self.option: self.candidates[best],
                "validation_top1": {f"{c:g}": top1 for c, top1 in zip(self.candidates, accuracies, strict=True)},
                "converged": bool(final.converged.all()),
                **split_notes(train, test),
            },
            class_scores=keep(self.kind, logits),
        )

    @staticmethod
    @abstractmethod
    def scale(train: Tensor, others: Tensor) -> tuple[Tensor, ...]:
        """Scale vectors (N, D) of train, and others (M, D) in the same way."""

    @staticmethod
    @abstractmethod
    def fit(x: Tensor, labels: Tensor, candidates: Tensor, classes: int) -> Logistic | Svm:
        """Fit a classifier to scaled vectors (N, D) for each candidate (P,)."""


class LinearProbe(_Linear):
    """Logistic regression on standardised features, its L2 strength validated.

    Videos of other groups inside train validate.

    Args:
        label: which kind of class to predict.

    Source: Kornblith et al., "Do better ImageNet models transfer better?", CVPR 2019.
    """

    card = LINEAR_PROBE
    option = "strength"
    kind = "logits"
    candidates = tuple(10.0**exponent for exponent in range(2, -7, -1))
    """L2 penalties beside the mean cross-entropy: 1 / (N C) of scikit-learn."""

    @staticmethod
    def scale(train: Tensor, others: Tensor) -> tuple[Tensor, ...]:
        """Standardise each dimension by train."""
        return standardise(train, others)

    @staticmethod
    def fit(x: Tensor, labels: Tensor, candidates: Tensor, classes: int) -> Logistic:
        """Fit P logistic regressions, one for each strength (P,)."""
        return fit_logistic(x, labels, candidates, classes=classes)


class LinearSVM(_Linear):
    """One-vs-rest squared hinge on features of length 1, its C validated.

    Videos of other groups inside train validate.

    The loss of a class's own videos weighs twice.

    Args:
        label: which kind of class to predict.

    Source: Goyal et al., "Scaling and benchmarking self-supervised visual representation learning", ICCV 2019.
    """

    card = LINEAR_SVM
    option = "cost"
    kind = "margins"
    candidates = tuple(10.0**exponent for exponent in range(-3, 4))
    """Values of C: the weight of the summed squared hinge beside |w|^2 / 2."""

    @staticmethod
    def scale(train: Tensor, others: Tensor) -> tuple[Tensor, ...]:
        """Scale each vector to length 1."""
        return F.normalize(train, dim=1), F.normalize(others, dim=1)

    @staticmethod
    def fit(x: Tensor, labels: Tensor, candidates: Tensor, classes: int) -> Svm:
        """Fit P one-vs-rest machines, one for each C (P,)."""
        return fit_svm(x, labels, candidates, classes=classes, positive_weight=2.0)
