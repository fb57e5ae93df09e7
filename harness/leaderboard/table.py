"""View model of a board: rows, columns, cells and the metrics in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.backbones.start import Start
from harness.cards import EvaluatorCard, Metric
from harness.datasets.shared_sources import shared_sources
from harness.leaderboard import text
from harness.leaderboard.statistics import Interval, Sample
from harness.store.choices import FIT_OF, Choice, share_of
from harness.store.records import CellSpec, Run

CellStatus = Literal["done", "failed", "diverged", "oom", "data", "stale", "mixed", "missing", "not applicable"]
GRAVEST: tuple[CellStatus, ...] = ("failed", "diverged", "oom", "data", "mixed", "stale", "missing", "not applicable")
"""Order of precedence: a cell has the first status that one of its seeds has."""


@dataclass(frozen=True, slots=True)
class SeedResult:
    """One seed of a cell."""

    seed: int
    key: str
    """Key of its run; the planned key where it has none."""
    status: CellStatus
    reason: str = ""
    run: Run | None = None

    @property
    def measured(self) -> Run | None:
        """The run, where it has scores: done, under the planned key or an older one."""
        usable = self.status in ("done", "stale") and self.run is not None and self.run.status == "done"
        return self.run if usable else None

    def value(self, metric: Metric) -> float | None:
        """Score of a metric; None where it was not measured."""
        score = self.measured.score(metric.id) if self.measured else None
        return None if score is None else score.value


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """One metric of a cell: its mean with an interval, chance, and seeds."""

    metric: Metric
    interval: Interval | None = None
    """None where no run has the score."""
    chance: float | None = None
    """Mean over seeds of the score of an encoder that knows nothing."""
    values: tuple[tuple[int, float], ...] = ()
    """Seed and score of every run that has the score."""


def _no_sample(metric: Metric) -> None:
    """Sample of a cell without predictions."""


@dataclass(frozen=True, slots=True)
class BoardCell:
    """A row in a column: means over the seeds that are done, else over stale ones."""

    status: CellStatus
    """Done only when every seed is."""
    reason: str
    seeds: tuple[SeedResult, ...]
    metrics: tuple[MetricSummary, ...]
    """Summary of each metric of the column's card, the primary one first."""
    protocol_id: str = ""
    """Empty where nothing was measured as planned today."""
    videos: int | None = None
    """Number of videos in the test set."""
    group_names: frozenset[str] = field(default=frozenset(), repr=False)
    """Groups that these videos are of."""
    primary_sample: Sample | None = field(default=None, repr=False, compare=False)
    """Sample of the metric that ranks, done or not."""
    resample: Callable[[Metric], Sample | None] = field(default=_no_sample, repr=False, compare=False)
    """Samples of the other metrics, which only claims ask for."""

    @property
    def groups(self) -> int | None:
        """Number of groups; None where nothing was measured."""
        return len(self.group_names) or None

    @property
    def seed_numbers(self) -> tuple[int, ...]:
        """Its seeds, each once where it averages folds."""
        return tuple(dict.fromkeys(seed.seed for seed in self.seeds))

    @property
    def used(self) -> frozenset[int]:
        """Seeds that its means are over: those that are done, else stale ones."""
        for status in ("done", "stale"):
            if found := [
                one.seed for one in self.seeds if one.status == status and one.value(self.primary.metric) is not None
            ]:
                return frozenset(found)
        return frozenset()

    @property
    def tested(self) -> tuple[tuple[tuple[str, ...], tuple[int, ...]], ...]:
        """Videos and labels of each test set that its runs were measured on."""
        predictions = (seed.run.predictions for seed in self.seeds if seed.run)
        return tuple(dict.fromkeys((one.videos, one.labels) for one in predictions if one))

    @property
    def sample(self) -> Sample | None:
        """Input of paired comparisons; None without predictions, or when not done."""
        return self.primary_sample if self.status == "done" else None

    def sample_of(self, metric: Metric) -> Sample | None:
        """The same in one of the card's metrics."""
        if metric.id == self.primary.metric.id:
            return self.sample
        return self.resample(metric) if self.status == "done" else None

    @property
    def primary(self) -> MetricSummary:
        """Summary of the metric that ranks."""
        return self.metrics[0]

    @property
    def interval(self) -> Interval | None:
        """Interval of the metric that ranks; None where nothing was measured."""
        return self.primary.interval

    def summary(self, metric: Metric) -> MetricSummary:
        """Look up the summary of one of the card's metrics."""
        return next(summary for summary in self.metrics if summary.metric.id == metric.id)

    @property
    def protocol(self) -> Mapping[str, Any] | None:
        """Protocol of its first seed that is done; None where none is."""
        return next((seed.run.protocol for seed in self.seeds if seed.run and seed.status == "done"), None)

    @property
    def conditions(self) -> dict[str, str]:
        """Settings beside the protocol that the numbers depend on, such as the device."""
        conditions = next((run.protocol.get("conditions") for seed in self.seeds if (run := seed.measured)), None)
        return text.flatten(conditions) if conditions else {}

    @property
    def coverage(self) -> str:
        """Shares of the listed videos that were available; empty for whole copies.

        Those of splits that lack some, and of the data learnt from. Seeds that differ, as when files were lost
        between their runs, are each named.
        """
        texts: dict[str, None] = {}
        for run in (seed.measured for seed in self.seeds):
            if run is not None:
                splits: dict[str, Any] = dict(run.protocol.get("coverage", {}))
                if learnt := run.provenance.get("pretraining_coverage"):
                    splits["learnt from"] = learnt
                of_parts = run.provenance.get("coverage_of_parts", {})
                splits |= {f"learnt from {label}": learnt for label, learnt in of_parts.items()}
                shares = (f"{name} {text.share(split['videos'], split['listed'])}" for name, split in splits.items())
                texts[", ".join(shares)] = None
        return "; ".join(line for line in texts if line)

    @property
    def data_faults(self) -> str:
        """Test videos that are in the data learnt from, classes that a split lacks."""
        runs = [run for seed in self.seeds if (run := seed.measured) is not None]
        texts = [text.data_faults(run.provenance.get("data_faults", {})) for run in runs]
        texts += [
            f"weights learnt from {learnt}: {relation}"
            for run in runs
            for start in run.starts
            for learnt, relation in _related(start, run).items()
        ]
        return "; ".join(line for line in dict.fromkeys(texts) if line)


def _related(start: Start, run: Run) -> dict[str, str]:
    """Relations of what weights learnt from to the data measured on, by name.

    Where a fit learnt from the data measured on, its videos are counted in place of this.
    """
    data = run.identity.data.name
    if not start.weights.startswith(FIT_OF):
        return shared_sources(start.learnt_from, data)
    names = {fit.pretraining.name for fit in run.identity.starting_fits if fit.pretraining} - {data}
    return shared_sources("+".join(sorted(names)), data)


def is_limited(data: Choice | None) -> bool:
    """True for a data set that has a `limit`, whose rows are never ranked."""
    return data is not None and data.options.get("limit") is not None


@dataclass(frozen=True, slots=True)
class Column:
    """An evaluator on a data set, with the cells of all rows."""

    index: int
    evaluator: Choice
    data: Choice
    card: EvaluatorCard
    heading: str
    """Evaluator, and data set where the board has several."""
    ranks: bool
    """True where rows are ranked by it.

    Not by speed, nor by what applies to one row alone, unless there is nothing else; by speed last.
    """
    cells: tuple[BoardCell, ...] = field(repr=False)

    @property
    def metric(self) -> Metric:
        """The metric shown and ranked by: the evaluator's primary one."""
        return self.card.primary

    @property
    def detailed(self) -> bool:
        """True where there is more to show than the board's table has room for."""
        return len(self.card.metrics) > 1 or not self.ranks

    @property
    def measured(self) -> tuple[Metric, ...]:
        """The metrics that some row has."""
        return tuple(
            metric for metric in self.card.metrics if any(cell.summary(metric).interval for cell in self.cells)
        )

    @property
    def plot_file(self) -> str:
        """File name of its own plot; empty where it has none."""
        name = text.file_name(self.evaluator.name)
        return f"plot-{self.index + 1}-{name}.png" if self.detailed and self.measured else ""

    def chance(self, metric: Metric) -> tuple[float, float] | None:
        """Least and greatest chance of the rows; None where no row has one."""
        levels = [level for cell in self.cells if (level := cell.summary(metric).chance) is not None]
        return (min(levels), max(levels)) if levels else None

    @property
    def videos(self) -> tuple[int, ...]:
        """Numbers of videos that its cells were measured on; usually one."""
        return tuple(sorted({cell.videos for cell in self.cells if cell.videos is not None}))

    @property
    def groups(self) -> tuple[int, ...]:
        """Numbers of groups that its cells were measured on; usually one."""
        return tuple(sorted({cell.groups for cell in self.cells if cell.groups is not None}))

    @property
    def conditions(self) -> dict[str, str]:
        """Conditions that all its measured cells share."""
        settings = [set(conditions.items()) for cell in self.cells if (conditions := cell.conditions)]
        return dict(set.intersection(*settings)) if settings else {}


@dataclass(frozen=True, slots=True)
class Row:
    """A method on a backbone, learnt from a data set within a budget."""

    index: int
    identity: CellSpec
    """The first cell's; method, backbone, pretraining and frames are the row's."""
    supervised: bool
    """True for a reference, which is shown and never ranked."""
    starts: tuple[Start, ...]
    """Weights that its networks started from, those that were not random."""
    sees: str
    """Views of its encoders in words."""
    distinction: tuple[str, ...]
    """Backbone, pretraining, budget and precision, where rows differ in them."""
    complete: bool
    """True when every cell is done that rows are ranked by."""
    cells: tuple[BoardCell, ...] = field(repr=False)

    @property
    def method(self) -> str:
        """The method in words."""
        return self.identity.method.label

    @property
    def setting(self) -> tuple[str, str, str, str]:
        """Backbone, pretraining, budget and precision, each in words."""
        return setting(self.identity)

    @property
    def share(self) -> int | None:
        """Share of its fit after which it was measured, in per cent; None for all of it."""
        return share_of(self.identity.method)

    @property
    def label(self) -> str:
        """The method, and what distinguishes it from other rows."""
        return " · ".join([method_in_words(self.identity), *self.distinction])

    @property
    def labelled(self) -> bool:
        """True where its weights learnt from labels, and its method did not."""
        return any(start.labels for start in self.starts) and not self.supervised

    @property
    def kind(self) -> Literal["method", "reference", "labelled"]:
        """Class of its marks in plots and tables."""
        if self.labelled:
            return "labelled"
        return "reference" if self.supervised else "method"

    def cell(self, column: Column) -> BoardCell:
        """Look up the cell in a column."""
        return self.cells[column.index]


def method_in_words(identity: CellSpec) -> str:
    """Method of a cell with its options.

    A row made of others has its name in the suite, and its parts without their options.
    """
    parts = " + ".join(part.short for part in identity.parts)
    return f"{identity.method.name}: {parts}" if parts else identity.method.label


def setting(identity: CellSpec) -> tuple[str, str, str, str]:
    """Backbone, pretraining, budget and precision of a cell in words.

    Empty where not read, and for fp32.
    """
    return (
        identity.backbone.label if identity.backbone else "",
        identity.pretraining.label if identity.pretraining else "",
        f"{identity.frames:,} frames" if identity.frames else "",
        "" if identity.precision == "fp32" else identity.precision,
    )


def shared_settings(settings: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """Settings that all rows share which have them.

    >>> shared_settings([("small_3d", "ucf101", "9 frames"), ("small_2d", "ucf101", "9 frames"), ("", "ucf101", "")])
    ('ucf101', '9 frames')
    """
    values = [[value for value in dict.fromkeys(part) if value] for part in zip(*settings, strict=True)]
    return tuple(value[0] for value in values if len(value) == 1)
