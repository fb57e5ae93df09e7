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
    """Which cell of a suite a run is of; it stays the same when code or data change."""

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
    """The stored outcome of a cell: scores, predictions and provenance, or the recorded failure."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    key: str
    fit_key: str
    identity: CellSpec
    status: Status
    reason: str = ""
    supervised: bool
    """Whether the method read labels: a reference, never ranked."""
    scores: tuple[Score, ...] = ()
    predictions: Predictions | None = None
    notes: dict[str, Any] = {}
    pictures: tuple[str, ...] = ()
    """Short names of the PNGs that lie beside it; `Store.picture` finds them."""
    protocol: dict[str, Any]
    """Everything a number depends on that is not the method: view, decoder, recipe, manifests."""
    protocol_id: str
    """Hash of `protocol`; numbers are ranked only within one."""
    provenance: dict[str, Any]
    """Versions, hardware, commit, seconds: what happened, as opposed to what was asked for."""

    def score(self, metric: str) -> Score | None:
        """The score of `metric`, or None."""
        return next((score for score in self.scores if score.metric == metric), None)

    @property
    def evaluation(self) -> Evaluation:
        """Scores, predictions and notes as the evaluator gave them."""
        return Evaluation(self.scores, self.predictions, self.notes)


@dataclass(frozen=True, slots=True)
class Cell:
    """One number to be: a method fitted on a backbone, measured by an evaluator on a data set, with a seed."""

    identity: CellSpec
    fit_key: str
    key: str
    protocol: Mapping[str, Any]
    supervised: bool
    missing: frozenset[Need] = frozenset()
    """What the evaluator needs and the method's encoders do not offer; such a cell is not applicable."""
