"""Values that are planned, stored and shown: choices, cells and runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pydantic

from harness.cards import Need
from harness.interfaces import Evaluation, Predictions, Score

Status = Literal["done", "failed", "diverged", "oom", "data"]


class Choice(pydantic.BaseModel):
    """A registered name with the options it was built with."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    name: str
    options: dict[str, Any] = {}

    @property
    def label(self) -> str:
        """Name and options in one line.

        >>> Choice(name="knn", options={"k": 5}).label
        'knn(k=5)'
        """
        if not self.options:
            return self.name
        return f"{self.name}({', '.join(f'{k}={v}' for k, v in sorted(self.options.items()))})"


class CellSpec(pydantic.BaseModel):
    """Place of a run in a suite; it stays the same when code or data change."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    method: Choice
    backbone: Choice
    pretraining: Choice
    """The data set whose training split the method learnt from."""
    frames: int
    """The budget of the fit."""
    evaluator: Choice
    data: Choice
    """The data set measured on; its fold is one of its options."""
    seed: int


class Run(pydantic.BaseModel):
    """Stored outcome of a cell: scores, predictions and provenance, or its failure."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    key: str
    fit_key: str
    identity: CellSpec
    status: Status
    reason: str = ""
    supervised: bool
    """True for a method that read labels: a reference, never ranked."""
    scores: tuple[Score, ...] = ()
    predictions: Predictions | None = None
    notes: dict[str, Any] = {}
    pictures: tuple[str, ...] = ()
    """Short names of the PNGs that lie beside it; `Store.picture` finds them."""
    protocol: dict[str, Any]
    """All that scores depend on beside the method: view, decoder, recipe, manifests."""
    protocol_id: str
    """Hash of `protocol`; numbers are ranked only within one."""
    provenance: dict[str, Any]
    """Versions, hardware, commit, seconds; no part of any key."""

    def score(self, metric: str) -> Score | None:
        """Find the score of `metric`, or None."""
        return next((score for score in self.scores if score.metric == metric), None)

    @property
    def evaluation(self) -> Evaluation:
        """Scores, predictions and notes of the evaluator."""
        return Evaluation(self.scores, self.predictions, self.notes)


@dataclass(frozen=True, slots=True)
class Cell:
    """One evaluation in a suite, with its keys."""

    identity: CellSpec
    fit_key: str
    key: str
    protocol: Mapping[str, Any]
    supervised: bool
    missing: frozenset[Need] = frozenset()
    """Needs of the evaluator that the method's encoders lack: not applicable."""
