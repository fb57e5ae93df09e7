"""Evaluator of a new softmax on frozen features, with pictures of its predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness.evaluators.labelled_features import train_and_test
from harness.evaluators.linear import LinearProbe
from harness_vgg3d.cards import LBFGS_SOFTMAX
from harness_vgg3d.predictions_page import with_predictions

if TYPE_CHECKING:
    from harness.cards import EvaluatorCard
    from harness.interfaces import Dataset, FrozenEncoder
    from harness.values import Evaluation


class LbfgsSoftmax(LinearProbe):
    """The linear probe with a page of its likeliest classes.

    Args:
        label: which kind of class to predict.

    Source: Husain, Dellen and Torras 2016, section IV-B and Fig. 6.
    """

    card: ClassVar[EvaluatorCard] = LBFGS_SOFTMAX

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Classify test; `seed` chooses the videos of the page and nothing else.

        Raises:
            DataError: as in `LinearProbe.classify`, or when a video of the page does not decode.
        """
        evaluation = self.classify(encoder, data)
        train, test = train_and_test(encoder, data, self.label)
        x, queries = self.scale(train.vectors, test.vectors)
        strength = x.new_tensor([evaluation.notes[self.option]])
        fitted = self.fit(x, train.labels, strength, len(train.classes))
        logits = queries.double() @ fitted.weight[0].double().mT + fitted.bias[0].double()
        return with_predictions(evaluation, test, logits.softmax(1), seed=seed)
