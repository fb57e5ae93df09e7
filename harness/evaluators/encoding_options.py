"""Options of every evaluator of vectors: layer, precision, clips and crops."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Literal

import pydantic

from harness.errors import UsageError
from harness.values import Encoding, Precision

if TYPE_CHECKING:
    from harness.cards import EvaluatorCard
    from harness.interfaces import Dataset, Evaluator, FrozenEncoder
    from harness.values import Evaluation, Promise


class EncodingOptions(pydantic.BaseModel):
    """Options of the features that an evaluator of vectors measures."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    layer: str | None = None
    """Name of a layer of the encoder's network; None takes the encoder's own vectors."""
    precision: Precision = "float32"
    """Type that features are stored in."""
    clips: Annotated[int, pydantic.Field(gt=0)] = 1
    """Clips of a video whose vectors are averaged; a whole video is shown once."""
    crops: Literal[1, 3, 5, 10] = 1
    """Crops of a clip whose vectors are averaged."""

    @property
    def encoding(self) -> Encoding:
        """Encoding that says this."""
        return Encoding(**self.model_dump())


class WithEncoding:
    """An evaluator of vectors whose encodings have options.

    Args:
        evaluator: of vectors.
        options: of the features.

    Raises:
        UsageError: when the evaluator takes more than vectors.
    """

    def __init__(self, evaluator: Evaluator, options: EncodingOptions) -> None:
        if evaluator.card.needs != {"vector"}:
            name = evaluator.card.name
            taken = ", ".join(EncodingOptions.model_fields)
            msg = f"evaluator {name!r} takes none of {taken}: expected an evaluator of vectors alone"
            raise UsageError(msg)
        self._evaluator = evaluator
        self._asked = options.encoding

    @property
    def card(self) -> EvaluatorCard:
        """Card of the evaluator; a layer needs a network."""
        card = self._evaluator.card
        return card if self._asked.layer is None else dataclasses.replace(card, needs=card.needs | {"trainable"})

    def encodings(self, promise: Promise, data: Dataset, *, seed: int) -> tuple[Encoding, ...]:
        """Those of the evaluator, completed by the options."""
        asked = self._asked
        return tuple(
            dataclasses.replace(
                encoding,
                layer=asked.layer,
                precision=asked.precision,
                clips=encoding.clips or asked.clips,
                crops=encoding.crops or asked.crops,
            )
            for encoding in self._evaluator.encodings(promise, data, seed=seed)
        )

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Measure what the options say."""
        return self._evaluator.evaluate(encoder.asking(self._asked), data, seed=seed)
