"""From plan to runs: fit once, encode once, evaluate many; resume, share with other processes, record failures."""

from __future__ import annotations

import datetime
import shutil
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import filelock
import torch

from harness.cards import View
from harness.encoders import network
from harness.encoders.frozen import FrozenEncoder, fingerprint
from harness.errors import DataError, DivergedError, HarnessError
from harness.execution.plan import Plan, Planner, coverage, protocol_with_view, resolve_evaluator
from harness.interfaces import Budget, Encoder, Evaluation
from harness.store.records import Cell, CellSpec, Run, Status
from harness.store.runs import Store
from harness.system import files, progress
from harness.system.environment import provenance
from harness.system.hashing import digest

if TYPE_CHECKING:
    from harness.plugins.manager import Plugins


class Executor:
    """Computes the cells of a plan that the store does not have.

    Args:
        plugins: what is installed.
        planner: gives the data sets and splits.
        store: where fits, features and runs are kept; several processes may share one.
        device: "cpu" or "cuda".
    """

    def __init__(self, plugins: Plugins, planner: Planner, store: Store, *, device: str = "cpu") -> None:
        self._plugins = plugins
        self._planner = planner
        self._store = store
        self._device = device
        self._provenance = provenance(plugins.versions, device)

    def execute(self, plan: Plan, *, retry_failed: bool = False) -> list[Run]:
        """The run of every applicable cell of `plan`, in its order: those stored, and the others once computed.

        Args:
            plan: what to compute.
            retry_failed: whether cells whose stored run failed are computed again.
        """
        retried = {run.key for run in self._runs(plan.cells) if run.status != "done"} if retry_failed else set()

        def pending(cells: Iterable[Cell]) -> list[Cell]:
            stored = {run.key for run in self._runs(cells)} - retried
            return [cell for cell in cells if cell.key not in stored and not cell.missing]

        waiting = {key: todo for key, cells in plan.fits().items() if (todo := pending(cells))}
        with progress.bar(f"suite {plan.suite.name}", total=sum(map(len, waiting.values()))) as bar:
            while waiting:
                key = self._claim(waiting)
                cells = waiting.pop(key)
                with self._lock(key):
                    todo = pending(cells)
                    bar.advance(len(cells) - len(todo))
                    for run in self._measure(todo):
                        retried.discard(run.key)
                        bar.advance()
        return self._runs(plan.cells)

    def _runs(self, cells: Iterable[Cell]) -> list[Run]:
        runs = (self._store.get(cell.key) for cell in cells)
        return [run for run in runs if run is not None]

    def _lock(self, key: str) -> filelock.BaseFileLock:
        folder = self._store.folder / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        return filelock.FileLock(folder / f"{key}.lock", is_singleton=True)

    def _claim(self, waiting: dict[str, list[Cell]]) -> str:
        """A fit that no other process is at; when all are taken, the first, to wait for."""
        for key in waiting:
            lock = self._lock(key)
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                continue
            lock.release()
            return key
        return next(iter(waiting))

    def _measure(self, cells: list[Cell]) -> Iterator[Run]:
        """Fit once, then evaluate and store every cell of one fit; a fit that fails is the failure of each."""
        if not cells:
            return
        encoder, failure = None, None
        with progress.bar(_title(cells[0].identity), total=len(cells)) as bar:
            try:
                encoder = self._encoder(cells[0])
            except (Exception, SystemExit) as error:
                failure = _failure(error)
                progress.say(f"{_title(cells[0].identity)}: {failure[0]}: {failure[1]}")
            for cell in cells:
                yield self._store_run(cell, encoder, failure)
                bar.advance(note=cell.identity.evaluator.label)

    def _store_run(self, cell: Cell, encoder: FrozenEncoder | None, failure: tuple[Status, str] | None) -> Run:
        for complaint in self._plugins.run_started(cell):
            progress.say(complaint)
        started = time.monotonic()
        evaluation = Evaluation(())
        if encoder is not None:
            try:
                evaluation = self._evaluation(cell, encoder)
            except (Exception, SystemExit) as error:
                failure = _failure(error)
                progress.say(f"{_title(cell.identity)} / {cell.identity.evaluator.label}: {failure[0]}: {failure[1]}")
        view = None if encoder is None else encoder.view
        run = self._run(cell, view, evaluation, failure, round(time.monotonic() - started, 3))
        self._store.write(run, evaluation.pictures)
        for complaint in self._plugins.run_finished(cell, run):
            progress.say(complaint)
        return run

    def _run(
        self,
        cell: Cell,
        view: View | None,
        evaluation: Evaluation,
        failure: tuple[Status, str] | None,
        seconds: float,
    ) -> Run:
        protocol = dict(cell.protocol)
        if view is not None:
            splits = {name: self._planner.split(cell.identity.data, name) for name in cell.protocol["manifests"]}
            protocol = protocol_with_view(protocol, view, splits)
        if evaluation.conditions:
            protocol["conditions"] = dict(evaluation.conditions)
        finished = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        status, reason = failure or ("done", "")
        learnt = coverage(self._planner.split(cell.identity.pretraining, "train"))
        return Run(
            key=cell.key,
            fit_key=cell.fit_key,
            identity=cell.identity,
            status=status,
            reason=reason,
            supervised=cell.supervised,
            scores=evaluation.scores,
            predictions=evaluation.predictions,
            notes=dict(evaluation.notes),
            pictures=tuple(evaluation.pictures),
            protocol=protocol,
            protocol_id=digest(protocol),
            provenance={**self._provenance, "evaluation_seconds": seconds, "finished": finished}
            | ({"pretraining_coverage": learnt} if learnt else {}),
        )

    def _encoder(self, cell: Cell) -> FrozenEncoder:
        """The stored encoder of the cell's fit, fitted now if it is not there."""
        identity = cell.identity
        method = self._plugins.methods.build(identity.method.name, identity.method.options)
        backbone = self._plugins.backbones.build(identity.backbone.name, identity.backbone.options)
        folder = self._store.folder / "fits" / cell.fit_key
        encoder: Encoder
        try:
            encoder = network.load(folder, method=method, backbone=backbone)
        except FileNotFoundError:
            training = folder / "training"
            budget = Budget(frames=identity.frames, seed=identity.seed, device=self._device, folder=training)
            started = time.monotonic()
            encoder = method.fit(backbone, self._planner.training(identity), budget)
            network.save(encoder, folder, method=method)
            seconds = round(time.monotonic() - started, 3)
            files.write_json(folder / "fit.json", {"identity": identity.model_dump(), "seconds": seconds})
            shutil.rmtree(training / "checkpoints", ignore_errors=True)
        features = self._store.folder / "features"
        return FrozenEncoder(encoder, key=cell.fit_key, device=self._device, folder=features)

    def _evaluation(self, cell: Cell, encoder: FrozenEncoder) -> Evaluation:
        identity = cell.identity
        evaluator, layer = resolve_evaluator(self._plugins, identity.evaluator)
        before = fingerprint(encoder.encoder)
        shown = encoder if layer is None else encoder.at(layer)
        evaluation = evaluator.evaluate(shown, self._planner.dataset(identity.data), seed=identity.seed)
        if fingerprint(encoder.encoder) != before:
            msg = f"evaluator {identity.evaluator.name!r} changed the encoder it was given"
            raise HarnessError(msg)
        _check_scores(evaluation, identity.evaluator.name)
        return evaluation


def _check_scores(evaluation: Evaluation, evaluator: str) -> None:
    for score in evaluation.scores:
        if not torch.isfinite(torch.tensor([score.value, score.baseline or 0.0])).all():
            msg = f"evaluator {evaluator!r} gave {score.metric} = {score.value}, which is no number"
            raise HarnessError(msg)


def _failure(error: BaseException) -> tuple[Status, str]:
    """The status and one line for what a fit or an evaluation raised."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, DivergedError):
        return "diverged", text
    if isinstance(error, DataError):
        return "data", text
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return "oom", text
    if isinstance(error, HarnessError):
        return "failed", text
    return "failed", f"{type(error).__name__}: {text}"


def _title(identity: CellSpec) -> str:
    return f"{identity.method.label} / {identity.backbone.label} / seed {identity.seed}"
