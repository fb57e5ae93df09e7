"""Reduction of a part's clips and crops to one vector before parts are joined."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from harness.values import Aggregate, Encoding, Promise

Crops = Literal[1, 3, 5, 10]
"""Numbers of crops that a clip may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """Clips and crops of a video, and how they become one vector.

    >>> str(Reduction(clips=4, crops=10, aggregate="max")), str(Reduction(crops=1))
    ('maximum over 4 clips and 10 crops', '1 crop')
    """

    clips: int | None = None
    """None leaves it to the evaluator."""
    crops: Crops | None = None
    """None leaves it to the evaluator."""
    aggregate: Aggregate = "mean"

    def __str__(self) -> str:
        counts = ((self.clips, "clip"), (self.crops, "crop"))
        numbers = " and ".join(f"{count} {name}{'s' * (count > 1)}" for count, name in counts if count)
        over = f"over {numbers or 'clips and crops'}"
        return f"maximum {over}" if self.aggregate == "max" else numbers or f"mean {over}"

    def asked(self, encoding: Encoding) -> Encoding:
        """The encoding with these numbers in place of the evaluator's."""
        numbers = {name: value for name in ("clips", "crops") if (value := getattr(self, name)) is not None}
        return replace(encoding, aggregate=self.aggregate, **numbers)

    def promise(self, promise: Promise) -> Promise:
        """Properties of an encoder whose features are reduced: vectors alone."""
        return Promise(views=promise.views, shape=(promise.dim,))
