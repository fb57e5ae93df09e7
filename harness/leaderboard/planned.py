"""From planned cells and their runs to the rows and columns of a board."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pydantic

from harness.backbones.start import Start
from harness.cards import EvaluatorCard, Metric
from harness.errors import DataError, UsageError, unknown
from harness.leaderboard.bootstrap import Bootstrap
from harness.leaderboard.fold_average import Resampled, averaged, fold_weights
from harness.leaderboard.group_draws import GroupDraws
from harness.leaderboard.statistics import Sample, group_weights, interval, over_seeds, sampled_groups
from harness.leaderboard.table import (
    GRAVEST,
    BoardCell,
    CellStatus,
    Column,
    MetricSummary,
    Row,
    SeedResult,
    is_limited,
    setting,
    shared_settings,
)
from harness.store.choices import FIT_OF, share_of
from harness.store.records import Average, CellSpec, Run
from harness.system import progress
from harness.system.hashing import digest
from harness.values import Predictions

TOLERANCE = 1e-4
"""Greatest distance of a stored score from the one its stored predictions give.

As a share of the score where that is above 1, as errors in units of their own are.
"""

Bootstraps = dict[tuple[str, ...], Bootstrap]
"""Bootstraps by the groups they are of, so that all cells share them."""
FoldBootstraps = dict[tuple[tuple[str, ...], ...], list[Bootstrap]]
"""The same for folds that are averaged, drawn together."""


class PlannedCell(pydantic.BaseModel):
    """A cell of the suite as planned today, and its run.

    Raises:
        ValueError: when `run` is of another cell.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    identity: CellSpec
    key: str
    """The run key that code, data and protocol give today."""
    supervised: bool
    run: Run | None = None
    """Stored run; stale when its key is not `key`: code, data or protocol changed."""
    not_applicable: str = ""
    """The reason why the cell cannot be measured; empty when it can."""
    sees: str = ""
    """Views of the row's encoders in words."""
    starts: tuple[Start, ...] = ()
    """Weights that the row's networks start from, those that are not random."""
    average: Average | None = None
    """Row and column that average it with other folds; None for its own."""

    @property
    def shown(self) -> CellSpec:
        """Its place on the board: with the names of the average where it is part of one."""
        if self.average is None:
            return self.identity
        return self.identity.model_copy(update={"pretraining": self.average.pretraining, "data": self.average.data})

    @pydantic.model_validator(mode="after")
    def _same_cell(self) -> PlannedCell:
        if self.run is not None and self.run.identity != self.identity:
            msg = f"run {self.run.key} is of another cell than {self.key}"
            raise ValueError(msg)
        return self


def assemble(
    planned: Sequence[PlannedCell], cards: Mapping[str, EvaluatorCard]
) -> tuple[tuple[Column, ...], tuple[Row, ...]]:
    """Summarise the cells as columns and rows, in the plan's order.

    Rows after shares of fits are last.

    Raises:
        UsageError: when nothing is planned, or an evaluator has no card.
        DataError: when a value of a finished run is no number, or a row's seeds were not measured on the same videos.
    """
    if not planned:
        msg = "expected at least one cell, got none; give a suite with methods and evaluators"
        raise UsageError(msg)
    specs: dict[str, CellSpec] = {}
    firsts: dict[str, PlannedCell] = {}
    cells_of: dict[tuple[str, str], dict[str, PlannedCell]] = {}
    for cell in planned:
        identity = cell.shown
        if identity.evaluator.name not in cards:
            raise unknown("evaluator", identity.evaluator.name, cards)
        column = digest({"evaluator": identity.evaluator.model_dump(), "data": identity.data.model_dump()})
        row = digest(identity.model_dump(include={"method", "backbone", "pretraining", "frames", "precision"}))
        specs.setdefault(column, identity)
        firsts.setdefault(row, cell)
        cells_of.setdefault((row, column), {}).setdefault(cell.identity.model_dump_json(), cell)
    firsts = dict(sorted(firsts.items(), key=lambda first: share_of(first[1].identity.method) is not None))
    alone: Bootstraps = {}
    together: FoldBootstraps = {}
    cells: list[list[BoardCell]] = []
    with progress.bar("intervals", total=len(firsts) * len(specs)) as bar:
        for row in firsts:
            cells.append([])
            for column, spec in specs.items():
                own = sorted(cells_of.get((row, column), {}).values(), key=lambda cell: cell.identity.seed)
                cells[-1].append(_folds_cell(own, cards[spec.evaluator.name], alone, together))
                bar.advance()
    columns = _columns(list(specs.values()), cards, list(zip(*cells, strict=True)))
    return columns, _rows(list(firsts.values()), columns, cells)


def _columns(
    specs: Sequence[CellSpec], cards: Mapping[str, EvaluatorCard], cells: Sequence[tuple[BoardCell, ...]]
) -> tuple[Column, ...]:
    one_data = len({spec.data.label for spec in specs}) == 1
    quality = [not cards[spec.evaluator.name].time for spec in specs]
    applies = [sum(cell.status != "not applicable" for cell in own) for own in cells]
    compared = [good and rows >= min(2, len(own)) for good, rows, own in zip(quality, applies, cells, strict=True)]
    ranks = next(kind for kind in (compared, quality, [True] * len(specs)) if any(kind))
    columns = []
    for index, (spec, own) in enumerate(zip(specs, cells, strict=True)):
        card = cards[spec.evaluator.name]
        heading = spec.evaluator.label if one_data else f"{spec.evaluator.label} · {spec.data.label}"
        columns.append(Column(index, spec.evaluator, spec.data, card, heading, ranks[index], own))
    return tuple(columns)


def _rows(
    firsts: Sequence[PlannedCell], columns: Sequence[Column], cells: Sequence[Sequence[BoardCell]]
) -> tuple[Row, ...]:
    shared = shared_settings([setting(first.shown) for first in firsts])
    rows = []
    for index, (first, own) in enumerate(zip(firsts, cells, strict=True)):
        distinction = tuple(part for part in setting(first.shown) if part and part not in shared)
        whole = not is_limited(first.shown.pretraining) and not any(is_limited(column.data) for column in columns)
        complete = whole and all(own[column.index].status == "done" for column in columns if column.ranks)
        known = first.supervised, _shown_starts(first), first.sees
        rows.append(Row(index, first.shown, *known, distinction, complete, tuple(own)))
    return tuple(rows)


def _shown_starts(cell: PlannedCell) -> tuple[Start, ...]:
    """Starts of a row; a fit that learns from each fold has the name of all."""
    own, shown = cell.identity.pretraining, cell.shown.pretraining
    if own is None or shown is None or any(fit.pretraining == own for fit in cell.identity.starting_fits):
        return cell.starts
    together = {own.label: shown.label}
    return tuple(
        replace(one, learnt_from="+".join(together.get(name, name) for name in one.learnt_from.split("+")))
        if one.weights.startswith(FIT_OF)
        else one
        for one in cell.starts
    )


def _folds_cell(
    planned: Sequence[PlannedCell], card: EvaluatorCard, alone: Bootstraps, together: FoldBootstraps
) -> BoardCell:
    """Summarise one row in one column, over the folds where it averages several."""
    folds: dict[str, list[PlannedCell]] = {}
    for cell in planned:
        folds.setdefault(digest(cell.identity.model_dump(include={"pretraining", "data"})), []).append(cell)
    if len(folds) < 2:
        return _cell(planned, card, alone).cell
    groups = tuple(_groups(cells) for cells in folds.values())
    drawn: list[Bootstraps] = [{} for _ in groups]
    if all(groups):  # a fold that is still to do, or without predictions, has none to draw
        if groups not in together:
            draws = map(GroupDraws.of, groups, fold_weights(groups))
            together[groups] = [Bootstrap(one) for one in draws]
        drawn = [{own: bootstrap} for own, bootstrap in zip(groups, together[groups], strict=True)]
    return averaged([_cell(cells, card, own) for cells, own in zip(folds.values(), drawn, strict=True)], card)


def _groups(planned: Sequence[PlannedCell]) -> tuple[str, ...]:
    """Groups of the videos that one fold is measured on."""
    runs = (cell.run for cell in planned if cell.run is not None)
    return next((sampled_groups(run.predictions) for run in runs if run.predictions is not None), ())


def _cell(planned: Sequence[PlannedCell], card: EvaluatorCard, bootstraps: Bootstraps) -> Resampled:
    """Summarise the seeds of one row in one column."""
    seeds = tuple(_seed(cell, card) for cell in planned)
    status, reason = _status(seeds)
    blank = tuple(_summary(metric, seeds) for metric in card.metrics)
    used = [seed for seed in seeds if seed.status == "done"] or [seed for seed in seeds if seed.status == "stale"]
    runs = [seed.run for seed in used if seed.run is not None and seed.value(card.primary) is not None]
    if not runs:
        return Resampled(BoardCell(status, reason, seeds, blank))
    protocols = sorted({run.protocol_id for run in runs})
    if len(protocols) > 1:
        reason = "its seeds were measured under different protocols"
        return Resampled(BoardCell("mixed", reason, seeds, blank))
    samples = _samples(runs, card.metrics, bootstraps)
    if samples[0] is not None and not _agree(samples[0], runs, card.primary):
        reason = "the stored scores are not those that the stored predictions give"
        return Resampled(BoardCell("data", reason, seeds, blank))
    predictions = runs[0].predictions
    groups = frozenset(sampled_groups(predictions) if predictions else ())
    cell = BoardCell(
        status=status,
        reason=reason,
        seeds=seeds,
        metrics=tuple(_summary(metric, seeds, runs, one) for metric, one in zip(card.metrics, samples, strict=True)),
        protocol_id=protocols[0] if used[0].status == "done" else "",
        videos=len(predictions.videos) if predictions else None,
        primary_sample=samples[0],
        resample=functools.partial(_sample, runs, bootstraps),
        group_names=groups,
    )
    return Resampled(cell, samples)


def _seed(cell: PlannedCell, card: EvaluatorCard) -> SeedResult:
    seed, run = cell.identity.seed, cell.run
    if cell.not_applicable:
        return SeedResult(seed, cell.key, "not applicable", cell.not_applicable)
    if run is None:
        return SeedResult(seed, cell.key, "missing", "not run yet")
    stale = run.key != cell.key
    reason = "measured before its code, data or protocol changed" if stale else run.reason
    result = SeedResult(seed, run.key, "stale" if stale else run.status, reason, run)
    for metric in card.metrics:
        value = result.value(metric)
        if value is not None and not math.isfinite(value):
            msg = f"run {run.key} is done but has no finite {metric.id}, got {value}; delete it and run again"
            raise DataError(msg)
    if result.status == "done" and result.value(card.primary) is None:
        missing = f"run {run.key} has no {card.primary.id}, its evaluator's primary metric; delete it and run again"
        return SeedResult(seed, run.key, "failed", missing, run)
    return result


def _status(seeds: tuple[SeedResult, ...]) -> tuple[CellStatus, str]:
    if not seeds:
        return "not applicable", "the suite does not plan it"
    for status in GRAVEST:
        if having := [seed for seed in seeds if seed.status == status]:
            reasons = sorted({seed.reason for seed in having if seed.reason})
            which = "" if len(having) == len(seeds) else f"seed {', '.join(str(seed.seed) for seed in having)}: "
            return status, which + "; ".join(reasons)
    return "done", ""


def _summary(
    metric: Metric, seeds: Sequence[SeedResult], runs: Sequence[Run] = (), sample: Sample | None = None
) -> MetricSummary:
    """Mean, interval and chance over `runs`; none where predictions contradict scores."""
    values = tuple((seed.seed, value) for seed in seeds if (value := seed.value(metric)) is not None)
    scores = [score for run in runs if (score := run.score(metric.id)) is not None]
    if not scores or (sample is not None and not _agree(sample, runs, metric)):
        return MetricSummary(metric, values=values)
    if sample is None:
        spread = over_seeds([score.value for score in scores], metric.bounds)
    else:
        spread = interval(sample, metric.bounds)
    baselines = [score.baseline for score in scores if score.baseline is not None]
    chance = sum(baselines) / len(baselines) if baselines else None
    return MetricSummary(metric, spread, chance, values)


def _agree(sample: Sample, runs: Sequence[Run], metric: Metric) -> bool:
    """Compare the stored scores with those that the stored predictions give."""
    values = [score.value for run in runs if (score := run.score(metric.id)) is not None]
    return all(abs(a - b) <= TOLERANCE * max(1.0, abs(b)) for a, b in zip(sample.observed, values, strict=True))


def _sample(runs: Sequence[Run], bootstraps: Bootstraps, metric: Metric) -> Sample | None:
    return _samples(runs, (metric,), bootstraps)[0]


def _samples(runs: Sequence[Run], metrics: Sequence[Metric], bootstraps: Bootstraps) -> tuple[Sample | None, ...]:
    """Resample metrics; None where one has no statistic, or a run not what that needs."""
    samples: dict[str, Sample] = {}
    together: dict[tuple[int, ...], list[Metric]] = {}
    for metric in metrics:
        scored = [place for place, run in enumerate(runs) if run.score(metric.id)]
        if metric.statistic and scored and all(_supports(runs[place].predictions, metric) for place in scored):
            together.setdefault(tuple(scored), []).append(metric)
    for places, own in together.items():
        predictions = [one for place in places if (one := runs[place].predictions) is not None]
        groups = sampled_groups(predictions[0])
        try:
            if groups not in bootstraps:
                bootstraps[groups] = Bootstrap(GroupDraws.of(groups, group_weights(groups)))
            drawn = bootstraps[groups].resample(predictions, own)
        except ValueError as error:
            msg = f"runs {', '.join(runs[place].key for place in places)}: {error}; delete them and run again"
            raise DataError(msg) from error
        samples |= {metric.id: sample for metric, sample in zip(own, drawn, strict=True)}
    return tuple(samples.get(metric.id) for metric in metrics)


def _supports(predictions: Predictions | None, metric: Metric) -> bool:
    if predictions is None:
        return False
    return metric.id in predictions.values if metric.statistic == "mean" else bool(predictions.predicted)
