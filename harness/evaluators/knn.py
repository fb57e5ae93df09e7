"""A vote of the nearest training videos."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness import evaluators
from harness.errors import DataError, UsageError
from harness.evaluators.labelled import train_and_test
from harness.evaluators.scoring import majority, predictions, scores
from harness.functional.knn import knn
from harness.functional.metrics import accuracy
from harness.interfaces import Evaluation, Score

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cards import EvaluatorCard
    from harness.features import FrozenEncoder
    from harness.interfaces import Dataset


class KNN:
    """Weighted vote of the `k` training videos most similar to a test video, by the cosine of their features.

    The baseline is train's most frequent class.

    Args:
        k: neighbours that vote.
        temperature: a neighbour of similarity s votes with exp(s / temperature).
        label: which kind of class to predict.

    Raises:
        UsageError: when `k` is below 1 or the temperature is not positive.

    Source: Wu et al., "Unsupervised feature learning via non-parametric instance discrimination", CVPR 2018,
    section 3.4; k = 20 after Caron et al., "Emerging properties in self-supervised vision transformers", ICCV 2021.
    """

    card: ClassVar[EvaluatorCard] = evaluators.KNN

    def __init__(self, k: int = 20, temperature: float = 0.07, label: str = "action") -> None:
        if k < 1:
            msg = f"evaluator 'knn': k must be at least 1, got {k}"
            raise UsageError(msg)
        if not temperature > 0:
            msg = f"evaluator 'knn': temperature must be positive, got {temperature}"
            raise UsageError(msg)
        self.k = k
        self.temperature = temperature
        self.label = label

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Classify test by train; nothing here is random, so `seed` changes nothing.

        Raises:
            DataError: as in `train_and_test`, or when train has fewer than `k` videos.
        """
        train, test = train_and_test(encoder, data, self.label)
        if self.k > len(train):
            msg = f"{self.k} neighbours, but train of data set {data.card.name!r} has {len(train)} videos; lower k"
            raise DataError(msg)

        def votes(k: int) -> Tensor:
            found = knn(train.vectors, train.labels, test.vectors, k=k, temperature=self.temperature)
            return found[None]

        predicted, guessed = votes(self.k), majority(train, test)
        nearest = Score("top1_nearest", float(accuracy(test.labels, votes(1))), float(accuracy(test.labels, guessed)))
        return Evaluation(
            (*scores(self.card, test.labels, predicted, guessed), nearest),
            predictions(test, predicted),
            {
                "train_videos": len(train),
                "test_videos": len(test),
                "classes_absent_from_test": list(test.absent),
            },
        )
