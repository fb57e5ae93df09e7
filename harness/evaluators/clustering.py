"""Clustering: clusters of frozen features against classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import torch
import torch.nn.functional as F

from harness.errors import DataError, UsageError
from harness.evaluators.cards import CLUSTERING
from harness.evaluators.labelled_features import clustering_samples, expect_classes, samples_encoding
from harness.evaluators.pictures import top_clusters
from harness.evaluators.scoring import score
from harness.functional.kmeans import kmeans
from harness.functional.metrics import conditional_entropy, entropy
from harness.functional.spectral import spectral_embedding
from harness.values import Evaluation, Score

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cards import EvaluatorCard
    from harness.interfaces import Dataset, FrozenEncoder
    from harness.values import Encoding, Promise

RANDOM_DRAWS = 100
"""Random assignments for the baseline; at small N it is far below H(class)."""


class Clustering:
    """k-means or spectral clusters of a split's features, against classes.

    Labels serve measuring only: they choose neither samples nor clusters, but for the number of these where `clusters`
    does not. Two labels with the same `clusters` measure the same clusters.

    Scores are means over `repeats` runs of k-means, seeded by `seed * repeats`, `seed * repeats + 1`, and so on; the
    notes have the sample standard deviation over the runs, and H(class). The baseline is the mean over random
    assignments of the same samples to as many clusters. The picture is of the run with the least inertia. Spectral
    clustering is the same on the rows of `spectral_embedding`: on all pairs up to 20,000 samples, above that on a
    graph of neighbours.

    A sample is a video, or with `clips` each of so many clips of a video (a frame, for an encoder of single frames), or
    with `stride` the first frame of a video and every `stride`-th after it, for an encoder of single frames. Then every
    metric is of samples, and the conditional entropy is also given of videos, each in the cluster of most of its
    samples (of equal ones the first).

    Args:
        label: which kind of class the clusters are held against.
        algorithm: `kmeans` or `spectral`.
        repeats: runs of k-means.
        normalise: scale each vector to length 1 first. The paper does not; it helps where lengths vary.
        clips: of each video, spread evenly over it, as samples of their own; None averages the encoder's own clips.
        stride: frames from one sample of a video to its next, in place of `clips`; long videos give more samples.
        clusters: how many; None for as many as the label has classes.
        split: whose videos are clustered; `train` shows what was made of those that were learnt from.

    Raises:
        UsageError: when `repeats`, `clips`, `stride` or `clusters` is below 1, or both `clips` and `stride` are given.

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
        stride: int | None = None,
        clusters: int | None = None,
        split: Literal["train", "test"] = "test",
    ) -> None:
        for name, number in (("repeats", repeats), ("clips", clips), ("stride", stride), ("clusters", clusters)):
            if number is not None and number < 1:
                msg = f"evaluator 'clustering': {name} must be at least 1, got {number}"
                raise UsageError(msg)
        if clips is not None and stride is not None:
            msg = f"evaluator 'clustering': clips={clips} and stride={stride} both say what a sample is; give one"
            raise UsageError(msg)
        self.label = label
        self.algorithm = algorithm
        self.repeats = repeats
        self.normalise = normalise
        self.clips = clips
        self.stride = stride
        self.clusters = clusters
        self.split = split

    def encodings(self, promise: Promise, data: Dataset, *, seed: int) -> tuple[Encoding, ...]:
        """Vectors of the samples of the split; errors as in `samples_encoding`."""
        return (samples_encoding(promise, self.split, clips=self.clips, stride=self.stride),)

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Cluster the split; no other is looked at.

        Raises:
            UsageError: as in `clustering_samples`.
            DataError: as in `labelled_features`, or when the split has one class only, or fewer samples than clusters.
        """
        samples = clustering_samples(encoder, data, self.split, self.label, clips=self.clips, stride=self.stride)
        features, videos = samples.features, samples.videos
        labels, count = features.labels, self.clusters or len(features.classes)
        whole = self.clips is None and self.stride is None
        expect_classes(features, data, self.label)
        if count > len(features):
            what = "videos" if whole else "clips" if self.stride is None else "frames"
            asking = f"its {self.label!r} asks for" if self.clusters is None else "the option clusters asks for"
            msg = (
                f"{self.split} of data set {data.card.name!r} has {len(features)} {what}, too few for the {count} "
                f"clusters that {asking}"
            )
            raise DataError(msg)
        vectors = F.normalize(features.vectors, dim=1) if self.normalise else features.vectors
        if self.algorithm == "spectral":
            vectors = spectral_embedding(vectors, count)
        clusters = kmeans(vectors, count, range(seed * self.repeats, (seed + 1) * self.repeats))
        generator = torch.Generator().manual_seed(seed)
        guessed = torch.randint(count, (RANDOM_DRAWS, len(features)), generator=generator).to(labels)
        scores, predictions = score(self.card, features, clusters.assignments, guessed)
        if not whole:
            entropies = [_video_entropy(labels, rows, videos.to(labels)) for rows in (clusters.assignments, guessed)]
            scores = (*scores, Score("video_conditional_entropy", *entropies))
        bits = conditional_entropy(labels, clusters.assignments)
        best = int(clusters.inertia.argmin())
        return Evaluation(
            scores,
            predictions,
            {
                "conditional_entropy_std": float(bits.std()) if self.repeats > 1 else None,
                "conditional_entropy_of_least_inertia": float(bits[best]),
                "class_entropy_bits": float(entropy(labels)),
                "clusters": count,
                "points": len(features),
                f"classes_absent_from_{self.split}": list(features.absent),
            },
            {"top-clusters": top_clusters(samples, clusters.assignments[best], seed=seed)},
        )


def _video_entropy(labels: Tensor, clusters: Tensor, videos: Tensor) -> float:
    """Mean conditional entropy of videos, each in the cluster of most of its samples.

    Of clusters with equally many samples of a video it is in the first.

    Args:
        labels: (N,) of samples.
        clusters: (R, N).
        videos: (N,) the video of each sample, in ascending order.
    """
    count = int(videos[-1]) + 1
    first = torch.searchsorted(videos, torch.arange(count, device=videos.device))
    voted = torch.stack([_voted(row, videos, count) for row in clusters])
    return float(conditional_entropy(labels[first], voted).mean())


def _voted(clusters: Tensor, videos: Tensor, count: int) -> Tensor:
    """(count,) the first cluster with most samples of each video.

    Votes are counted of the pairs that occur: a table of all videos and clusters would not fit memory.
    """
    kinds = int(clusters.max()) + 1
    pairs, votes = torch.unique(videos * kinds + clusters, return_counts=True)
    owners, candidates = pairs // kinds, pairs % kinds
    most = votes.new_zeros(count).scatter_reduce(0, owners, votes, "amax")
    winning = votes == most[owners]
    voted = videos.new_full((count,), kinds)
    return voted.scatter_reduce_(0, owners[winning], candidates[winning], "amin")
