"""Retrieval: videos of the same class among the nearest."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import torch

from harness.errors import DataError
from harness.evaluators.cards import GAINS, RANKS, RETRIEVAL
from harness.evaluators.labelled_features import TRAIN_AND_TEST, expect_classes, labelled_features, train_and_test
from harness.evaluators.scoring import score
from harness.functional.largest import largest
from harness.functional.ranking import average_precision_of_items, chance_of_average_precision, chance_of_ndcg, ndcg
from harness.functional.similarities import similarity_blocks
from harness.values import Evaluation

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cards import EvaluatorCard
    from harness.evaluators.labelled_features import LabelledFeatures
    from harness.interfaces import Dataset, FrozenEncoder
    from harness.values import Encoding, Promise


class Retrieval:
    """Recall at k: is a video of the query's class among its k nearest by cosine?

    NDCG at 10 and the average precision over the whole gallery also count how many there are, and how near. The
    baseline is what a random order of the gallery gives on average. A k of recall is left out where the gallery has no
    more than k videos, because then every order would do. A test video that searches its own split never finds itself;
    one that is alone in its class there is missed, and counts 0 in every metric.

    Args:
        gallery: the split that is searched.
        label: which kind of class has to agree.

    Source: Xu et al., "Self-supervised spatiotemporal learning via video clip order prediction", CVPR 2019.
    """

    card: ClassVar[EvaluatorCard] = RETRIEVAL

    def __init__(self, gallery: Literal["train", "test"] = "train", label: str = "action") -> None:
        self.gallery = gallery
        self.label = label

    def encodings(self, promise: Promise, data: Dataset, *, seed: int) -> tuple[Encoding, ...]:
        """Vectors of the gallery and of test."""
        return tuple(one for one in TRAIN_AND_TEST if one.split in (self.gallery, "test"))

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Search with every test video; nothing here is random, so `seed` changes nothing.

        Raises:
            DataError: as in `train_and_test` or `labelled_features`, or when the gallery has too few videos, or test as
                a gallery one class only.
        """
        if self.gallery == "train":
            train, test = train_and_test(encoder, data, self.label)
            gallery, own = train, 0
        else:
            test = labelled_features(encoder, data, "test", self.label)
            gallery, own = test, 1
            expect_classes(test, data, self.label)
        size = len(gallery) - own
        possible = [k for k in RANKS if k < size]
        if not possible:
            msg = f"{self.gallery} of data set {data.card.name!r} has {len(gallery)} videos, too few to search"
            raise DataError(msg)
        first, precision = _search(gallery, test, own=bool(own))
        same = first == test.labels[:, None]
        relevant = gallery.labels.bincount(minlength=len(test.classes))[test.labels] - own
        values = {f"recall_{k}": same[:, :k].any(1).float()[None] for k in possible}
        values |= {f"ndcg_{GAINS}": ndcg(same[:, :GAINS], relevant)[None], "map": precision[None]}
        chance = {f"recall_{k}": chance_of_recall(relevant, size, k)[None] for k in possible}
        chance |= {
            f"ndcg_{GAINS}": chance_of_ndcg(relevant, size, GAINS)[None],
            "map": chance_of_average_precision(relevant, size)[None],
        }
        predicted = first[:, :1].mT
        scores, predictions = score(self.card, test, predicted, predicted, values, chance)
        return Evaluation(
            scores,
            predictions,
            {
                "gallery_videos": len(gallery),
                "test_videos": len(test),
                "classes_absent_from_test": list(test.absent),
                "alone_in_their_class": int((relevant == 0).sum()),
            },
        )


def _search(gallery: LabelledFeatures, test: LabelledFeatures, *, own: bool) -> tuple[Tensor, Tensor]:
    """Classes of each test video's nearest (N, K), and average precision (N,).

    Args:
        gallery: the videos that are searched.
        test: the N videos that search.
        own: True if the gallery is test, where no video finds itself.
    """
    classes, precision = [], []
    items = _by_class(gallery.labels, len(gallery.classes))
    count = min(max(*RANKS, GAINS), len(gallery) - own)
    for rows, block in similarity_blocks(gallery.vectors, None if own else test.vectors):
        classes.append(gallery.labels[largest(block, count)[1]])
        precision.append(average_precision_of_items(block, items[test.labels[rows]]))
    return torch.cat(classes), torch.cat(precision)


def _by_class(labels: Tensor, classes: int) -> Tensor:
    """(C, R) int64 positions of the videos of each class, filled up with -1."""
    counts = labels.bincount(minlength=classes)
    ordered, order = labels.sort(stable=True)
    place = torch.arange(len(labels), device=labels.device) - (counts.cumsum(0) - counts)[ordered]
    table = order.new_full((classes, int(counts.max())), -1)
    table[ordered, place] = order
    return table


def chance_of_recall(relevant: Tensor, size: int, k: int) -> Tensor:
    """Chance of a relevant video among the first `k` of `size` in random order.

    (N,) float64 for `relevant` (N,), the numbers of relevant videos: 1 - C(size - relevant, k) / C(size, k), the
    complement of a hypergeometric distribution's 0.

    >>> chance_of_recall(torch.tensor([0, 1, 2, 4]), size=4, k=2).tolist()
    [0.0, 0.5, 0.8333333333333334, 1.0]
    """
    drawn = torch.arange(k, dtype=torch.float64, device=relevant.device)
    others = (size - relevant)[:, None] - drawn  # left to choose from that are not relevant
    return 1 - (others.clamp(min=0) / (size - drawn)).prod(1)
