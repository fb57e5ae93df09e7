"""Published numbers, each with the data and the protocol that it is of."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Annotated, Any

import pydantic

from harness.cards import Paper
from harness.errors import PluginError, unknown
from harness.store.choices import Choice, WrittenChoice
from harness.system import plain_yaml

URL = re.compile(r"https?://[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
"""Links that are safe in pages: no scripts, nothing that ends a link in Markdown."""


def _paper(value: Any) -> Any:
    """Reject unknown keys, which a dataclass would ignore."""
    if isinstance(value, Mapping):
        fields = [field.name for field in dataclasses.fields(Paper)]
        for key in value:
            if key not in fields:
                raise ValueError(str(unknown("key", str(key), fields)))
    return value


def _linked(paper: Paper) -> Paper:
    if paper.url and not URL.fullmatch(paper.url):
        msg = f"url {paper.url!r} is not one of http or https"
        raise ValueError(msg)
    return paper


Source = Annotated[Paper, pydantic.BeforeValidator(_paper), pydantic.AfterValidator(_linked)]
Text = Annotated[str, pydantic.Field(min_length=1)]
Value = Annotated[float, pydantic.Field(strict=True, allow_inf_nan=False)]
Spread = Annotated[float, pydantic.Field(strict=True, allow_inf_nan=False, ge=0)]


class Reference(pydantic.BaseModel):
    """A published number, and the evaluator and data set that it is of."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    paper: Source
    table: Text
    """`Table 2`, or the section whose text says it."""
    method: Text
    """Name in the paper."""
    value: Value
    """Value in the paper's unit: percent where the metric is in percent."""
    std: Spread | None = None
    metric: Text
    """The id of a metric of the evaluator's card."""
    evaluator: Choice
    data: Choice
    pretraining: Text
    """Pretraining data in the paper's words."""
    backbone: str = ""
    note: str = ""


class _Number(pydantic.BaseModel):
    """One line of a group; its own keys override those of the group."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    method: Text
    value: Value
    std: Spread | None = None
    pretraining: Text | None = None
    backbone: str | None = None
    note: str | None = None


class _Group(pydantic.BaseModel):
    """Numbers of one table under one protocol on one data set."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    table: Text
    evaluator: WrittenChoice
    data: WrittenChoice
    metric: Text
    pretraining: Text
    backbone: str = ""
    note: str = ""
    numbers: tuple[_Number, ...] = pydantic.Field(min_length=1)


class _File(pydantic.BaseModel):
    """Published numbers of one paper."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    paper: Source
    groups: tuple[_Group, ...] = pydantic.Field(min_length=1)


def parse(text: str, source: str) -> tuple[Reference, ...]:
    """Parse the numbers in a file, in its order.

    >>> (one,) = parse('''
    ... paper: {title: A paper, authors: Somebody, year: 2019, venue: CVIU}
    ... groups:
    ...   - table: Table 2
    ...     evaluator: {name: clustering, algorithm: spectral}
    ...     data: {name: ucf101, fold: 1}
    ...     metric: conditional_entropy
    ...     pretraining: UCF101 split 1, no labels
    ...     numbers:
    ...       - {method: Lq, value: 3.39, std: 0.01}
    ... ''', "an example")
    >>> one.method, one.value, one.evaluator.label, one.data.label
    ('Lq', 3.39, 'clustering(algorithm=spectral)', 'ucf101(fold=1)')

    Args:
        text: YAML that is only data.
        source: what the file is called in messages.

    Raises:
        PluginError: naming the key that is unknown, missing or wrong, or the YAML that is not plain data.
    """
    try:
        content = plain_yaml.parse(text)
    except plain_yaml.NotPlainError as error:
        msg = f"{source}: {error}"
        raise PluginError(msg) from error
    try:
        file = _File.model_validate(content)
    except pydantic.ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "the file"
        msg = " ".join(f"{source}: {where}: {problem['msg']}".split())
        raise PluginError(msg) from error
    return tuple(_reference(file.paper, group, number) for group in file.groups for number in group.numbers)


def _reference(paper: Paper, group: _Group, number: _Number) -> Reference:
    shared = {key: getattr(group, key) for key in _Group.model_fields if key != "numbers"}
    return Reference(paper=paper, **{**shared, **number.model_dump(exclude_none=True)})
