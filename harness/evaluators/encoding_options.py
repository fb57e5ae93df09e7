"""Options of every frozen evaluator: layer, precision, clips, crops and aggregate."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Annotated, Literal

import pydantic

from harness.errors import UsageError
from harness.values import Aggregate, Encoding, Precision

if TYPE_CHECKING:
    from harness.cards import EvaluatorCard
    from harness.interfaces import Dataset, Evaluator, FrozenEncoder
    from harness.values import Evaluation, Promise


class EncodingOptions(pydantic.BaseModel):
    """Options of the features that an evaluator measures."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    layer: str | None = None
    """Name of a layer of the encoder's network; None takes the encoder's own vectors."""
    precision: Precision = "float32"
    """Type that features are stored in."""
    clips: Annotated[int, pydantic.Field(gt=0)] = 1
    """Clips of a video; a whole video is shown once."""
    crops: Literal[1, 3, 5, 10] = 1
    """Crops of a clip."""
    aggregate: Aggregate = "mean"
    """Reduction of the vectors of a video's clips and crops to one."""

    @property
    def encoding(self) -> Encoding:
        """Encoding with these options."""
        return Encoding(**self.model_dump())


def taken(card: EvaluatorCard) -> tuple[str, ...]:
    """Names of the options that an evaluator takes.

    One of vectors takes all. To one of tokens, those of all clips and crops of a video are one set, so that nothing is
    left to be aggregated.
    """
    names = tuple(EncodingOptions.model_fields)
    if card.needs == {"tokens"}:
        return tuple(name for name in names if name != "aggregate")
    return names if card.needs == {"vector"} else ()


class WithEncoding:
    """A frozen evaluator whose encodings have options.

    Args:
        evaluator: of vectors, or of tokens.
        options: of the features.

    Raises:
        UsageError: when the evaluator does not take an option.
    """

    def __init__(self, evaluator: Evaluator, options: EncodingOptions) -> None:
        names = taken(evaluator.card)
        if wrong := [name for name in options.model_dump(exclude_defaults=True) if name not in names]:
            msg = (
                f"evaluator {evaluator.card.name!r} takes no {' and no '.join(wrong)}; "
                f"of the options of features it takes: {', '.join(names) or 'none'}"
            )
            raise UsageError(msg)
        self._evaluator = evaluator
        self._asked = options.encoding

    @property
    def card(self) -> EvaluatorCard:
        """Card of the evaluator; a layer, of vectors or of tokens, needs a network."""
        card = self._evaluator.card
        if self._asked.layer is None:
            return card
        return dataclasses.replace(card, needs=card.needs - {"tokens"} | {"trainable"})

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
