"""Stored runs of any number of cells, as those of a real suite: grouped videos, seeds, all metrics of each card."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from harness.cards import EvaluatorCard
from harness.evaluators.cards import CLUSTERING, FEW_SHOT, FINETUNE, KNN, LINEAR_PROBE, RETRIEVAL
from harness.functional.statistics import of_predictions
from harness.leaderboard.planned import PlannedCell
from harness.store.choices import Choice
from harness.store.records import CellSpec, Run
from harness.store.specs import EvalSpec
from harness.system.hashing import digest
from harness.values import Predictions, Score

CLASSES, GROUPS, CLIPS = 15, 105, 7
"""Test split of mocap-actions at full size: 735 videos, 7 groups a class."""

REPEATS = {"few_shot": 10, "finetune": 3, "clustering": 10}
"""Repeats of the evaluators that have several, as their defaults are."""

CARDS: Mapping[str, EvaluatorCard] = {
    card.name: card for card in (LINEAR_PROBE, KNN, FEW_SHOT, FINETUNE, RETRIEVAL, CLUSTERING)
}
RANKED = ("linear_probe", "knn", "few_shot", "finetune", "retrieval")

_LABELS = (np.arange(GROUPS) % CLASSES).repeat(CLIPS)
_VIDEOS = tuple(f"v_{i // CLIPS:03d}_c{i % CLIPS}" for i in range(len(_LABELS)))
_GROUPS = tuple(f"g{i // CLIPS:03d}" for i in range(len(_LABELS)))
_HARD = np.random.default_rng(7).normal(0, 0.9, GROUPS).repeat(CLIPS)
"""How hard each video is for every method; those of a group alike."""


def cell_specs(count: int, evaluators: Sequence[str] = RANKED, seeds: Sequence[int] = (0, 1)) -> Iterator[CellSpec]:
    """As many cells as given: methods on two networks, each with every evaluator and seed."""
    methods = count // (2 * len(evaluators) * len(seeds))
    assert methods * 2 * len(evaluators) * len(seeds) == count
    data = Choice(name="mocap-actions", options={"size": "full"})
    for number in range(methods):
        name = ("sfa", "quadruplet", "siamese", "supervised")[number % 4 if number < 4 else number % 3]
        for backbone in ("small_2d", "small_3d"):
            for seed in seeds:
                for evaluator in evaluators:
                    yield CellSpec(
                        method=Choice(name=name, options={"margin": number / 1000}),
                        backbone=Choice(name=backbone),
                        pretraining=data,
                        frames=400_000,
                        evaluator=Choice(name=evaluator),
                        data=data,
                        seed=seed,
                    )


def planned_cells(count: int, evaluators: Sequence[str] = RANKED, seeds: Sequence[int] = (0, 1)) -> list[PlannedCell]:
    """Cells of a board, each with its run."""
    planned = []
    for spec in cell_specs(count, evaluators, seeds):
        protocol = {
            "evaluator": spec.evaluator.model_dump(),
            "data": spec.data.model_dump(),
            "source": CARDS[spec.evaluator.name].protocol,
            "manifests": {"train": digest({"of": "train"}), "test": digest({"of": "test"})},
            "selection": "train split only",
            "aggregation": "mean over clips and crops",
        }
        supervised = spec.method.name == "supervised"
        key = digest(spec.model_dump())
        fit = digest(spec.model_dump(include={"method", "backbone", "seed"}))
        run = stored_run(spec, key=key, fit_key=fit, protocol=protocol, supervised=supervised)
        planned.append(PlannedCell(identity=spec, key=key, supervised=supervised, run=run, sees="8x4, 64 px"))
    return planned


def run_of(cell: EvalSpec, like: Run) -> Run:
    """A run for a cell of a plan, with the scores and predictions of another run."""
    places = {"identity": cell.identity, "key": cell.key, "fit_key": cell.fit_key, "supervised": cell.supervised}
    protocol = dict(cell.protocol)
    return like.model_copy(update={**places, "protocol": protocol, "protocol_id": digest(protocol)})


def stored_run(spec: CellSpec, *, key: str, fit_key: str, protocol: dict[str, object], supervised: bool) -> Run:
    """A run with predictions that are right as often as its method is good; groups are easy or hard for everybody."""
    card = CARDS[spec.evaluator.name]
    row = digest(spec.model_dump(include={"method", "backbone"}))
    quality = 0.25 + 0.5 * int(row[:4], 16) / 16**4 + 0.15 * supervised
    predictions = predict(card, quality, int(key[:8], 16))
    scores = [
        Score(metric.id, float(of_predictions(predictions, metric).mean()), 1 / CLASSES)
        for metric in card.metrics
        if metric.statistic
    ]
    return Run(
        key=key,
        fit_key=fit_key,
        identity=spec,
        status="done",
        supervised=supervised,
        sees="8x4, 64 px",
        scores=tuple(scores),
        predictions=predictions,
        notes={"strength": 0.01, "validation_top1": {f"1e{power}": 0.4 + power / 100 for power in range(-6, 3)}},
        protocol=protocol,
        protocol_id=digest(protocol),
        provenance={
            "python": "3.11.7",
            "libraries": {"video-harness": "0.1.0", "torch": "2.13.0", "av": "18.1.0", "numpy": "2.4.6"},
            "plugins": {"video-harness-temporal-coherency": "0.1.0"},
            "hardware": "Some CPU @ 2.40GHz",
            "threads": 2,
            "commit": "0123456789abcdef0123456789abcdef01234567",
            "evaluation_seconds": 1.5 + spec.seed,
            "finished": f"2026-01-{spec.seed + 1:02d}T12:00:00+00:00",
        },
    )


def predict(card: EvaluatorCard, quality: float, seed: int) -> Predictions:
    """Predicted classes or clusters where a metric wants them, and the values of those that are means over videos."""
    random = np.random.default_rng(seed)
    repeats = REPEATS.get(card.name, 1)
    level = np.log(quality / (1 - quality)) + random.normal(0, 0.06)
    chance = 1 / (1 + np.exp(-(level + _HARD)))
    right = random.random((repeats, len(_LABELS))) < chance
    predicted = np.where(right, _LABELS, random.integers(0, CLASSES, right.shape))
    means = [metric for metric in card.metrics if metric.statistic == "mean"]
    values = {
        metric.id: (right | (random.random(right.shape) < 0.1 * place)).astype(float)
        for place, metric in enumerate(means)
    }
    alone = len(means) == len(card.metrics)
    return Predictions(
        videos=_VIDEOS,
        groups=_GROUPS,
        labels=tuple(_LABELS.tolist()),
        predicted=() if alone else tuple(map(tuple, predicted.tolist())),
        values={name: tuple(map(tuple, rows.tolist())) for name, rows in values.items()},
    )
