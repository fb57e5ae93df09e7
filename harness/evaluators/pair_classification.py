"""Pair classification: similarity of two videos of one class or of two."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
import torch.nn.functional as F

from harness.errors import DataError, UsageError
from harness.evaluators.cards import INFLUENCES, PAIR_CLASSIFICATION
from harness.evaluators.labelled_features import expect_classes, labelled_features
from harness.evaluators.scoring import to_predictions
from harness.functional.pairs import Pairs, draw_pairs
from harness.functional.ranking import average_precision, average_precision_influence, chance_of_average_precision
from harness.functional.thresholds import best_thresholds
from harness.values import Encoding, Evaluation, Score

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cards import EvaluatorCard
    from harness.interfaces import Dataset, FrozenEncoder
    from harness.values import Promise

RANDOM_DRAWS = 20
"""Random orders of the pairs for the baselines of accuracy and F1."""
_ELEMENTS = 2**24  # numbers of partners' vectors that are held at a time


class PairClassification:
    """Average precision of pairs of one class in the order of cosine similarity.

    Each test video opens as many pairs with videos of its own class as with others; the two are never of one group. A
    video that has no partner of both kinds opens none, as the notes say. Accuracy and F1 are those at their best
    thresholds, which the notes give. What a video adds to the average precision is its influence on it by all its
    pairs, beside the average precision itself, so that intervals know how one video moves the ranks of others. They err
    on the wide side, because the chance of a pair counts for both its videos.

    The baselines are those of random orders of the pairs: the expectation of the average precision, and means over
    20 orders of the others.

    Args:
        pairs: of each kind that a video opens.
        label: which kind of class the two of a pair share.

    Raises:
        UsageError: when `pairs` is below 1.

    Source: Muennighoff et al., "MTEB: Massive Text Embedding Benchmark", EACL 2023, pair classification.
    """

    card: ClassVar[EvaluatorCard] = PAIR_CLASSIFICATION

    def __init__(self, pairs: int = 10, label: str = "action") -> None:
        if pairs < 1:
            msg = f"evaluator 'pair_classification': pairs must be at least 1, got {pairs}"
            raise UsageError(msg)
        self.pairs = pairs
        self.label = label

    def encodings(self, promise: Promise, data: Dataset, *, seed: int) -> tuple[Encoding, ...]:
        """Vectors of test."""
        return (Encoding(split="test"),)

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Rank pairs of test videos; `seed` draws them.

        Raises:
            DataError: as in `labelled_features`, or when test has one class only, or no two videos of one class that
                are of different groups.
        """
        test = labelled_features(encoder, data, "test", self.label)
        expect_classes(test, data, self.label)
        pairs = draw_pairs(test.labels, test.groups, self.pairs, seed)
        if not len(pairs.first):
            msg = (
                f"test of data set {data.card.name!r} has no two videos of one class of {self.label!r} in different "
                "groups; there are no pairs to tell apart"
            )
            raise DataError(msg)
        similarities = _similarities(test.vectors, pairs).flatten()
        same = (torch.arange(2 * self.pairs, device=similarities.device) < self.pairs).repeat(len(pairs.first))
        average = float(average_precision(similarities, same))
        best = best_thresholds(similarities, same)
        generator = torch.Generator().manual_seed(seed)
        random = torch.rand(RANDOM_DRAWS, len(same), generator=generator).to(similarities.device)
        guessed = best_thresholds(random, same.expand_as(random))
        chance = float(chance_of_average_precision(same.sum()[None], len(same)))
        added = average + _influences(average_precision_influence(similarities, same), pairs, len(test))
        return Evaluation(
            (
                Score("average_precision", average, chance),
                Score("best_accuracy", float(best.accuracy), float(guessed.accuracy.mean())),
                Score("best_f1", float(best.f1), float(guessed.f1.mean())),
            ),
            to_predictions(test, test.labels.new_empty(0, len(test)), {"average_precision": added[None]}),
            {
                INFLUENCES: ["average_precision"],
                "pairs": len(same),
                "test_videos": len(test),
                "videos_without_partners": len(test) - len(pairs.first),
                "accuracy_threshold": float(best.accuracy_threshold),
                "f1_threshold": float(best.f1_threshold),
                "classes_absent_from_test": list(test.absent),
            },
        )


def _similarities(vectors: Tensor, pairs: Pairs) -> Tensor:
    """(A, 2 P) cosine similarities of videos with partners, of the same class first."""
    unit = F.normalize(vectors, dim=1)
    partners = torch.cat([pairs.same, pairs.other], dim=1)
    step = max(1, _ELEMENTS // (partners.shape[1] * unit.shape[1]))
    parts = zip(torch.split(pairs.first, step), torch.split(partners, step), strict=True)
    return torch.cat([torch.bmm(unit[others], unit[first, :, None]).squeeze(2) for first, others in parts])


def _influences(of_pairs: Tensor, pairs: Pairs, videos: int) -> Tensor:
    """(N,) float64: N times the influence of each of N videos by its pairs.

    NaN for a video of no pair; N counts the others only.
    """
    partners = torch.cat([pairs.same, pairs.other], dim=1)
    of_videos, count = of_pairs.new_zeros(2, videos)
    for owners in (pairs.first.repeat_interleave(partners.shape[1]), partners.flatten()):
        of_videos.index_add_(0, owners, of_pairs)
        count.index_add_(0, owners, torch.ones_like(of_pairs))
    return torch.where(count == 0, torch.nan, of_videos * (count > 0).sum())
