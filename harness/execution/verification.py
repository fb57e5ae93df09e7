"""Stored runs computed again from nothing, and compared."""

from __future__ import annotations

import math
import random
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.execution.executor import Executor
from harness.execution.units import Workplace
from harness.execution.work_units import work_units
from harness.store.runs import Store
from harness.system import paths, progress
from harness.system.environment import decisive
from harness.system.processes import allowed_processors

if TYPE_CHECKING:
    from harness.cards import EvaluatorCard, Metric
    from harness.plugins.manager import Plugins
    from harness.store.records import Run
    from harness.store.specs import EvalSpec

TOLERANCE = 0.005
"""Largest difference of a score that counts as none, as a share.

Of the metric's range where it has one (half a point of an accuracy), of the larger value where it has none.
"""
TIMES = ("clips/s", "MiB")
"""Units of metrics that no machine measures twice alike; they are not compared."""
LINKED = ("datasets", "index")
"""Folders of a home that are no results: drawn data, and records of files."""
Outcome = Literal["equal", "within tolerance", "different"]


@dataclass(frozen=True, slots=True)
class ScoreDifference:
    """A score that was computed again and is not the same number."""

    metric: str
    stored: float | None
    """None where the run has no such score."""
    computed: float | None
    within: bool
    """True within the tolerance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A stored run beside the one that was computed again."""

    run: Run
    outcome: Outcome
    reason: str = ""
    """Why nothing is compared: a run has no scores, or they are of other videos."""
    scores: tuple[ScoreDifference, ...] = ()
    predictions: int = 0
    """Number of test videos with another prediction in some repeat."""
    made_with: Mapping[str, tuple[str, str]]
    """Versions, hardware and threads that differ, stored and computed."""

    @property
    def words(self) -> tuple[str, ...]:
        """Reason, score that differs most, number of other predictions; or nothing."""
        parts = [self.reason] if self.reason else []
        if (score := self.largest) is not None:
            parts.append(f"{score.metric} {score.stored:.4f}, now {score.computed:.4f}")
        if self.predictions:
            parts.append(f"{self.predictions} videos predicted otherwise")
        return tuple(parts)

    @property
    def largest(self) -> ScoreDifference | None:
        """The score that differs most."""
        apart = [one for one in self.scores if one.stored is not None and one.computed is not None]
        return max(apart, key=lambda one: abs((one.stored or 0) - (one.computed or 0)), default=None)


def verify(
    stored: Iterable[tuple[EvalSpec, Run]],
    plugins: Plugins,
    *,
    sample: int | None = None,
    threads: int | None = None,
    device: str = "cpu",
    locations: Mapping[str, Path] | None = None,
) -> tuple[Verdict, ...]:
    """Compute runs again, each row in a process and a store of its own, and compare.

    Args:
        stored: cells with their runs.
        plugins: where names are looked up.
        sample: how many to draw at random; all when None.
        threads: that libraries compute with; those of the stored run when None.
        device: where networks run.
        locations: of data sets, by name.
    """
    cells = list(stored)
    if sample is not None and sample < len(cells):
        cells = random.SystemRandom().sample(cells, sample)
    groups: dict[tuple[str, int], list[tuple[EvalSpec, Run]]] = {}
    for spec, run in cells:
        count = threads or int(run.provenance.get("threads") or allowed_processors())
        groups.setdefault((spec.row.key, count), []).append((spec, run))
    verdicts: list[Verdict] = []
    paths.home().mkdir(parents=True, exist_ok=True)
    with progress.bar("verifying", total=len(cells)) as bar:
        for (_, count), group in groups.items():
            with tempfile.TemporaryDirectory(prefix=".verify-", dir=paths.home().absolute()) as folder:
                place = Workplace(
                    store=Path(folder) / "store",
                    variables={"HARNESS_HOME": str(new_home(Path(folder)))},
                    device=device,
                    locations=dict(locations or {}),
                    threads=count,
                )
                units = work_units([spec for spec, _ in group], plugins)
                Executor([place]).execute(units, title="computing again")
                store = Store(place.store)
                for spec, run in group:
                    card = plugins.evaluators.entry(run.identity.evaluator.name).card
                    verdicts.append(_verdict(run, store.get(spec.key), card))
                    bar.advance(note=verdicts[-1].outcome)
    return tuple(verdicts)


def compare(stored: Run, computed: Run, card: EvaluatorCard) -> Verdict:
    """Compare two runs of one key.

    Args:
        stored: the one that is believed so far.
        computed: the other.
        card: of their evaluator, for the ranges of its metrics.
    """
    made = _made_with(stored, computed)
    if stored.status != computed.status:
        reason = " and ".join(f"{run.status} {run.reason}".strip() for run in (stored, computed))
        return Verdict(run=stored, outcome="different", reason=f"stored and computed: {reason}", made_with=made)
    if not _alike(stored, computed):
        reason = "other test videos, repeats or values"
        return Verdict(run=stored, outcome="different", reason=reason, made_with=made)
    metrics = {metric.id: metric for metric in card.metrics if metric.unit not in TIMES and not _of_time(metric, card)}
    pairs = {name: (_value(stored, name), _value(computed, name)) for name in metrics}
    scores = tuple(
        ScoreDifference(name, one, other, within_tolerance(metrics[name], one, other))
        for name, (one, other) in pairs.items()
        if one != other
    )
    predictions = _other_predictions(stored, computed)
    outcome: Outcome = "within tolerance" if scores or predictions else "equal"
    if not all(score.within for score in scores):
        outcome = "different"
    return Verdict(run=stored, outcome=outcome, scores=scores, predictions=predictions, made_with=made)


def _of_time(metric: Metric, card: EvaluatorCard) -> bool:
    """True for a share of the time."""
    return card.time and metric.unit == "%"


def within_tolerance(metric: Metric, one: float | None, other: float | None) -> bool:
    """True if two scores differ by `TOLERANCE` at most, or both are missing.

    >>> from harness.cards import Metric
    >>> hits = Metric(id="top1", title="Top 1", unit="%", higher_is_better=True, bounds=(0.0, 1.0))
    >>> within_tolerance(hits, 0.624, 0.629), within_tolerance(hits, 0.624, 0.634), within_tolerance(hits, 0.5, None)
    (True, False, False)
    """
    if one is None or other is None:
        return one is other
    low, high = metric.bounds
    scale = max(abs(one), abs(other)) if low is None or high is None else high - low
    return abs(one - other) <= TOLERANCE * scale + math.ulp(scale)


def new_home(folder: Path) -> Path:
    """Make an empty home of the harness that has the data of this one."""
    for name in LINKED:
        own = paths.home().absolute() / name  # a link's text starts from the link's folder
        own.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(own, target_is_directory=True)
    return folder


def _verdict(stored: Run, computed: Run | None, card: EvaluatorCard) -> Verdict:
    if computed is not None:
        return compare(stored, computed, card)
    return Verdict(run=stored, outcome="different", reason="it cannot be measured any more", made_with={})


def _value(run: Run, metric: str) -> float | None:
    score = run.score(metric)
    return None if score is None else score.value


def _alike(stored: Run, computed: Run) -> bool:
    """True if predictions of both are of the same videos, repeats and metrics."""
    one, other = stored.predictions, computed.predictions
    if one is None or other is None:
        return True
    repeats = [(len(each.predicted), {name: len(rows) for name, rows in each.values.items()}) for each in (one, other)]
    return one.videos == other.videos and repeats[0] == repeats[1]


def _other_predictions(stored: Run, computed: Run) -> int:
    """Count the test videos whose predictions or values differ in some repeat."""
    one, other = stored.predictions, computed.predictions
    if one is None or other is None:
        return 0
    rows = zip((*one.predicted, *_rows(one.values)), (*other.predicted, *_rows(other.values)), strict=True)
    return len({index for pair in rows for index, (a, b) in enumerate(zip(*pair, strict=True)) if a != b})


def _rows(values: Mapping[str, tuple[tuple[float | None, ...], ...]]) -> list[tuple[float | None, ...]]:
    return [row for name in sorted(values) for row in values[name]]


def _made_with(stored: Run, computed: Run) -> dict[str, tuple[str, str]]:
    one, other = decisive(stored.provenance), decisive(computed.provenance)
    names = {**one, **other}
    return {name: (one.get(name, ""), other.get(name, "")) for name in names if one.get(name) != other.get(name)}
