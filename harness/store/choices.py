"""Registered names with options, as a suite writes and a store keeps them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import pydantic

from harness.store.reduction import Crops, Reduction
from harness.values import Aggregate

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
