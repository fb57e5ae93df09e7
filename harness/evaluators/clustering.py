"""Clusters of frozen features against classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import torch
import torch.nn.functional as F

from harness.errors import DataError, UsageError
from harness.evaluators.cards.clustering import CLUSTERING
from harness.evaluators.points import points
from harness.evaluators.scoring import scored
from harness.evaluators.top_clusters import top_clusters
from harness.functional.agreement import adjusted_mutual_information
from harness.functional.kmeans import kmeans
from harness.functional.metrics import conditional_entropy, entropy
from harness.functional.spectral import spectral_embedding
from harness.interfaces import Evaluation, Score

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cards import EvaluatorCard
    from harness.features import FrozenEncoder
    from harness.interfaces import Dataset

RANDOM_DRAWS = 100
"""Random assignments whose mean is the baseline: at small N it lies far below H(class)."""


class Clustering:
    """Clusters of the test split's features, as many as the label has classes, against the classes.

    Scores are means over `repeats` runs of k-means, seeded by `seed * repeats`, `seed * repeats + 1`, and so on; the
    notes have the sample standard deviation over the runs, and H(class). The baseline is the mean over random
    assignments to as many clusters of the same points. The picture is of the run with the least inertia. Spectral
    clustering is the same on the rows of `spectral_embedding`: on all pairs up to 20,000 points, above that on a graph
    of neighbours.

    A point is a video, or with `clips` each of so many clips of a video (a frame, for an encoder of single frames).
    Then every metric is of points, and the conditional entropy is also given of videos, each in the cluster that most
    of its clips are in (of equal ones the first).

    Args:
        label: which kind of class the clusters are held against.
        algorithm: `kmeans` or `spectral`.
        repeats: runs of k-means.
        normalise: scale each point's vector to length 1 first. The paper does not; it helps where lengths vary.
        clips: of each video, spread evenly over it, as points of their own; None averages the encoder's own clips.

    Raises:
        UsageError: when `repeats` or `clips` is below 1.

    Source: Redondo-Cabrera and López-Sastre, "Unsupervised learning from videos using temporal coherency deep
    networks", CVIU 2019, discovery of actions and scenes.
    """

    card: ClassVar[EvaluatorCard] = CLUSTERING

    def __init__(
        self,
        label: str = "action",
        algorithm: Literal["kmeans", "spectral"] = "kmeans",
        repeats: int = 10,
        normalise: bool = False,
        clips: int | None = None,
    ) -> None:
        for name, number in (("repeats", repeats), ("clips", clips)):
            if number is not None and number < 1:
                msg = f"evaluator 'clustering': {name} must be at least 1, got {number}"
                raise UsageError(msg)
        self.label = label
        self.algorithm = algorithm
        self.repeats = repeats
        self.normalise = normalise
        self.clips = clips

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Cluster test; train is not looked at.

        Raises:
            DataError: as in `labelled`, or when test has one class only, or fewer points than the label has classes.
        """
        test, frames = points(encoder, data, "test", self.label, self.clips)
        labels, count = test.labels, len(test.classes)
        where = f"test of data set {data.card.name!r}"
        if count - len(test.absent) < 2:
            msg = f"{where} has one class of {self.label!r} only; there is nothing to tell apart"
            raise DataError(msg)
        if count > len(test):
            what = "videos" if self.clips is None else "clips"
            msg = f"{where} has {len(test)} {what}, too few for the {count} clusters that its {self.label!r} asks for"
            raise DataError(msg)
        vectors = F.normalize(test.vectors, dim=1) if self.normalise else test.vectors
        if self.algorithm == "spectral":
            vectors = spectral_embedding(vectors, count)
        found = kmeans(vectors, count, range(seed * self.repeats, (seed + 1) * self.repeats))
        generator = torch.Generator().manual_seed(seed)
        guessed = torch.randint(count, (RANDOM_DRAWS, len(test)), generator=generator).to(labels)
        scores, predictions = scored(self.card, test, found.assignments, guessed)
        ami = [float(adjusted_mutual_information(labels, rows).mean()) for rows in (found.assignments, guessed)]
        scores = (*scores, Score("ami", *ami))
        if self.clips is not None:
            of_videos = [_of_videos(labels, rows, self.clips) for rows in (found.assignments, guessed)]
            scores = (*scores, Score("video_conditional_entropy", *of_videos))
        entropies = conditional_entropy(labels, found.assignments)
        best = int(found.inertia.argmin())
        return Evaluation(
            scores,
            predictions,
            {
                "conditional_entropy_std": float(entropies.std()) if self.repeats > 1 else None,
                "conditional_entropy_of_least_inertia": float(entropies[best]),
                "class_entropy_bits": float(entropy(labels)),
                "clusters": count,
                "points": len(test),
                "classes_absent_from_test": list(test.absent),
            },
            {"top-clusters": top_clusters(test, frames, found.assignments[best], seed=seed)},
        )


def _of_videos(labels: Tensor, clusters: Tensor, clips: int) -> float:
    """Mean conditional entropy of videos, each in the cluster of most of its `clips`; `clusters` is (R, N * clips)."""
    votes = F.one_hot(clusters.view(len(clusters), -1, clips)).sum(2)  # (R, N, K)
    return float(conditional_entropy(labels[::clips], votes.argmax(2)).mean())
