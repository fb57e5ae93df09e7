"""k-NN classification: a vote of the nearest training videos."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness.errors import UsageError
from harness.evaluators import cards
from harness.evaluators.class_scores import keep
from harness.evaluators.labelled_features import TRAIN_AND_TEST, split_notes, train_and_test
from harness.evaluators.scoring import score_variants
from harness.functional.knn import nearest, vote, vote_shares
from harness.values import Evaluation

if TYPE_CHECKING:
    from harness.cards import EvaluatorCard
    from harness.interfaces import Dataset, FrozenEncoder
    from harness.values import Encoding, Promise


class KNN:
    """Weighted vote of the most similar training videos, by cosine similarity.

    `k` of them vote for the primary metric, or all where train has fewer, as the notes then say; other numbers vote for
    the metrics that name them, where train has so many. With a `k` above its size, which the notes give, the smallest
    class cannot win a vote alone. The baseline is train's most frequent class.

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

    def encodings(self, promise: Promise, data: Dataset, *, seed: int) -> tuple[Encoding, ...]:
        """Vectors of train and test."""
        return TRAIN_AND_TEST

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Classify test by train; nothing here is random, so `seed` changes nothing.

        Raises:
            DataError: as in `train_and_test`.
        """
        train, test = train_and_test(encoder, data, self.label)
        voting = min(self.k, len(train))
        possible = [k for k in cards.NEIGHBOURS if k <= len(train)]
        similarities, index = nearest(train.vectors, test.vectors, k=max([voting, *possible]))
        neighbours = train.labels[index]
        predicted = {
            k: vote(similarities[:, :k], neighbours[:, :k], temperature=self.temperature) for k in {voting, *possible}
        }
        variants = {f"top1_{k}": predicted[k][None] for k in possible}
        scores, predictions = score_variants(self.card, train, test, predicted[voting][None], variants)
        notes = {"videos_of_smallest_class": train.smallest_class[0], **split_notes(train, test)}
        if voting < self.k:
            notes["fewer_neighbours"] = f"k is {self.k}; train has {voting} videos, which all vote"
        shares = vote_shares(
            similarities[:, :voting], neighbours[:, :voting], classes=len(train.classes), temperature=self.temperature
        )
        return Evaluation(scores, predictions, notes, class_scores=keep("probabilities", shares[None]))
