"""Temporal order: the accuracy lost when the frames of every clip are shuffled."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from harness.evaluators.cards import TEMPORAL_ORDER
from harness.evaluators.labelled_features import TRAIN_AND_TEST
from harness.evaluators.linear import LinearProbe
from harness.system.seeding import derive_seed
from harness.values import Encoding, Evaluation, Score

if TYPE_CHECKING:
    from harness.cards import EvaluatorCard
    from harness.interfaces import Dataset, FrozenEncoder
    from harness.values import Predictions, Promise

SHUFFLINGS = 2


class TemporalOrder:
    """Linear probe on clips in order less that on clips with shuffled frames.

    An encoder that averages the vectors of single frames loses nothing. The most that can be lost is what the probe
    has in order above what poses and places alone tell, so that the loss of one data set says nothing about another.
    Of the two accuracies the baseline is train's most frequent class; the loss has none. Stored predictions are those
    in order, then one row for each shuffling.

    Args:
        label: which kind of class to predict.

    Source: Husain, Dellen and Torras, "Action recognition based on efficient deep feature learning in the
    spatio-temporal domain", IEEE Robotics and Automation Letters 2016, section IV-C and Fig. 4: there the network
    itself is trained on shuffled frames; here the encoder stays, and the probe is trained and tested on them.
    """

    card: ClassVar[EvaluatorCard] = TEMPORAL_ORDER

    def __init__(self, label: str = "action") -> None:
        self.label = label

    def encodings(self, promise: Promise, data: Dataset, *, seed: int) -> tuple[Encoding, ...]:
        """Vectors of train and test, in time's order and shuffled."""
        return tuple(dataclasses.replace(one, shuffle=order) for order in _orders(seed) for one in TRAIN_AND_TEST)

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Probe `encoder` three times; `seed` shuffles.

        Raises:
            DataError: as in the linear probe.
        """
        probe = LinearProbe(self.label)
        evaluations = [probe.classify(encoder, data, Encoding(shuffle=order)) for order in _orders(seed)]
        predictions = [evaluation.predictions for evaluation in evaluations if evaluation.predictions is not None]
        hits = torch.stack([_hits(one) for one in predictions])  # (1 + SHUFFLINGS, N)
        values = {"top1_lost": hits[:1] - hits[1:], "top1": hits[:1], "top1_shuffled": hits[1:]}
        baseline = evaluations[0].scores[0].baseline
        return Evaluation(
            tuple(
                Score(name, float(rows.mean()), None if name == "top1_lost" else baseline)
                for name, rows in values.items()
            ),
            dataclasses.replace(
                predictions[0],
                predicted=tuple(row for one in predictions for row in one.predicted),
                values={name: tuple(tuple(row) for row in rows.tolist()) for name, rows in values.items()},
            ),
            _notes(evaluations),
        )


def _orders(seed: int) -> list[int | None]:
    """Time's order, then the seeds of the shufflings."""
    return [None, *(derive_seed(seed, time) for time in range(SHUFFLINGS))]


def _hits(predictions: Predictions) -> torch.Tensor:
    return (torch.tensor(predictions.predicted[0]) == torch.tensor(predictions.labels)).double()


def _notes(evaluations: list[Evaluation]) -> dict[str, Any]:
    """Notes that the probes share, and the strength and accuracy of each."""
    shared = ("train_videos", "test_videos", "classes_absent_from_test")
    return {
        **{name: evaluations[0].notes[name] for name in shared},
        "strengths": [evaluation.notes["strength"] for evaluation in evaluations],
        "top1_of_each_shuffling": [evaluation.scores[0].value for evaluation in evaluations[1:]],
    }
