"""Evaluator of the classifier that a network learnt itself."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, ClassVar, Literal

import torch

from harness.errors import UsageError
from harness.evaluators.class_scores import keep
from harness.evaluators.labelled_features import LabelledFeatures, labelled_features, split_notes
from harness.evaluators.scoring import score_logits
from harness.interfaces import Features
from harness.system.seeding import derive_seed
from harness.values import Encoding, Evaluation
from harness_vgg3d.cards import OWN_SOFTMAX
from harness_vgg3d.classified import ClassifiedNetwork
from harness_vgg3d.predictions_page import with_predictions

if TYPE_CHECKING:
    from torch import Tensor, nn

    from harness.cards import EvaluatorCard
    from harness.interfaces import Dataset, FrozenEncoder, Split
    from harness.values import Promise

VIDEOS = 256
"""Videos that are classified at a time."""


class OwnSoftmax:
    """Probabilities of the network's own classifier, averaged over crops.

    Nothing is learnt: of train only the labels are read, for the baselines.

    Args:
        label: kind of class that the network learnt.
        crops: of each clip.
        shuffled: whether the frames of each clip are in a random order.

    Source: Husain, Dellen and Torras 2016, section V, and Fig. 4 where frames are shuffled.
    """

    card: ClassVar[EvaluatorCard] = OWN_SOFTMAX

    def __init__(self, label: str = "action", crops: Literal[1, 3, 5, 10] = 10, shuffled: bool = False) -> None:
        self.label = label
        self.crops = crops
        self.shuffled = shuffled

    def encodings(self, promise: Promise, data: Dataset, *, seed: int) -> tuple[Encoding, ...]:
        """Vectors of test, of every crop."""
        return (self._encoding(seed),)

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Classify test; `seed` shuffles, and chooses the videos of the page.

        Raises:
            DataError: as in `labelled_features`, or when a video of the page does not decode.
            UsageError: when the encoder keeps no classifier, or one of other classes than those of `data`.
        """
        train, test = data.split("train"), data.split("test")
        network = self._network(encoder, data, (train, test))
        encoding = self._encoding(seed)
        tested = labelled_features(encoder, data, "test", self.label, encoding)
        probabilities = mean_probabilities(network.classifier, encoder.features(test, encoding).per_clip())
        labels = Features((), train, encoder.device).labels(self.label)
        known = LabelledFeatures(tested.vectors.new_empty(len(labels), 0), labels, tested.classes, train)
        scores, predictions = score_logits(self.card, known, tested, probabilities[None])
        notes = {**split_notes(known, tested), "crops": self.crops}
        evaluation = Evaluation(scores, predictions, notes, class_scores=keep("probabilities", probabilities[None]))
        return with_predictions(evaluation, tested, probabilities, seed=seed)

    def _encoding(self, seed: int) -> Encoding:
        return Encoding(split="test", crops=self.crops, shuffle=derive_seed(seed, 0) if self.shuffled else None)

    def _network(self, encoder: FrozenEncoder, data: Dataset, splits: tuple[Split, ...]) -> ClassifiedNetwork:
        network = encoder.pretext()
        if not isinstance(network, ClassifiedNetwork):
            msg = (
                f"evaluator {self.card.name!r} measures networks that keep the classifier they learnt, "
                f"got {type(network).__name__}"
            )
            raise UsageError(msg)
        for split in splits:
            for number, (own, other) in enumerate(zip_longest(network.classes, split.classes.get(self.label, ()))):
                if own != other:
                    msg = (
                        f"evaluator {self.card.name!r}: expected class {number} of {self.label!r} in {split.name} of "
                        f"data set {data.card.name!r} to be {own!r}, which the network learnt, got {other!r}"
                    )
                    raise UsageError(msg)
        return network


@torch.no_grad()
def mean_probabilities(classifier: nn.Linear, vectors: Tensor) -> Tensor:
    """Average the softmax over the crops of each video: (N, K) float64.

    Args:
        classifier: D -> K; its precision becomes float64.
        vectors: (N, V, D) of V clips and crops.
    """
    classifier = classifier.to(vectors.device, torch.float64)
    return torch.cat([classifier(some.double()).softmax(2).mean(1) for some in torch.split(vectors, VIDEOS)])
