"""Retrieval: recall of videos of the same class among the nearest."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

import torch

from harness.errors import DataError
from harness.evaluators.cards import RANKS, RETRIEVAL
from harness.evaluators.labelled_features import TRAIN_AND_TEST, expect_classes, labelled_features, train_and_test
from harness.evaluators.scoring import score
from harness.functional.knn import nearest
from harness.values import Evaluation

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cards import EvaluatorCard
    from harness.interfaces import Dataset, FrozenEncoder
    from harness.values import Encoding, Promise


class Retrieval:
    """Recall at k: is a video of the query's class among its k nearest by cosine?

    The baseline is the chance of it in a random order of the gallery. A k is left out where the gallery has no
    more than k videos, because then every order would do. A test video that searches its own split never finds itself;
    one that is alone in its class there is missed.

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
        _, index = nearest(gallery.vectors, None if own else test.vectors, k=max(possible))
        same = gallery.labels[index] == test.labels[:, None]
        relevant = gallery.labels.bincount(minlength=len(test.classes))[test.labels] - own
        values = {f"recall_{k}": same[:, :k].any(1).float()[None] for k in possible}
        chance = {f"recall_{k}": chance_of_recall(relevant, size, k)[None] for k in possible}
        predicted = gallery.labels[index[:, :1]].mT
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
