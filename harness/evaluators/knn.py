"""A vote of the nearest training videos."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from harness.errors import DataError, UsageError
from harness.evaluators import cards
from harness.evaluators.labelled_features import train_and_test
from harness.evaluators.scoring import majority, scored
from harness.functional.knn import nearest, vote
from harness.interfaces import Evaluation

if TYPE_CHECKING:
    from harness.cards import EvaluatorCard
    from harness.encoders.frozen import FrozenEncoder
    from harness.interfaces import Dataset


class KNN:
    """Weighted vote of the training videos most similar to a test video, by the cosine of their features.

    `k` of them vote for the primary metric, and other numbers for the metrics that name them, where train has so many.
    A `k` above the size of the smallest class, which the notes tell, cannot be won by that class alone. The baseline
    is train's most frequent class.

    Args:
        k: neighbours that vote.
        temperature: a neighbour of similarity s votes with exp(s / temperature).
        label: which kind of class to predict.

    Raises:
        UsageError: when `k` is below 1 or the temperature is not positive.

    Source: Wu et al., "Unsupervised feature learning via non-parametric instance discrimination", CVPR 2018,
    section 3.4; k = 20 after Caron et al., "Emerging properties in self-supervised vision transformers", ICCV 2021.
    """

    card: ClassVar[EvaluatorCard] = cards.KNN

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
        possible = [k for k in cards.NEIGHBOURS if k <= len(train)]
        similarities, index = nearest(train.vectors, test.vectors, k=max([self.k, *possible]))
        neighbours = train.labels[index]
        predicted = {
            k: vote(similarities[:, :k], neighbours[:, :k], temperature=self.temperature) for k in {self.k, *possible}
        }
        guessed = majority(train, test)
        values = {f"top1_{k}": (predicted[k] == test.labels).float()[None] for k in possible}
        chance = dict.fromkeys(values, (guessed == test.labels).float())
        found, predictions = scored(self.card, test, predicted[self.k][None], guessed, values, chance)
        return Evaluation(
            found,
            predictions,
            {
                "videos_of_smallest_class": int(torch.unique(train.labels, return_counts=True)[1].min()),
                "train_videos": len(train),
                "test_videos": len(test),
                "classes_absent_from_test": list(test.absent),
            },
        )
