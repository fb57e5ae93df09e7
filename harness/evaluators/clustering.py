"""Clusters of frozen features against classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
import torch.nn.functional as F

from harness.errors import DataError, UsageError
from harness.evaluators import CLUSTERING
from harness.evaluators.labelled import labelled
from harness.evaluators.scoring import predictions, scores
from harness.functional.kmeans import kmeans
from harness.functional.metrics import conditional_entropy, entropy
from harness.interfaces import Evaluation

if TYPE_CHECKING:
    from harness.cards import EvaluatorCard
    from harness.features import FrozenEncoder
    from harness.interfaces import Dataset

RANDOM_DRAWS = 100
"""Random assignments whose mean is the baseline: at small N it lies far below H(class)."""


class Clustering:
    """k-means on the test split's features, as many clusters as the label has classes, against the classes.

    Scores are means over `repeats` runs of k-means, seeded by `seed * repeats`, `seed * repeats + 1`, and so on; the
    notes have the sample standard deviation over the runs, and H(class). The baseline is the mean over random
    assignments to as many clusters of the same videos.

    Args:
        label: which kind of class the clusters are held against.
        repeats: runs of k-means.
        normalise: scale each video's vector to length 1 first. The paper does not; it helps where lengths vary.

    Raises:
        UsageError: when `repeats` is below 1.

    Source: Redondo-Cabrera and López-Sastre, "Unsupervised learning from videos using temporal coherency deep
    networks", CVIU 2019, discovery of actions and scenes.
    """

    card: ClassVar[EvaluatorCard] = CLUSTERING

    def __init__(self, label: str = "action", repeats: int = 10, normalise: bool = False) -> None:
        if repeats < 1:
            msg = f"evaluator 'clustering': repeats must be at least 1, got {repeats}"
            raise UsageError(msg)
        self.label = label
        self.repeats = repeats
        self.normalise = normalise

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Cluster test; train is not looked at.

        Raises:
            DataError: as in `labelled`, or when test has one class only, or fewer videos than the label has classes.
        """
        test = labelled(encoder, data, "test", self.label)
        count = len(test.classes)
        where = f"test of data set {data.card.name!r}"
        if count - len(test.absent) < 2:
            msg = f"{where} has one class of {self.label!r} only; there is nothing to tell apart"
            raise DataError(msg)
        if count > len(test):
            msg = f"{where} has {len(test)} videos, too few for the {count} clusters that its {self.label!r} asks for"
            raise DataError(msg)
        vectors = F.normalize(test.vectors, dim=1) if self.normalise else test.vectors
        seeds = range(seed * self.repeats, (seed + 1) * self.repeats)
        found = kmeans(vectors, count, seeds)
        generator = torch.Generator().manual_seed(seed)
        guessed = torch.randint(count, (RANDOM_DRAWS, len(test)), generator=generator).to(test.labels)
        entropies = conditional_entropy(test.labels, found.assignments)
        return Evaluation(
            scores(self.card, test.labels, found.assignments, guessed),
            predictions(test, found.assignments),
            {
                "conditional_entropy_std": float(entropies.std()) if self.repeats > 1 else None,
                "conditional_entropy_of_least_inertia": float(entropies[found.inertia.argmin()]),
                "class_entropy_bits": float(entropy(test.labels)),
                "clusters": count,
                "normalise": self.normalise,
                "test_videos": len(test),
                "classes_absent_from_test": list(test.absent),
            },
        )
