"""Values that are planned, stored and shown: choices, cells and runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Annotated, Any, Literal

import pydantic

from harness.backbones.start import Start
from harness.values import Encoding, Evaluation, Join, Predictions, Promise, Score, joined_promise

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
        return f"{self.name}({', '.join(f'{k}={_shown(v)}' for k, v in sorted(self.options.items()))})"


def parse_choice(value: Any) -> Choice:
    """Parse `knn` or `{name: knn, k: 5}` into a name with options; also one as stored.

    Raises:
        ValueError: when it is neither.
    """
    if isinstance(value, Choice):
        return value
    if isinstance(value, str):
        return Choice(name=value)
    if isinstance(value, Mapping) and isinstance(value.get("name"), str):
        if value.keys() == {"name", "options"} and isinstance(value["options"], Mapping):
            return Choice(name=value["name"], options=dict(value["options"]))
        return Choice(name=value["name"], options={key: option for key, option in value.items() if key != "name"})
    msg = f"expected a registered name, or a mapping with `name` and the options, got {value!r}"
    raise ValueError(msg)


WrittenChoice = Annotated[Choice, pydantic.BeforeValidator(parse_choice)]
"""Choice as written in files."""


def _shown(value: Any) -> str:
    """An option in a label; choices, as a composite has them, by their own labels.

    >>> Choice(name="sfa", options={"start": {"weights": "a.pth", "labels": True}}).label
    'sfa(start=(labels=True, weights=a.pth))'
    """
    if isinstance(value, dict) and value:
        return f"({', '.join(f'{k}={_shown(v)}' for k, v in sorted(value.items()))})"
    choices = value if isinstance(value, list) else []
    if choices and all(isinstance(one, dict) and one.keys() == {"name", "options"} for one in choices):
        return " + ".join(Choice(**one).label for one in choices)
    return str(value)


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

    @property
    def fit_label(self) -> str:
        """Method, backbone and seed in one line."""
        return _fit_label(self.method, self.backbone, self.seed)


def _fit_label(method: Choice, backbone: Choice | None, seed: int) -> str:
    built = [method.label] if backbone is None else [method.label, backbone.label]
    return " / ".join([*built, f"seed {seed}"])


class Average(pydantic.BaseModel):
    """Names of the row and the column in which the folds of a data set are averaged."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    pretraining: Choice | None
    data: Choice


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
    pictures: tuple[str, ...] = ()
    """Short names of the PNGs that lie beside it; `Store.picture` finds them."""
    protocol: dict[str, Any]
    """All that scores are of beside the row: recipe, clips and crops, data, code."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSpec:
    """One fit: a method on a backbone, learning from the training split of a data set."""

    method: Choice
    backbone: Choice | None
    pretraining: Choice | None
    frames: int | None
    """The budget; like the two before None where the method does not read it."""
    seed: int
    supervised: bool
    """True if the method is given labels."""
    promise: Promise
    """Properties of the encoder to be."""
    key: str
    start: Start | None = None
    """Weights that it starts from, with place and hash of the file; None for random."""

    @property
    def fits(self) -> tuple[FitSpec, ...]:
        """The fit itself."""
        return (self,)

    @property
    def label(self) -> str:
        """Method, backbone and seed in one line."""
        return _fit_label(self.method, self.backbone, self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Composite:
    """A row made of other rows."""

    of: tuple[Row, ...]
    by: Join
    key: str

    @property
    def fits(self) -> tuple[FitSpec, ...]:
        """Fits that the row is made of, in order."""
        return tuple(fit for part in self.of for fit in part.fits)

    @property
    def label(self) -> str:
        """Labels of the parts in one line."""
        return " + ".join(part.label for part in self.of)

    @property
    def supervised(self) -> bool:
        """True if a part read labels."""
        return any(part.supervised for part in self.of)

    @property
    def promise(self) -> Promise:
        """Properties of the parts together."""
        return joined_promise(tuple(part.promise for part in self.of), self.by)


Row = FitSpec | Composite
"""One line of a board, for one seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeSpec:
    """Features of one split of a data set, by one fit's encoder."""

    fit: FitSpec
    data: Choice
    encoding: Encoding
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalSpec:
    """One evaluation in a suite: a row, measured by an evaluator on a data set."""

    identity: CellSpec
    row: Row
    encodings: tuple[EncodeSpec, ...]
    """Features that the evaluator will ask for."""
    protocol: Mapping[str, Any]
    key: str
    not_applicable: str = ""
    """Reason why the row cannot be measured so; empty when it can."""
    average: Average | None = None
    """Row and column of the board that average it with other folds; None for its own."""

    @property
    def starts(self) -> tuple[Start, ...]:
        """Weights that its networks start from, by file name; random ones left out."""
        starts = (fit.start for fit in self.row.fits if fit.start is not None)
        return tuple(replace(start, weights=PurePath(start.weights).name) for start in starts)

    @property
    def fit_key(self) -> str:
        """Key of the row."""
        return self.row.key

    @property
    def supervised(self) -> bool:
        """True if the row read labels: a reference, never ranked."""
        return self.row.supervised
