"""Options of every evaluator of vectors: layer and precision of the features."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.cards import EvaluatorCard
    from harness.interfaces import Dataset, Evaluator, FrozenEncoder
    from harness.values import Encoding, Evaluation, Precision, Promise


class WithEncoding:
    """An evaluator of vectors whose encodings have a layer and a precision.

    Args:
        evaluator: of vectors.
        layer: name of a layer of the encoder's network; None takes the encoder's own vectors.
        precision: of stored features.

    Raises:
        UsageError: when the evaluator takes more than vectors.
    """

    def __init__(self, evaluator: Evaluator, *, layer: str | None, precision: Precision) -> None:
        if evaluator.card.needs != {"vector"}:
            name = evaluator.card.name
            msg = f"evaluator {name!r} takes no layer or precision: expected an evaluator of vectors alone"
            raise UsageError(msg)
        self._evaluator = evaluator
        self._layer = layer
        self._precision: Precision = precision

    @property
    def card(self) -> EvaluatorCard:
        """Card of the evaluator; a layer needs a network."""
        card = self._evaluator.card
        return card if self._layer is None else dataclasses.replace(card, needs=card.needs | {"trainable"})

    def encodings(self, promise: Promise, data: Dataset, *, seed: int) -> tuple[Encoding, ...]:
        """Those of the evaluator, of the layer."""
        return tuple(
            dataclasses.replace(encoding, layer=self._layer, precision=self._precision)
            for encoding in self._evaluator.encodings(promise, data, seed=seed)
        )

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Measure the layer."""
        return self._evaluator.evaluate(encoder.asking(layer=self._layer, precision=self._precision), data, seed=seed)
