"""Fit, encode and evaluate, each a function of its spec.

Their outputs are named by keys. Any process on any machine that shares the store may call them.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.backbones.weights import load_weights
from harness.encoders.composite import CompositeEncoder
from harness.encoders.frozen import CachedEncoder, fingerprint
from harness.encoders.network import WEIGHTS as NETWORK
from harness.encoders.reduced import ReducedEncoder
from harness.errors import DataError, HarnessError
from harness.execution.data_faults import data_faults
from harness.execution.origins import origin, other_origins, read_record, write_origin
from harness.execution.outcomes import Outcome, expect_storable, new_run
from harness.execution.plan import coverage, encoded_split
from harness.execution.sources import DataSources
from harness.execution.stored_encoders import FIT, expect_loadable, expect_promise, load_encoder
from harness.execution.unread import unread
from harness.interfaces import Encoder, Evaluator, Features, FrozenEncoder
from harness.plugins.manager import Plugins
from harness.store import class_scores
from harness.store.fits import CHECKSUMS, saved_checksums
from harness.store.locks import lock
from harness.store.records import Run
from harness.store.specs import EncodeSpec, EvalSpec, FitSpec, ReducedFit, Row
from harness.system import files
from harness.system.environment import provenance
from harness.system.hashing import file_hash
from harness.training.session import TrainingSession
from harness.values import Budget, Evaluation

if TYPE_CHECKING:
    import filelock

    from harness.backbones.start import Start
    from harness.cards import DatasetCard
    from harness.interfaces import Backbone, Dataset, Method, Split
    from harness.store.choices import Choice

WEIGHTS = "weights"
"""Name of what is recorded of loaded weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """Store, device and locations of a unit, as values for any process."""

    store: Path
    device: str = "cpu"
    locations: Mapping[str, Path] = field(default_factory=dict)
    """Places of data sets that the suite names."""
    threads: int = 1
    """Threads that libraries compute with."""
    compiled: bool = False
    """True where fits train what `torch.compile` makes of their losses."""
    processors: int | None = None
    """Processors that a unit may use beside others; all that are allowed when None."""
    frames: Path | None = None
    """Folder of decoded videos that processes here share."""
    scheduler: str = ""
    """Address of the Dask scheduler that files are shared with; empty for none."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Environment of the harness where it is not that of the parent process."""


class Workshop:
    """A workplace with the plugins loaded and the data sets at hand.

    Args:
        workplace: where the work is done.
        plugins: all that are installed when None.
        sources: data sets that are built already.
    """

    def __init__(
        self, workplace: Workplace, plugins: Plugins | None = None, sources: DataSources | None = None
    ) -> None:
        self.workplace = workplace
        self.plugins = plugins or Plugins()
        self.sources = sources or DataSources(self.plugins, workplace.locations)
        self.provenance = provenance(self.plugins.versions, workplace.device, compiled=workplace.compiled)

    def folder(self, key: str) -> Path:
        """Folder of a fit's encoder."""
        return self.workplace.store / "fits" / key

    def build(self, spec: FitSpec) -> tuple[Method, Backbone]:
        """The method and the backbone of a fit."""
        methods, name = self.plugins.methods, spec.method.name
        method = methods.build(name, methods.started(name, spec.method.options, self.start(spec)))
        if spec.backbone is None:
            return method, unread("backbone", spec.method)
        return method, self.plugins.backbones.build(spec.backbone.name, spec.backbone.options)

    def start(self, spec: FitSpec) -> Start | None:
        """Weights that a fit starts from, with their place; None for random ones."""
        if spec.start is None or spec.after is None:
            return spec.start
        return replace(spec.start, weights=str(self.folder(spec.after.key) / NETWORK))

    def lock(self, name: str) -> filelock.BaseFileLock:
        """Lock of a fit or of features, which one process makes, whatever rows need them."""
        return lock(self.workplace.store, name)

    def training(self, spec: FitSpec) -> Split:
        """Training split that a fit learns from.

        Raises:
            DataError: when it is not the planned one.
        """
        if spec.pretraining is None:
            split: Split = unread("pretraining", spec.method)
            return split
        split = self.sources.training(spec.pretraining, supervised=spec.supervised)
        return _as_planned(split, spec.training, spec.pretraining)

    def cached(self, encoder: Encoder, key: str, code: str, loaded: str | None = None) -> CachedEncoder:
        """The encoder of a fit, with the features that the store has of it by some code.

        Args:
            encoder: the encoder.
            key: of the fit.
            code: see `CachedEncoder`.
            loaded: see `CachedEncoder`.
        """
        place = self.workplace
        return CachedEncoder(encoder, key=key, code=code, device=place.device, folder=self.features, loaded=loaded)

    @property
    def features(self) -> Path:
        """Folder of the features."""
        return self.workplace.store / "features"


def measure(spec: EvalSpec, workshop: Workshop) -> Outcome:
    """Evaluate a cell, whose fits are stored, and describe it as a run.

    Raises:
        HarnessError: as `evaluate`.
    """
    started = time.monotonic()
    evaluation = evaluate(spec, workshop)
    seconds = round(time.monotonic() - started, 3)
    faults = data_faults(spec.identity, workshop.sources)
    run = _run(spec, workshop, evaluation, faults, seconds)
    if evaluation.class_scores is None:
        return Outcome(run, evaluation.pictures)
    content = class_scores.to_bytes(evaluation.class_scores)
    record = class_scores.record_of(evaluation.class_scores, content)
    return Outcome(run.model_copy(update={"class_scores": record}), evaluation.pictures, content)


def fit(spec: FitSpec, workshop: Workshop) -> None:
    """Fit the encoder of `spec` and store it, unless it is stored.

    The fit that it starts from is done before, unless it is stored.

    Raises:
        HarnessError: as the method.
        PluginError: when the encoder is not what the method promised, or cannot be loaded again.
    """
    complete = workshop.folder(spec.key) / FIT
    if complete.exists():
        return
    if spec.after is not None:
        fit(spec.after, workshop)
    with workshop.lock(f"fit-{spec.key}"):
        if not complete.exists():
            _fit(spec, workshop)


def _fit(spec: FitSpec, workshop: Workshop) -> None:
    folder = workshop.folder(spec.key)
    train = workshop.training(spec)
    method, backbone = workshop.build(spec)
    weights = loaded_weights(spec, workshop)
    training = folder / "training"
    started = time.monotonic()
    encoder = method.fit(
        backbone,
        train,
        TrainingSession(
            Budget(frames=spec.frames or 0, seed=spec.seed),
            name=spec.method.name,
            identity=spec.key,
            device=workshop.workplace.device,
            folder=training,
            precision=spec.precision,
            compiled=workshop.workplace.compiled,
        ),
    )
    expect_promise(spec.promise, encoder, spec.method.name)
    folder.mkdir(parents=True, exist_ok=True)
    encoder.save(folder)
    seconds = round(time.monotonic() - started, 3)
    del encoder
    expect_loadable(spec.promise, folder, *workshop.build(spec), device=workshop.workplace.device)
    about = {"method": spec.method.model_dump(), "seed": spec.seed, "seconds": seconds, **origin(workshop.provenance)}
    about[CHECKSUMS] = saved_checksums(folder)
    files.write_json(folder / FIT, about | ({WEIGHTS: weights} if weights else {}))
    shutil.rmtree(training / "checkpoints", ignore_errors=True)


def loaded_weights(spec: FitSpec, workshop: Workshop) -> dict[str, dict[str, str]]:
    """Describe how the weights that a fit starts from match; empty for random ones.

    Of a file that no network starts from, its hash alone.

    Raises:
        DataError: when the file cannot be read, is not the expected one, or does not fit.
    """
    start = workshop.start(spec)
    if start is None:
        return {}
    path = Path(start.weights)
    if spec.after is not None and not path.is_file():
        msg = f"method {spec.after.method.name!r} saved no {NETWORK}, from which {spec.method.name!r} would start"
        raise DataError(msg)
    if spec.backbone is None:
        return {path.name: {"sha256": start.sha256}}
    _, backbone = workshop.build(spec)
    match = load_weights(backbone.build(seed=0), start, backbone)
    loaded = {"loaded": match.loaded, **match.differences}
    if spec.after is not None:
        return {spec.after.started_from: {"fit": spec.after.key, "sha256": file_hash(path), **loaded}}
    return {path.name: {"sha256": start.sha256, **loaded}}


def load(spec: FitSpec, workshop: Workshop) -> Encoder:
    """The stored encoder of a fit.

    Raises:
        FileNotFoundError: when no complete one is there.
        DataError: when what is there cannot be read.
    """
    return load_encoder(workshop.folder(spec.key), *workshop.build(spec), precision=spec.precision)


def encode(spec: EncodeSpec, workshop: Workshop) -> Features:
    """The features of `spec`, encoded now unless they are stored.

    Raises:
        DataError: when a video does not decode, or what is encoded is NaN or infinite.
        PluginError: when the encoder breaks its promise or changes.
    """
    split = encoded_split(spec.data, spec.encoding, workshop.sources)
    with workshop.lock(f"features-{spec.key}"):
        features = workshop.cached(load(spec.fit, workshop), spec.fit.key, spec.code).features(split, spec.encoding)
        write_origin(workshop.features / f"{spec.key}.json", workshop.provenance)
    return features


def evaluate(spec: EvalSpec, workshop: Workshop) -> Evaluation:
    """Measure the row of `spec`, whose fits are stored.

    Raises:
        HarnessError: as the evaluator; also when it changed the encoder, or gave what cannot be stored.
        DataError: when the data are not the planned ones.
    """
    identity, manifests = spec.identity, spec.protocol["manifests"]
    for name in sorted({one.encoding.split for one in spec.encodings}):
        _as_planned(workshop.sources.split(identity.data, name), manifests.get(name), identity.data)
    for encoding in spec.encodings:
        encode(encoding, workshop)
    data = _PlannedDataset(workshop.sources.dataset(identity.data), manifests, identity.data)
    evaluator = workshop.plugins.evaluators.build(identity.evaluator.name, identity.evaluator.options)
    loaded = {part.key: load(part, workshop) for part in spec.row.fits}
    encoder = _frozen(spec.row, loaded, spec.encoding_code, workshop)
    return measured(evaluator, encoder, list(loaded.values()), data, seed=identity.seed)


class _PlannedDataset:
    """Data set of a cell, which gives the planned splits alone.

    Args:
        data: the data set, as it is here and now.
        manifests: of the planned splits.
        choice: as the suite names it.
    """

    def __init__(self, data: Dataset, manifests: Mapping[str, str], choice: Choice) -> None:
        self._data = data
        self._manifests = manifests
        self._choice = choice

    @property
    def card(self) -> DatasetCard:
        """Card of the data set."""
        return self._data.card

    def split(self, name: str) -> Split:
        """Read the split `name`.

        Raises:
            UsageError: when there is no such split.
            DataError: when files are missing or damaged, or the split is not the planned one.
        """
        return _as_planned(self._data.split(name), self._manifests.get(name), self._choice)


def _as_planned(split: Split, manifest: str | None, choice: Choice) -> Split:
    """Expect a split to be the planned one, where keys are made of it."""
    if manifest not in (split.manifest, None):
        msg = (
            f"{choice.label}: its split {split.name!r} here is not as planned: files or labels changed meanwhile, or a "
            "worker has others; run again, with --retry-failed where they are as they were"
        )
        raise DataError(msg)
    return split


def measured(
    evaluator: Evaluator, encoder: FrozenEncoder, parts: Sequence[Encoder], data: Dataset, *, seed: int
) -> Evaluation:
    """Measure an encoder, and expect that it stays as it is.

    Args:
        evaluator: the protocol.
        encoder: the encoder.
        parts: what it is made of.
        data: the data set measured on.
        seed: of the evaluator.

    Raises:
        HarnessError: as the evaluator; also when it changed the encoder, or gave what cannot be stored.
    """
    before = [fingerprint(part) for part in parts]
    evaluation = evaluator.evaluate(encoder, data, seed=seed)
    if before != [fingerprint(part) for part in parts]:
        msg = f"evaluator {evaluator.card.name!r} changed the encoder it was given"
        raise HarnessError(msg)
    expect_storable(evaluation, evaluator.card)
    return evaluation


def _frozen(row: Row, loaded: Mapping[str, Encoder], code: str, workshop: Workshop) -> FrozenEncoder:
    if isinstance(row, FitSpec):
        return workshop.cached(loaded[row.key], row.key, code, fingerprint(loaded[row.key]))
    if isinstance(row, ReducedFit):
        return ReducedEncoder(_frozen(row.of, loaded, code, workshop), by=row.by, key=row.key)
    parts = tuple(_frozen(part, loaded, code, workshop) for part in row.of)
    return parts[0] if len(parts) == 1 else CompositeEncoder(parts, by=row.by, key=row.key)


def _run(spec: EvalSpec, workshop: Workshop, evaluation: Evaluation, faults: Mapping[str, Any], seconds: float) -> Run:
    protocol = dict(spec.protocol)
    if evaluation.conditions:
        protocol["conditions"] = dict(evaluation.conditions)
    fits = [workshop.folder(one.key) / FIT for part in spec.row.fits for one in part.chain]
    beside = fits + [workshop.features / f"{encoding.key}.json" for encoding in spec.encodings]
    parts = other_origins(workshop.provenance, beside)
    weights = {name: match for path in fits for name, match in read_record(path).get(WEIGHTS, {}).items()}
    pretraining = spec.identity.pretraining
    learnt = coverage(workshop.sources.split(pretraining, "train")) if pretraining else {}
    own = {one.label: coverage(workshop.sources.split(one, "train")) for one in spec.identity.further_data}
    of_parts = {label: share for label, share in own.items() if share}
    return new_run(
        spec,
        evaluation,
        protocol=protocol,
        provenance={**workshop.provenance, "evaluation_seconds": seconds}
        | ({"parts": parts} if parts else {})
        | ({WEIGHTS: weights} if weights else {})
        | ({"pretraining_coverage": learnt} if learnt else {})
        | ({"coverage_of_parts": of_parts} if of_parts else {})
        | ({"data_faults": dict(faults)} if faults else {}),
    )
