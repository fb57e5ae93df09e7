"""Claims of a paper as pairs of cells, and what boards say of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pydantic

from harness.cards import Metric
from harness.errors import DataError, UsageError, unknown
from harness.execution.spelling import canonical_choice, canonical_method, without_shared
from harness.leaderboard import text
from harness.leaderboard.board import Board
from harness.leaderboard.statistics import Difference, Sample, compare
from harness.leaderboard.table import Column, Row, is_limited
from harness.plugins.manager import Plugins
from harness.store.choices import Choice, WrittenChoice
from harness.store.records import CellSpec
from harness.system import plain_yaml

MINI = "-mini"
"""Ending of a suite's name in its small size."""
OF_SIZE = ("size", "frames")
"""Options in which a suite and its mini differ."""
CEILING = 0.98
"""Share of a metric's upper bound from which cells are at its ceiling."""

Verdict = Literal["confirmed", "refuted", "open"]


class Side(pydantic.BaseModel):
    """One cell of a suite, in either size."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    suite: str
    """Name of the full suite."""
    method: WrittenChoice
    """The method, or the name of a composite."""
    evaluator: WrittenChoice
    backbone: WrittenChoice | None = None
    """The network, whatever options are not given; a row without one has none."""
    pretraining: WrittenChoice | None = None
    """None where the suite has only one."""
    data: WrittenChoice | None = None
    """Data set measured on; None where the suite has only one."""

    def selects(self, row: CellSpec, evaluator: Choice, data: Choice) -> bool:
        """Check whether a row on a column is this cell, in any size and seed."""
        joined = "of" in row.method.options and not self.method.options
        learnt = row.pretraining and _without_size(row.pretraining)
        methods = (self.method, Choice(name=row.method.name) if joined else row.method)
        one, other = (without_shared(_without_size(method), learnt, None) for method in methods)
        chosen = [
            (one, other),
            (self.evaluator, evaluator),
            (self.data, data),
            (self.pretraining, row.pretraining),
        ]
        same = all(_without_size(one) == _without_size(other) for one, other in chosen if one and other)
        return same and (self.backbone is None or row.backbone is None or self._builds(self.backbone, row.backbone))

    def _builds(self, own: Choice, backbone: Choice) -> bool:
        given = own.options.items()
        return own.name == backbone.name and all(backbone.options.get(key) == value for key, value in given)


class Pair(pydantic.BaseModel):
    """Cell, another or chance, and the paper's words: by default that `one` is better."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    of: str
    """Loss, clustering or setting that is compared."""
    paper: str
    """The paper's numbers, or its words."""
    one: Side
    other: Side | Literal["baseline"]
    """`baseline` for what an encoder that knows nothing gets in the place of `one`."""
    metric: str | None = None
    """Id of a metric of the evaluator; None for its primary one."""
    within: float | None = pydantic.Field(default=None, gt=0)
    """Greatest difference of cells that are to be equal, as shown: in % or bits."""
    no_worse: float | None = pydantic.Field(default=None, gt=0)
    """Greatest shortfall of `one` where it is to be no worse than `other`, as shown."""

    @pydantic.model_validator(mode="after")
    def _one_tolerance(self) -> Pair:
        if self.within is not None and self.no_worse is not None:
            msg = "within and no_worse both say what is claimed; give one"
            raise ValueError(msg)
        return self

    @property
    def sides(self) -> tuple[Side, ...]:
        """The cells."""
        return (self.one,) if self.other == "baseline" else (self.one, self.other)


class Claim(pydantic.BaseModel):
    """A claim of a paper."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    claim: str
    source: str
    """Table, figure or section that makes it."""
    pairs: tuple[Pair, ...] = pydantic.Field(min_length=1)


class _File(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    backbone: WrittenChoice | None = None
    """Backbone of all sides that name none."""
    claims: tuple[Claim, ...] = pydantic.Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Measured:
    """Means of both cells and their paired difference, percent where shown so."""

    metric: Metric
    one: float
    other: float
    difference: Difference | None
    """None without predictions, or where seeds or groups are too few for a test."""

    @property
    def at_ceiling(self) -> bool:
        """True where both means reach 98 % of the upper bound of the metric."""
        greatest = self.metric.bounds[1]
        if greatest is None or not self.metric.higher_is_better:
            return False
        return min(self.one, self.other) >= CEILING * text.scaled(greatest, self.metric)


def load_claims(path: Path, plugins: Plugins) -> tuple[Claim, ...]:
    """Read the claims of a file, with the options of their cells in one spelling.

    An option that is as the default is left out, so that boards from before that option are matched, too.

    Raises:
        UsageError: when the file is missing or no list of claims, or an evaluator, data set, metric or option is
            unknown.
        PluginError: when a class cannot be imported.
    """
    try:
        content = _File.model_validate(plain_yaml.read(path))
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror}); give a file of claims"
        raise UsageError(msg) from error
    except (plain_yaml.NotPlainError, pydantic.ValidationError) as error:
        msg = f"{path} is no file of claims: {' '.join(str(error).split())[:300]}"
        raise UsageError(msg) from error
    return tuple(
        claim.model_copy(update={"pairs": tuple(_spelt(pair, content.backbone, plugins) for pair in claim.pairs)})
        for claim in content.claims
    )


def _spelt(pair: Pair, backbone: Choice | None, plugins: Plugins) -> Pair:
    compared = []
    for side in pair.sides:
        metrics = [metric.id for metric in plugins.evaluators.entry(side.evaluator.name).card.metrics]
        if pair.metric is not None and pair.metric not in metrics:
            raise unknown(f"metric of evaluator {side.evaluator.name!r}:", pair.metric, metrics)
        compared.append(pair.metric or metrics[0])
    if len(set(compared)) > 1:
        msg = f"claim about {pair.of!r}: its sides are measured by {' and '.join(compared)}; name a metric of both"
        raise UsageError(msg)
    spelt = [_spelt_side(side, side.backbone or backbone, plugins) for side in pair.sides]
    return pair.model_copy(update=dict(zip(("one", "other"), spelt, strict=False)))  # a baseline stays


def _spelt_side(side: Side, backbone: Choice | None, plugins: Plugins) -> Side:
    composite = side.method.name not in plugins.methods  # it is named by its suite
    data = (side.pretraining, side.data)
    pretraining, measured = (None if one is None else canonical_choice(one, plugins.datasets) for one in data)
    if backbone is not None:
        chosen = canonical_choice(backbone, plugins.backbones).options
        backbone = Choice(name=backbone.name, options={key: chosen.get(key) for key in backbone.options})
    return side.model_copy(
        update={
            "method": side.method if composite else canonical_method(side.method, plugins),
            "evaluator": canonical_choice(side.evaluator, plugins.evaluators),
            "backbone": backbone,
            "pretraining": pretraining,
            "data": measured,
        }
    )


def _without_size(choice: Choice) -> Choice:
    return Choice(name=choice.name, options=_sizeless(choice.options))


def _sizeless(value: Any) -> Any:
    """A value without options of size, also within its mappings."""
    if not isinstance(value, Mapping):
        return value
    return {key: _sizeless(one) for key, one in value.items() if key not in OF_SIZE}


def measure(pair: Pair, boards: Mapping[str, Board], ending: str) -> Measured | None:
    """Compare the two cells of a pair.

    Args:
        pair: of cells on the same videos.
        boards: by the name of their suite.
        ending: of the suites' names, `-mini` or none.

    Returns:
        None where a board, a cell on it or a run of the cell is missing, or the metric on an older board; also where
        a cell was measured on a part of its data or of what it learnt from.

    Raises:
        UsageError: when several cells of a board are the side of a pair.
        DataError: when the cells were not measured on the same videos and seeds.
    """
    one, *others = (_measured(side, pair, boards.get(side.suite + ending)) for side in pair.sides)
    other = others[0] if others else one and one.baseline
    if one is None or other is None:
        return None
    return Measured(one.metric, one.mean, other.mean, _difference(one, other, pair.of))


class _Measured(NamedTuple):
    """One cell in the metric of a pair."""

    metric: Metric
    mean: float
    sample: Sample | None
    on: object
    """Seeds and videos that the cell was measured on."""
    chance: float | None = None
    """Score of an encoder that knows nothing, as the sample has it: 1 is 100 %."""

    @property
    def baseline(self) -> _Measured | None:
        """Chance in the place of the cell, the same for all seeds and groups."""
        if self.chance is None:
            return None
        sample = self.sample and replace(
            self.sample,
            observed=np.full_like(self.sample.observed, self.chance),
            drawn=np.full_like(self.sample.drawn, self.chance),
        )
        return _Measured(self.metric, text.scaled(self.chance, self.metric), sample, self.on)


def _measured(side: Side, pair: Pair, board: Board | None) -> _Measured | None:
    place = _place(side, board, pair.of) if board else None
    if place is None:
        return None
    row, column = place
    if is_limited(column.data) or is_limited(row.identity.pretraining):
        return None
    cell = row.cell(column)
    metric = next((one for one in column.card.metrics if pair.metric in (None, one.id)), None)
    interval = cell.summary(metric).interval if metric and cell.status == "done" else None
    if metric is None or interval is None:
        return None
    mean, sample, chance = text.scaled(interval.mean, metric), cell.sample_of(metric), cell.summary(metric).chance
    return _Measured(metric, mean, sample, (cell.seed_numbers, [videos for videos, _ in cell.tested]), chance)


def _place(side: Side, board: Board, of: str) -> tuple[Row, Column] | None:
    """Find row and column of a side; an older board may lack it."""
    places = [
        (row, column)
        for row in board.rows
        for column in board.columns
        if side.selects(row.identity, column.evaluator, column.data)
    ]
    if len(places) > 1:
        named = ", ".join(f"{row.label} on {column.heading}" for row, column in places)
        msg = (
            f"claim about {of!r}: {len(places)} cells of board {board.suite!r} fit ({named}); name the backbone, "
            "pretraining or data of the side"
        )
        raise UsageError(msg)
    return places[0] if places else None


def _difference(one: _Measured, other: _Measured, of: str) -> Difference | None:
    if one.sample is None or other.sample is None:
        return None
    if one.on != other.on:
        msg = f"claim about {of!r}: its cells have other seeds or videos; run both suites with the same seeds and data"
        raise DataError(msg)
    try:
        gap = compare(one.sample, other.sample)
    except ValueError:  # one seed, or too few groups
        return None
    mean, low, high = (text.scaled(value, one.metric) for value in (gap.mean, gap.low, gap.high))
    return Difference(mean, low, high, gap.p)


def verdict(measured: Measured, *, within: float | None = None, no_worse: float | None = None) -> Verdict:
    """Judge by the 95 % interval of the difference.

    A cell is better where the interval lies on that side of 0, and not where it lies on the other side. Two are equal
    where it lies within the tolerance, and not where it lies outside of it. A cell is no worse where the interval lies
    above the shortfall that is allowed, and worse where it lies below. Nothing is told between cells at the ceiling.

    >>> from harness.evaluators.cards import CLUSTERING
    >>> lower = Measured(CLUSTERING.primary, 2.0, 2.5, Difference(-0.5, -0.8, -0.2, 0.01))
    >>> verdict(lower), verdict(lower, within=1.0), verdict(lower, within=0.1), verdict(lower, within=0.4)
    ('confirmed', 'confirmed', 'refuted', 'open')
    """
    if measured.difference is None or measured.at_ceiling:
        return "open"
    low, high = measured.difference.low, measured.difference.high
    if not measured.metric.higher_is_better:
        low, high = -high, -low
    if within is not None:
        confirmed, refuted = -within < low and high < within, high < -within or low > within
    else:
        least = 0.0 if no_worse is None else -no_worse
        confirmed, refuted = low > least, high < least
    return "confirmed" if confirmed else "refuted" if refuted else "open"
