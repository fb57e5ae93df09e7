"""Suite files: YAML that is only data, with errors that name the wrong key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import pydantic

from harness.cards import NAME
from harness.errors import UsageError, unknown
from harness.store.choices import Choice, Part, WrittenChoice, WrittenPart, starting_fit, starting_fits, with_fit
from harness.suites.folds import FOLD
from harness.system import plain_yaml
from harness.system.text import printable
from harness.values import ComputePrecision, Join

PinnedView = Mapping[Literal["frames", "stride", "size", "resize"], int | Literal["uniform"] | None]
"""Parts of a view, and what they have to be."""
Seed = Annotated[int, pydantic.Field(ge=0, lt=2**32)]
"""Seed that every generator in use takes."""
_SUFFIXES = {".yaml", ".yml"}


class CompositeChoice(pydantic.BaseModel):
    """A row made of several methods of one seed, or of one alone.

    Parts share the row's backbone, data set and clips unless they name their own.

    >>> both = CompositeChoice.model_validate({"name": "both", "of": ["sfa", "random_init"]})
    >>> both.choice.label
    'both(by=concat, of=sfa + random_init)'
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    name: str = pydantic.Field(pattern=f"^{NAME.pattern}$")
    of: tuple[WrittenPart, ...] = pydantic.Field(min_length=1)
    """Parts whose encoders are joined, in order."""
    by: Join = "concat"

    @pydantic.field_validator("of")
    @classmethod
    def _of_one_fold(cls, of: tuple[Part, ...]) -> tuple[Part, ...]:
        for part in of:
            if part.pretraining is not None and isinstance(chosen := part.pretraining.options.get(FOLD), list):
                msg = f"part {part.method.name!r}: expected one fold to learn from, got {FOLD}: {chosen}"
                raise ValueError(msg)
        return of

    @pydantic.model_validator(mode="after")
    def _of_two_blocks(self) -> CompositeChoice:
        if self.by == "blocks" and len(self.of) == 1:
            msg = "expected two parts or more of which blocks are made, got one; leave `by` out"
            raise ValueError(msg)
        return self

    @property
    def choice(self) -> Choice:
        """The composite where a method stands."""
        return Choice(name=self.name, options={"of": [one.model_dump() for one in self.of], "by": self.by})


class Limits(pydantic.BaseModel):
    """Time and memory of a row's processes; beyond them it fails, and no other."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    fit_hours: float | None = pydantic.Field(default=None, gt=0, allow_inf_nan=False)
    """Hours of a fit in one run; None for any."""
    memory_gb: float | None = pydantic.Field(default=None, gt=0, allow_inf_nan=False)
    """GiB of resident memory of a fit or evaluations with children; None for any."""


class Suite(pydantic.BaseModel):
    """Methods x backbones x data sets x evaluators x seeds.

    >>> suite = Suite.model_validate({
    ...     "name": "tiny", "title": "Tiny", "frames": 1000, "methods": ["random_init"], "backbones": ["small_2d"],
    ...     "pretraining": ["mocap-actions"], "evaluators": [{"name": "knn", "k": 5}], "seeds": [0]})
    >>> suite.evaluators[0].label
    'knn(k=5)'
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    name: str = pydantic.Field(pattern=f"^{NAME.pattern}$")
    title: str
    summary: str = ""
    requires: tuple[str, ...] = ()
    """Distributions whose plugins the suite uses."""
    frames: int = pydantic.Field(gt=0)
    """Budget of every fit: training frames shown to the network."""
    methods: tuple[WrittenChoice, ...] = pydantic.Field(min_length=1)
    composites: tuple[CompositeChoice, ...] = ()
    """Rows made of several methods, or of one with a backbone or data of its own."""
    backbones: tuple[WrittenChoice, ...] = pydantic.Field(min_length=1)
    pretraining: tuple[WrittenChoice, ...] = pydantic.Field(min_length=1)
    """Data sets whose training splits are learnt from."""
    data: tuple[WrittenChoice, ...] = ()
    """Data sets measured on; the pretraining set itself when empty."""
    evaluators: tuple[WrittenChoice, ...] = pydantic.Field(min_length=1)
    view: PinnedView = {}
    """View that encoders must have to be ranked: `{frames: 16, size: 112}`."""
    seeds: tuple[Seed, ...] = pydantic.Field(min_length=1)
    limit: int | None = pydantic.Field(default=None, gt=0)
    """Most videos used of each split; a board with a limit ranks no row."""
    precision: ComputePrecision = "fp32"
    """Precision in which networks are fitted and encode; in the keys of both."""
    threads: int = pydantic.Field(default=1, gt=0)
    """Threads that libraries compute a row with; in no key, and recorded."""
    limits: Limits = Limits()
    """Time and memory that a row may take; in no key."""
    paths: dict[str, Path] = {}
    """Place of data sets and weights on this machine, by name; in no key."""
    _folder: Path = pydantic.PrivateAttr(default=Path())

    @property
    def folder(self) -> Path:
        """Folder that relative paths start from: that of the suite's file, if it has one."""
        return self._folder

    @property
    def fitted(self) -> tuple[tuple[Choice, tuple[Choice, ...]], ...]:
        """Methods, each with the backbones it is fitted on.

        Those of parts too, and those whose fits others start from.
        """
        parts = [part for composite in self.composites for part in composite.of]
        own = ((part.method, (part.backbone,) if part.backbone else self.backbones) for part in parts)
        named = (*((method, self.backbones) for method in self.methods), *own)
        fits = ((fit.method, backbones) for method, backbones in named for fit in starting_fits(method))
        return (*named, *fits)

    def limited(self) -> Suite:
        """The suite with its `limit` as an option of each of its data sets."""
        if (limit := self.limit) is None:
            return self
        return self.model_copy(
            update={
                "methods": tuple(_limited_start(method, limit) for method in self.methods),
                "composites": tuple(
                    composite.model_copy(update={"of": tuple(_limited_part(part, limit) for part in composite.of)})
                    for composite in self.composites
                ),
                "pretraining": tuple(_limited_data(one, limit) for one in self.pretraining),
                "data": tuple(_limited_data(one, limit) for one in self.data),
            }
        )

    def at(self, folder: Path) -> Suite:
        """The suite as a file in `folder` says it, from which relative paths start."""
        places = {name: place if place.parts[:1] == ("~",) else folder / place for name, place in self.paths.items()}
        suite = self.model_copy(update={"paths": places})
        suite._folder = folder
        return suite


def _limited_data(data: Choice, limit: int) -> Choice:
    return data.model_copy(update={"options": {"limit": limit, **data.options}})


def _limited_start(method: Choice, limit: int) -> Choice:
    """A method whose starting fits, one after the other, learn from limited data sets."""
    if (fit := starting_fit(method)) is None:
        return method
    own = None if fit.pretraining is None else _limited_data(fit.pretraining, limit)
    limited = fit.model_copy(update={"method": _limited_start(fit.method, limit), "pretraining": own})
    return with_fit(method, limited)


def _limited_part(part: Part, limit: int) -> Part:
    own = None if part.pretraining is None else _limited_data(part.pretraining, limit)
    return part.model_copy(update={"method": _limited_start(part.method, limit), "pretraining": own})


_MAPPINGS = frozenset(
    name for name, field in Suite.model_fields.items() if isinstance(field.default, dict | pydantic.BaseModel)
)
"""Keys of a suite with keys of their own, which a suite may leave out."""


class RegisteredSuites(Protocol):
    """Suites that plugins registered."""

    def text(self, name: str) -> str:
        """Read the YAML registered as `name`."""
        ...


def load(source: str, suites: RegisteredSuites, *, changes: Sequence[str] = ()) -> Suite:
    """Load the suite registered as `source`, or the file `source`.

    Args:
        source: a registered name, or a path ending in .yaml or .yml.
        suites: the registered ones.
        changes: `key=value` in order, as given to `--set`; the key may be dotted (`methods.0.margin`), the value is
            YAML.

    Raises:
        UsageError: naming the key that is unknown, missing or wrong, or the YAML that is not plain data.
    """
    path, folder = Path(source), Path.cwd()
    if path.suffix in _SUFFIXES:
        if not path.is_file():
            msg = f"suite file {source} does not exist"
            raise UsageError(msg)
        folder = path.parent.absolute()
    try:
        content = plain_yaml.read(path) if path.suffix in _SUFFIXES else plain_yaml.parse(suites.text(source))
    except plain_yaml.NotPlainError as error:
        msg = f"suite {source}: {error}"
        raise UsageError(msg) from error
    if not isinstance(content, dict):
        got = type(content).__name__
        msg = f"suite {source}: expected a mapping with the keys {', '.join(Suite.model_fields)}, got {got}"
        raise UsageError(msg)
    for text in changes:
        change(content, text)
    for key in content:
        if key not in Suite.model_fields:
            raise unknown(f"key in suite {source}:", str(key), Suite.model_fields)
    try:
        return Suite.model_validate(content).limited().at(folder)
    except pydantic.ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        got = "" if problem["type"] == "missing" else f", got {printable(repr(problem['input']), 200)}"
        msg = f"suite {source}: {where}: {problem['msg']}{got}"
        raise UsageError(msg) from error


def change(content: Any, setting: str) -> None:
    """Apply `setting`, `key=value` as given to `--set`, to `content`.

    Raises:
        UsageError: when it is not of that form, or there is nothing to set.
    """
    key, equals, text = setting.partition("=")
    if not equals:
        msg = f"--set {setting}: write key=value"
        raise UsageError(msg)
    try:
        value = plain_yaml.parse(text)
    except plain_yaml.NotPlainError as error:
        msg = f"--set {setting}: {error}"
        raise UsageError(msg) from error
    *path, last = key.split(".")
    if path and path[0] in _MAPPINGS and isinstance(content, dict):
        content.setdefault(path[0], {})
    try:
        for step in path:
            content = content[int(step)] if isinstance(content, list) else content[step]
        if isinstance(content, str):
            raise TypeError  # an option of a bare name has no mapping to live in
        content[int(last) if isinstance(content, list) else last] = value
    except (KeyError, IndexError, ValueError, TypeError):
        remedy = "a bare name takes options once written as {name: ...}"
        msg = f"--set {setting}: the suite has no {key!r} to set ({remedy})"
        raise UsageError(msg) from None
