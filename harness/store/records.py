"""Values that are planned, stored and shown: choices, cells and runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Annotated, Any, Literal

import pydantic

from harness.backbones.start import Start
from harness.cards import NAME
from harness.store.reduction import Crops, Reduction
from harness.system.hashing import digest
from harness.values import (
    Aggregate,
    ComputePrecision,
    Encoding,
    Evaluation,
    Join,
    Predictions,
    Promise,
    Score,
    ScoreKind,
    joined_promise,
)

Status = Literal["done", "failed", "diverged", "oom", "data"]

FITS = "fits"
"""Field of provenance: keys of fits that a row is made of or started from."""
AT = "@"
"""Option of a method: a share of its fit in per cent.

No constructor can have a parameter of that name.
"""


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
        >>> Choice(name="supervised", options={"@": 25}).label
        'supervised @ 25 %'
        """
        share = "" if (share := share_of(self)) is None else f" @ {share} %"
        options = at_share(self, None).options if share else self.options
        if not options:
            return f"{self.name}{share}"
        return f"{self.name}({', '.join(f'{k}={_shown(v)}' for k, v in sorted(options.items()))}){share}"


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


def share_of(method: Choice) -> int | None:
    """Share of a method's fit in per cent; None for all of it."""
    share = method.options.get(AT)
    return share if type(share) is int else None


def at_share(method: Choice, share: int | None) -> Choice:
    """A method after a share of its fit, in per cent; after all of it when None.

    >>> at_share(at_share(Choice(name="supervised"), 25), None)
    Choice(name='supervised', options={})
    """
    options = {name: value for name, value in method.options.items() if name != AT}
    return Choice(name=method.name, options=options if share is None else {AT: share, **options})


def _shown(value: Any) -> str:
    """An option in a label; choices, as a composite has them, by their own labels.

    >>> Choice(name="sfa", options={"start": {"weights": "a.pth", "labels": True}}).label
    'sfa(start=(labels=True, weights=a.pth))'
    >>> Choice(name="sfa", options={"start": {"fit": {"method": "supervised"}, "strict": False}}).label
    'sfa(start=(fit=supervised, strict=False))'
    """
    if fit := _parse_fit(value):
        return fit.label
    if isinstance(value, dict) and value:
        return f"({', '.join(f'{k}={_shown(v)}' for k, v in sorted(value.items()))})"
    parts = stored_parts(value)
    return " + ".join(part.label for part in parts) if parts else str(value)


class Part(pydantic.BaseModel):
    """A part of a composite: a method, and what it does not share with the others.

    It is stored as its method where it has nothing of its own, else as a mapping with `method`.

    >>> Part(method="sfa").model_dump()
    {'name': 'sfa', 'options': {}}
    >>> Part(method="supervised", backbone="small_3d", crops=10, aggregate="max").label
    'supervised on small_3d, maximum over 10 crops'
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    method: WrittenChoice
    backbone: WrittenChoice | None = None
    """The network; that of the row when None."""
    pretraining: WrittenChoice | None = None
    """The data set that it learns from, one fold of it; that of the row when None."""
    clips: Annotated[int, pydantic.Field(gt=0)] | None = None
    """Clips of a video, whatever an evaluator asks for."""
    crops: Crops | None = None
    """Crops of a clip, whatever an evaluator asks for."""
    aggregate: Aggregate | None = None
    """Reduction of its clips and crops to one vector before parts are joined."""

    @pydantic.model_serializer
    def _stored(self) -> dict[str, Any]:
        given = {name: value for name, value in self if value is not None}
        written = {name: one.model_dump() if isinstance(one, Choice) else one for name, one in given.items()}
        return self.method.model_dump() if given.keys() == {"method"} else written

    @property
    def reduction(self) -> Reduction | None:
        """Reduction of its clips and crops; None where it is the evaluator's."""
        if (self.clips, self.crops, self.aggregate) == (None, None, None):
            return None
        return Reduction(clips=self.clips, crops=self.crops, aggregate=self.aggregate or "mean")

    @property
    def label(self) -> str:
        """The method and what is the part's own, in one line."""
        return self._in_words(self.method.label)

    @property
    def short(self) -> str:
        """The label without options of the method."""
        return self._in_words(self.method.name)

    def _in_words(self, method: str) -> str:
        built = f" on {self.backbone.label}" if self.backbone else ""
        learnt = [f"learnt from {self.pretraining.label}"] if self.pretraining else []
        reduced = [str(self.reduction)] if self.reduction else []
        return ", ".join([f"{method}{built}", *learnt, *reduced])


def _parse_part(value: Any) -> Any:
    """Tell a part with `method` from a method alone."""
    own = isinstance(value, Part) or (isinstance(value, Mapping) and "method" in value and "name" not in value)
    return value if own else {"method": value}


WrittenPart = Annotated[Part, pydantic.BeforeValidator(_parse_part)]
"""Part as written in files: a method, or a mapping with `method`."""
_PARTS = pydantic.TypeAdapter(tuple[WrittenPart, ...])


def stored_parts(value: Any) -> tuple[Part, ...]:
    """Parts that an option of a stored choice lists; none where it lists others."""
    listed = value if isinstance(value, list) else []
    methods = [one.get("method", one) if isinstance(one, Mapping) else one for one in listed]
    if not all(isinstance(one, Mapping) and one.keys() == {"name", "options"} for one in methods):
        return ()
    return _PARTS.validate_python(listed)


class StartingFit(pydantic.BaseModel):
    """A fit that a network starts from, on the same backbone and with the same seed.

    >>> StartingFit(method={"name": "supervised", "lr": 0.003}, pretraining="ucf101", frames=86400).label
    'supervised(lr=0.003) on ucf101, 86400 frames'
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    method: WrittenChoice
    pretraining: WrittenChoice | None = None
    """The data set that it learns from, one fold of it; that of the row when None."""
    frames: Annotated[int, pydantic.Field(gt=0)] | None = None
    """Its budget; that of the row when None."""

    @pydantic.model_serializer
    def _stored(self) -> dict[str, Any]:
        given = {name: value for name, value in self if value is not None}
        return {name: one.model_dump() if isinstance(one, Choice) else one for name, one in given.items()}

    @property
    def label(self) -> str:
        """Method, data set and budget in one line, as far as they are given."""
        learnt = f" on {self.pretraining.label}" if self.pretraining else ""
        return f"{self.method.label}{learnt}{f', {self.frames} frames' if self.frames else ''}"


class FitStart(pydantic.BaseModel):
    """Start from the weights of a fit, and how they are matched to a network."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    fit: StartingFit
    strict: bool = True
    """False loads the tensors that fit, and records how many do."""
    ignore: tuple[str, ...] = ()
    """Beginnings of names that the fit's network has and this one lacks."""

    @property
    def weights(self) -> str:
        """The fit where the name of a file stands."""
        return f"{FIT_OF}{self.fit.method.name}"


FIT_OF = "fit of "
"""Beginning of the name of weights that are those of a fit."""


def starting_fit(method: Choice) -> StartingFit | None:
    """The fit that a method starts from; None where it starts from a file, or random."""
    start = method.options.get("start")
    return _parse_fit(start.get("fit")) if isinstance(start, Mapping) else None


def starting_fits(method: Choice) -> tuple[StartingFit, ...]:
    """The fit that a method starts from, the one that this starts from, and so on."""
    fit = starting_fit(method)
    return () if fit is None else (fit, *starting_fits(fit.method))


def with_fit(method: Choice, fit: StartingFit) -> Choice:
    """A method that starts from a fit, with another fit in its place."""
    start = {**method.options["start"], "fit": fit.model_dump()}
    return Choice(name=method.name, options={**method.options, "start": start})


def _parse_fit(value: Any) -> StartingFit | None:
    """A fit as it is written or stored; None for another value."""
    if not isinstance(value, Mapping) or "method" not in value:
        return None
    try:
        return StartingFit.model_validate(value)
    except pydantic.ValidationError:
        return None


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
        return _fit_label(self.method, self.backbone, self.seed)

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


def _fit_label(method: Choice, backbone: Choice | None, seed: int) -> str:
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
    after: FitSpec | None = None
    """The fit whose weights they are; None for those of a file."""
    origin: Start | None = None
    """Weights that its method finds by itself; None for a method that finds none."""
    precision: ComputePrecision = "fp32"
    """Precision in which its network is fitted and encodes."""
    whole: FitSpec | None = None
    """The fit of which this is the encoder after a share; None for a whole fit."""

    @property
    def fits(self) -> tuple[FitSpec, ...]:
        """The fit itself."""
        return (self,)

    @property
    def before(self) -> FitSpec | None:
        """The fit to be stored before: the whole one, or that which it starts from."""
        return self.whole or self.after

    @property
    def started_from(self) -> str:
        """Name of the fit where others start from it."""
        return FIT_OF + StartingFit(method=self.method, pretraining=self.pretraining, frames=self.frames).label

    @property
    def chain(self) -> tuple[FitSpec, ...]:
        """The fit, the one that has to be stored before, and so on."""
        return (self,) if self.before is None else (self, *self.before.chain)

    @property
    def starts(self) -> tuple[Start, ...]:
        """Weights that the chain starts from, by file name."""
        fits = [fit for fit in self.chain if fit.whole is None]  # a share starts as the whole does
        started = ((fit, fit.start) for fit in fits if fit.start is not None)
        named = (start if fit.after else replace(start, weights=PurePath(start.weights).name) for fit, start in started)
        return (*named, *(fit.origin for fit in fits if fit.origin is not None))

    @property
    def label(self) -> str:
        """Method, backbone and seed in one line."""
        return _fit_label(self.method, self.backbone, self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReducedFit:
    """A fit whose features have one vector a video before they are joined."""

    of: FitSpec
    by: Reduction
    key: str

    @property
    def fits(self) -> tuple[FitSpec, ...]:
        """The fit alone."""
        return (self.of,)

    @property
    def label(self) -> str:
        """The fit, its clips and crops in one line."""
        return f"{self.of.label} / {self.by}"

    @property
    def supervised(self) -> bool:
        """True if the fit read labels."""
        return self.of.supervised

    @property
    def promise(self) -> Promise:
        """Properties of the fit's encoder, which has vectors alone."""
        return self.by.promise(self.of.promise)


@dataclass(frozen=True, slots=True, kw_only=True)
class Composite:
    """A row made of other rows; of one alone it is that one."""

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
        if len(self.of) == 1:
            return self.of[0].promise
        return joined_promise(tuple(part.promise for part in self.of), self.by)


Row = FitSpec | ReducedFit | Composite
"""One line of a board, for one seed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeSpec:
    """Features of one split of a data set, by one fit's encoder."""

    fit: FitSpec
    data: Choice
    encoding: Encoding
    code: str
    """Hash of the code between the files of the data and stored features."""
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvalSpec:
    """One evaluation in a suite: a row, measured by an evaluator on a data set."""

    identity: CellSpec
    row: Row
    encodings: tuple[EncodeSpec, ...]
    """Features that the evaluator will ask for."""
    encoding_code: str
    """Hash of the code between the files of the data and stored features."""
    protocol: Mapping[str, Any]
    key: str
    not_applicable: str = ""
    """Reason why the row cannot be measured so; empty when it can."""
    average: Average | None = None
    """Row and column of the board that average it with other folds; None for its own."""

    @property
    def starts(self) -> tuple[Start, ...]:
        """Weights that its networks start from, by file name; random ones left out."""
        return tuple(start for fit in self.row.fits for start in fit.starts)

    @property
    def fit_key(self) -> str:
        """Key of the row."""
        return self.row.key

    @property
    def supervised(self) -> bool:
        """True if the row read labels: a reference, never ranked."""
        return self.row.supervised
