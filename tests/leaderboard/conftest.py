"""Fabricates runs that look like those of a real suite: grouped videos, seeds, chance, failures."""

from __future__ import annotations

import dataclasses
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from harness.backbones.start import Start
from harness.cards import EvaluatorCard
from harness.functional.statistics import STATISTICS
from harness.leaderboard.board import Board, build_board, with_pictures
from harness.leaderboard.planned import PlannedCell
from harness.store.choices import Choice
from harness.store.records import Average, CellSpec, Run, Status
from harness.system.hashing import digest
from harness.values import Predictions, Score

from .cards import CARDS, ENTROPY

CLASSES, GROUPS, CLIPS = 15, 45, 5


@dataclass(frozen=True)
class FakeRow:
    """A method with the share of videos it gets right."""

    method: str
    quality: float
    supervised: bool = False
    backbone: str = "small_3d"
    options: dict[str, object] = field(default_factory=dict)
    starts: tuple[Start, ...] = ()


@dataclass(frozen=True)
class FakeColumn:
    """An evaluator on a data set, and how hard it is."""

    evaluator: str
    ease: float = 0.0
    data: str = "mocap-actions"
    options: dict[str, object] = field(default_factory=dict)
    of_data: dict[str, object] = field(default_factory=lambda: {"size": "mini"})


ROWS = (
    FakeRow("random_init", 0.24),
    FakeRow("sfa", 0.41, options={"dim": 64}),
    FakeRow("quadruplet", 0.47),
    FakeRow("instance_recognition", 0.35),
    FakeRow("frame_order", 0.44),
    FakeRow("supervised", 0.66, supervised=True),
)
COLUMNS = (
    FakeColumn("linear_probe"),
    FakeColumn("knn", -0.25, options={"k": 5}),
    FakeColumn("clustering", -0.4),
    FakeColumn("linear_probe", -0.1, data="mocap-actions-unbiased"),
)


def predict(quality: float, seed: int, salt: str, *, clustering: bool, repeats: int = 1) -> Predictions:
    """Predictions that are right for about `quality` of the videos; groups are easy or hard for everybody."""
    common = np.random.default_rng(7)
    hard = common.normal(0, 0.9, GROUPS).repeat(CLIPS)
    labels = (np.arange(GROUPS) % CLASSES).repeat(CLIPS)
    own = np.random.default_rng(int(digest({"salt": salt, "seed": seed})[:8], 16))
    level = np.log(quality / (1 - quality)) + own.normal(0, 0.06)
    right = own.random((repeats, len(labels))) < 1 / (1 + np.exp(-(level + hard)))
    other = own.integers(0, CLASSES, right.shape)
    predicted = np.where(right, labels, other)
    if clustering:
        predicted = (predicted * 7 + 3) % CLASSES
    return Predictions(
        videos=tuple(f"v_{i // CLIPS:02d}_c{i % CLIPS}" for i in range(len(labels))),
        groups=tuple(f"g{i // CLIPS:02d}" for i in range(len(labels))),
        labels=tuple(labels.tolist()),
        predicted=tuple(tuple(row) for row in predicted.tolist()),
    )


def fake_run(row: FakeRow, column: FakeColumn, seed: int, *, status: Status = "done", reason: str = "") -> Run:
    """The run of a cell, done or failed."""
    metric = CARDS[column.evaluator].primary
    identity = CellSpec(
        method=Choice(name=row.method, options=row.options),
        backbone=Choice(name=row.backbone),
        pretraining=Choice(name="mocap-actions", options={"size": "mini"}),
        frames=400_000,
        evaluator=Choice(name=column.evaluator, options=column.options),
        data=Choice(name=column.data, options=column.of_data),
        seed=seed,
    )
    key = digest(identity.model_dump())
    predictions, scores = None, ()
    if status == "done":
        quality = min(max(row.quality + 0.4 * column.ease * row.quality, 0.02), 0.98)
        clustering = metric is ENTROPY
        guesses = predict(
            quality,
            seed,
            row.method + column.evaluator + column.data,
            clustering=clustering,
            repeats=3 if clustering else 1,
        )
        if metric.statistic:
            predictions = guesses
            statistic, labels = STATISTICS[metric.statistic], torch.tensor(guesses.labels)
            value = float(statistic(labels, torch.tensor(guesses.predicted)).mean())
            guess = torch.randint(CLASSES, (50, len(labels)), generator=torch.Generator().manual_seed(seed))
            baseline = float(statistic(labels, guess).mean())
        else:
            value, baseline = quality + 0.002 * seed, None
        scores = (Score(metric.id, value, baseline),)
    protocol = {
        "evaluator": identity.evaluator.model_dump(),
        "data": identity.data.model_dump(),
        "manifests": {"train": digest({"train": column.data}), "test": digest({"test": column.data})},
        "decoder": "pyav 15.0.0, ffmpeg 7.1",
        "view": {"frames": 1 if row.backbone == "small_2d" else 16, "stride": 1, "size": 64, "clips": 2, "crops": 1},
        "aggregation": "mean over clips and crops",
    }
    return Run(
        key=key,
        fit_key=digest({"method": row.method, "options": row.options, "backbone": row.backbone, "seed": seed}),
        identity=identity,
        status=status,
        reason=reason,
        supervised=row.supervised,
        starts=row.starts,
        scores=scores,
        predictions=predictions,
        notes={"strength": 0.01, "selected_by": "3-fold cross-validation"},
        protocol=protocol,
        protocol_id=digest(protocol),
        provenance={
            "python": "3.11.7",
            "libraries": {"video-harness": "0.1.0", "torch": "2.13.0"},
            "plugins": {"video-harness-temporal-coherency": "0.1.0"},
            "hardware": "Some CPU @ 2.40GHz",
            "commit": "0123456789abcdef0123456789abcdef01234567",
            "evaluation_seconds": 1.5 + seed,
            "finished": f"2026-01-0{seed + 1}T12:00:00+00:00",
        },
    )


def plan(
    rows: Sequence[FakeRow] = ROWS, columns: Sequence[FakeColumn] = COLUMNS, seeds: Sequence[int] = (0, 1, 2)
) -> list[PlannedCell]:
    """All cells of a suite, all of them done."""
    return planned_of([fake_run(row, column, seed) for row in rows for seed in seeds for column in columns])


def picture(width: int = 320, height: int = 96) -> bytes:
    """A PNG of coloured stripes."""
    line = b"".join(bytes((40 + x * 200 // width, 90, 200 - x * 150 // width)) for x in range(width))
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress((b"\0" + line) * height, 9)),
        (b"IEND", b""),
    )
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def few_shot_run(row: FakeRow, seed: int) -> Run:
    """A run whose videos tell what they add to points of a curve; of one the quadruplet loss has none."""
    predictions = predict(row.quality, seed, row.method, clustering=False)
    hits = np.array(predictions.predicted) == np.array(predictions.labels)
    easier = np.random.default_rng(seed).random((2, hits.shape[1])) < 0.3
    rows = {"top1_5": hits, "top1_1": hits & easier, "top1_all": hits | easier[:1]}
    if row.method == "quadruplet":
        del rows["top1_all"]
    values = {name: tuple(tuple(map(float, line)) for line in lines) for name, lines in rows.items()}
    scores = tuple(Score(name, float(lines.mean()), 1 / CLASSES) for name, lines in rows.items())
    # Any column gives the run its other parts.
    return fake_run(row, FakeColumn("few_shot"), seed).model_copy(
        update={
            "scores": (*scores, Score("kappa", row.quality)),
            "predictions": dataclasses.replace(predictions, predicted=(), values=values),
            "pictures": ("confusion", "skeletons"),
        }
    )


def timed_run(row: FakeRow, seed: int, clips_per_s: float, device: str = "Some CPU") -> Run:
    """A run that took the time."""
    run = fake_run(row, FakeColumn("throughput"), seed)
    protocol = {**run.protocol, "conditions": {"device": device, "threads": 8}}
    return run.model_copy(
        update={
            "scores": (Score("clips_per_s", clips_per_s),),
            "predictions": None,
            "protocol": protocol,
            "protocol_id": digest(protocol),
        }
    )


def planned_of(runs: Sequence[Run]) -> list[PlannedCell]:
    """Cells that are done."""
    return [
        PlannedCell(identity=run.identity, key=run.key, supervised=run.supervised, starts=run.starts, run=run)
        for run in runs
    ]


def board_of(
    planned: Sequence[PlannedCell], caption: str = "Six motions, one frame a quarter of a second", **changes: str
) -> Board:
    """The board of `planned`."""
    texts = {
        "title": "Quickstart",
        "summary": "Methods that learn from unlabelled video, between an untrained network and a supervised one.",
        "suite": "quickstart",
        "suite_hash": "5f1d3c0b9a7e2d4c6b8a",
        "command": "harness run quickstart",
    }
    return build_board(**{**texts, **changes}, planned=planned, cards=CARDS, pictures={caption: picture()})


def change(planned: Sequence[PlannedCell], method: str, evaluator: str, **updates: object) -> list[PlannedCell]:
    """`planned`, with the cells of one method and evaluator changed."""

    def changed(cell: PlannedCell) -> PlannedCell:
        identity = cell.identity
        hit = (identity.method.name, identity.evaluator.name) == (method, evaluator)
        return cell.model_copy(update=updates) if hit else cell

    return [changed(cell) for cell in planned]


HOSTILE = (
    "=</script><script>alert(1)</script>|`x`\n<img src=x onerror=alert(2)> ]]> <!-- {{ 7*7 }} "
    "[a](https://evil.example) \u202e"
)
"""A name that no file may let act."""


def with_hostile_names() -> list[PlannedCell]:
    """A plan in which everything that plugins and data can name is hostile."""
    rows = [FakeRow(HOSTILE, 0.3, options={HOSTILE: HOSTILE}), FakeRow("sfa", 0.4, backbone=HOSTILE)]
    columns = [FakeColumn("knn", data=HOSTILE, options={"k": HOSTILE}), FakeColumn("clustering")]
    planned = plan(rows, [*columns, FakeColumn("throughput", options={"k": HOSTILE})], (0, 1))
    failed = fake_run(rows[1], FakeColumn("clustering"), 0, status="failed", reason=HOSTILE)
    changed = []
    for cell in planned:
        run = cell.run
        if run.identity == failed.identity:
            run = failed
        provenance = {**run.provenance, "hardware": HOSTILE, HOSTILE: HOSTILE}
        conditions = {HOSTILE: HOSTILE, "row": run.identity.method.name + HOSTILE}
        protocol = {**run.protocol, HOSTILE: HOSTILE, "conditions": conditions}
        run = run.model_copy(update={"provenance": provenance, "protocol": protocol})
        changed.append(cell.model_copy(update={"run": run}))
    return changed


def with_troubles() -> list[PlannedCell]:
    """A plan in which every status occurs that a cell can have."""
    rows = (*ROWS, FakeRow("trajectories", 0.5, backbone="small_2d"))
    columns = (*COLUMNS, FakeColumn("pose"))
    planned = plan(rows, columns)
    planned = change(planned, "frame_order", "pose", run=None, not_applicable="its encoder offers no feature_map")
    planned = change(planned, "sfa", "clustering", run=None)
    planned = change(planned, "quadruplet", "knn", key="0" * 20)
    troubled = []
    for cell in planned:
        identity = cell.identity
        if (identity.method.name, identity.evaluator.name) == ("instance_recognition", "knn") and identity.seed == 1:
            failed = fake_run(ROWS[3], COLUMNS[1], 1, status="diverged", reason="loss became NaN in epoch 3")
            cell = cell.model_copy(update={"run": failed})
        troubled.append(cell)
    return troubled


def checkpoint(name: str, quality: float, learnt_from: str, *, labels: bool, supervised: bool = False) -> FakeRow:
    """A row that started from weights."""
    start = Start(weights=f"{name}.pth", learnt_from=learnt_from, labels=labels, sha256="0" * 64)
    return FakeRow(name, quality, supervised, starts=(start,))


CHECKPOINTS = (
    checkpoint("best", 0.8, "Kinetics-400", labels=True),
    checkpoint("good", 0.45, "mocap-actions-unbiased", labels=True),
    checkpoint("unlabelled", 0.5, "ssv2", labels=False),
    FakeRow("random_init", 0.24),
    checkpoint("tuned", 0.9, "Kinetics-400", labels=True, supervised=True),
)
"""Rows of which two have weights that learnt from labels, and a reference that started from such."""


@pytest.fixture(scope="session")
def labelled_board() -> Board:
    return board_of(plan(CHECKPOINTS, COLUMNS[:2]))


@pytest.fixture(scope="session")
def make_plan() -> Callable[..., list[PlannedCell]]:
    return plan


@pytest.fixture(scope="session")
def make_board() -> Callable[..., Board]:
    return board_of


@pytest.fixture(scope="session")
def fake() -> tuple[type[FakeRow], type[FakeColumn], Callable[..., Run]]:
    return FakeRow, FakeColumn, fake_run


@pytest.fixture(scope="session")
def cards() -> dict[str, EvaluatorCard]:
    return CARDS


@pytest.fixture(scope="session")
def png() -> bytes:
    return picture()


@pytest.fixture(scope="session")
def board() -> Board:
    """Six rows, four columns, five seeds, all done."""
    return board_of(plan(seeds=range(5)))


@pytest.fixture(scope="session")
def hostile() -> str:
    return HOSTILE


@pytest.fixture(scope="session")
def hostile_board() -> Board:
    """A board that is nothing but hostile names, reasons and texts."""
    texts = dict.fromkeys(("title", "summary", "suite", "suite_hash", "command"), HOSTILE)
    return board_of(with_hostile_names(), caption=HOSTILE, **texts)


@pytest.fixture(scope="session")
def small_board() -> Board:
    """Two rows, two columns, two seeds, all done: quick to write."""
    return board_of(plan(ROWS[:2], COLUMNS[1:3], (0, 1)))


@pytest.fixture(scope="session")
def curved_board() -> Board:
    """Four rows in a column with a curve, whose slowest ones are the best, and a column of speed."""
    runs = [few_shot_run(row, seed) for row in (*ROWS[:3], ROWS[5]) for seed in (0, 1)]
    speeds = {"random_init": 300.0, "sfa": 200.0, "quadruplet": 100.0, "supervised": 100.0}
    runs += [timed_run(row, seed, speeds[row.method] + seed) for row in (*ROWS[:3], ROWS[5]) for seed in (0, 1)]
    return with_pictures(board_of(planned_of(runs)), lambda key, name: picture(len(name), 8))


@pytest.fixture(scope="session")
def folds() -> list[PlannedCell]:
    """Two rows in one column, three folds of disjoint groups and three seeds."""
    several = Choice(name="mocap-actions", options={"size": "mini", "fold": [1, 2, 3]})
    average = Average(pretraining=several, data=several)
    planned = []
    for fold in (1, 2, 3):
        for cell in plan([FakeRow("sfa", 0.4), FakeRow("quadruplet", 0.6)], [FakeColumn("knn", ease=0.1 * fold)]):
            choice = Choice(name="mocap-actions", options={"size": "mini", "fold": fold})
            identity = cell.identity.model_copy(update={"pretraining": choice, "data": choice})
            predictions = cell.run.predictions
            predictions = dataclasses.replace(
                predictions,
                videos=tuple(f"{fold}{name}" for name in predictions.videos),
                groups=tuple(f"{fold}{name}" for name in predictions.groups),
            )
            run = cell.run.model_copy(
                update={"identity": identity, "predictions": predictions, "protocol_id": f"fold {fold}"}
            )
            planned.append(cell.model_copy(update={"identity": identity, "run": run, "average": average}))
    return planned


@pytest.fixture(scope="session")
def timed_board() -> Board:
    """Three rows whose speed was measured on two devices, and of one not at all."""
    rows, devices = ROWS[:3], ("Some CPU", "Some GPU", "Some GPU")
    runs = [fake_run(row, COLUMNS[0], seed) for row in rows for seed in (0, 1)]
    runs += [
        timed_run(row, seed, 90.0 + seed, device) for row, device in zip(rows, devices, strict=True) for seed in (0, 1)
    ]
    return board_of(change(planned_of(runs), rows[2].method, "throughput", run=None))


@pytest.fixture(scope="session")
def troubled_board() -> Board:
    """A board in which every status occurs."""
    return board_of(with_troubles())
