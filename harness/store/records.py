"""Records of a store: the place of a run in a suite, and the run."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic

from harness.backbones.start import Start
from harness.cards import NAME
from harness.store.choices import Choice, Part, StartingFit, starting_fits, stored_parts
from harness.system.hashing import digest
from harness.values import ComputePrecision, Evaluation, Predictions, Score, ScoreKind

Status = Literal["done", "failed", "diverged", "oom", "data"]

FITS = "fits"
"""Field of provenance: keys of fits that a row is made of or started from."""


class CellSpec(pydantic.BaseModel):
    """Place of a run in a suite; it stays the same when code or data change."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    method: Choice
    backbone: Choice | None
    """None for a method that builds no network."""
    pretraining: Choice | None
    """The data set whose training split the method learnt from; None for none."""
    frames: int | None
    """The budget of the fit; None for a method that needs none."""
    evaluator: Choice
    data: Choice
    """The data set measured on; its fold is one of its options."""
    seed: int
    precision: ComputePrecision = "fp32"
    """Precision in which networks are fitted and encode; stored where it is not fp32."""

    @pydantic.model_serializer(mode="wrap")
    def _stored(self, stored: pydantic.SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = stored(self)
        if values.get("precision") == "fp32":
            del values["precision"]
        return values

    @property
    def place(self) -> str:
        """Hash of the cell, in whatever order its options are written."""
        return digest(self.model_dump(mode="json"))

    @property
    def fit_label(self) -> str:
        """Method, backbone and seed in one line."""
        return fit_label(self.method, self.backbone, self.seed)

    @property
    def parts(self) -> tuple[Part, ...]:
        """Parts of a composite; none for a method."""
        return stored_parts(self.method.options.get("of"))

    @property
    def further_data(self) -> tuple[Choice, ...]:
        """Data sets learnt from beside `pretraining`, each once.

        Those of parts, and of the fits that networks start from.
        """
        named = [*(part.pretraining for part in self.parts), *(fit.pretraining for fit in self.starting_fits)]
        own = [one for one in named if one is not None and one != self.pretraining]
        return tuple({one.model_dump_json(): one for one in own}.values())

    @property
    def starting_fits(self) -> tuple[StartingFit, ...]:
        """Fits that the method or parts start from, and those that these start from."""
        methods = (self.method, *(part.method for part in self.parts))
        return tuple(fit for method in methods for fit in starting_fits(method))


def fit_label(method: Choice, backbone: Choice | None, seed: int) -> str:
    """Method, backbone and seed of a fit in one line."""
    built = [method.label] if backbone is None else [method.label, backbone.label]
    return " / ".join([*built, f"seed {seed}"])


class Average(pydantic.BaseModel):
    """Names of the row and the column in which the folds of a data set are averaged."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    pretraining: Choice | None
    data: Choice


class ClassScoresRecord(pydantic.BaseModel):
    """Kind of the class scores that lie beside a run, and the checksum of their file."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    kind: ScoreKind
    checksum: str


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
    sees: str = ""
    """Views of the row's encoders in words."""
    starts: tuple[Start, ...] = ()
    """Weights that its networks started from, those that were not random."""
    scores: tuple[Score, ...] = ()
    predictions: Predictions | None = None
    notes: dict[str, Any] = {}
    pictures: tuple[Annotated[str, pydantic.Field(pattern=f"^(?:{NAME.pattern})$")], ...] = ()
    """Short names of the PNGs that lie beside it; `Store.picture` finds them."""
    class_scores: ClassScoresRecord | None = None
    """Class scores that lie beside it; `Store.class_scores` reads them."""
    protocol: dict[str, Any]
    """All that scores are of beside the row: recipe, clips and crops, data, code."""
    protocol_id: str
    """Hash of `protocol`; numbers are ranked only within one."""
    provenance: dict[str, Any]
    """Versions, hardware, commit, seconds; no part of any key."""

    @property
    def unwritten(self) -> dict[str, Any]:
        """Fields that its text lacks, as that of runs from before there were any."""
        absent: dict[str, Any] = {} if self.class_scores else {"class_scores": True}
        if self.predictions is not None and not self.predictions.multilabels:
            absent["predictions"] = {"multilabels"}
        return absent

    def score(self, metric: str) -> Score | None:
        """Find the score of `metric`, or None."""
        return next((score for score in self.scores if score.metric == metric), None)

    @property
    def evaluation(self) -> Evaluation:
        """Scores, predictions and notes of the evaluator."""
        return Evaluation(self.scores, self.predictions, self.notes)
