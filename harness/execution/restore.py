"""Restore a run's encoder and data set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import DataError, HarnessError, UsageError
from harness.execution.sources import DataSources
from harness.execution.unread import unread
from harness.system import progress

if TYPE_CHECKING:
    from harness.encoders.frozen import CachedEncoder
    from harness.interfaces import Backbone, Dataset, Encoder, Method, Split
    from harness.plugins.manager import Plugins
    from harness.store.choices import Choice
    from harness.store.records import Run
    from harness.store.runs import Store
    from harness.values import ComputePrecision


def encoder(plugins: Plugins, store: Store, run: Run) -> Encoder:
    """The encoder that the run measured.

    Raises:
        FileNotFoundError: when the run came without it.
        UsageError: when the method or the backbone is not installed, or the row is made of parts.
        DataError: when what is stored cannot be read.
    """
    from harness.execution.stored_encoders import load_encoder  # imports torch, which listing does without

    if run.identity.parts:
        msg = (
            f"run {run.key}: row {run.identity.method.name!r} is made of parts and has no encoder; choose a run of one"
        )
        raise UsageError(msg)
    method, backbone = _built(plugins, run.identity.method, run.identity.backbone)
    return load_encoder(store.folder / "fits" / run.fit_key, method, backbone, precision=run.identity.precision)


def stored_encoder(plugins: Plugins, store: Store, run: Run) -> Encoder:
    """The encoder that the run measured, which has to be stored.

    Raises:
        DataError: when it is not, or cannot be read.
        UsageError: when the method or the backbone is not installed.
    """
    try:
        return encoder(plugins, store, run)
    except FileNotFoundError:
        msg = f"run {run.key}: its encoder is not stored here; run its suite again to fit it"
        raise DataError(msg) from None


def saved_encoder(
    plugins: Plugins, method: Choice, backbone: Choice | None, folder: Path, *, precision: ComputePrecision = "fp32"
) -> Encoder:
    """The encoder that an encoder of `method` saved in a folder outside the store.

    Raises:
        UsageError: when the method or the backbone is not installed.
        DataError: when what is there cannot be read.
    """
    from harness.encoders.network import NetworkEncoder  # imports torch, as above

    built, network = _built(plugins, method, backbone)
    encoder = built.load(network, folder)
    if isinstance(encoder, NetworkEncoder):
        encoder.precision = precision
    return encoder


def _built(plugins: Plugins, method: Choice, backbone: Choice | None) -> tuple[Method, Backbone]:
    built = plugins.methods.build(method.name, method.options)
    if backbone is None:
        return built, unread("backbone", method)
    return built, plugins.backbones.build(backbone.name, backbone.options)


def frozen(plugins: Plugins, store: Store, run: Run, *, device: str = "cpu") -> CachedEncoder:
    """The encoder that the run measured, with the features that the store has of it.

    Where its fit would have another key now, no further features are stored: its key names those that its own code
    gives.

    Raises:
        DataError: when its encoder is not stored, or cannot be read.
        UsageError: when the method, the backbone or the data set is not installed.
    """
    from harness.execution.locked_encoder import LockedEncoder
    from harness.store.keys import encoding_code
    from harness.system.environment import provenance

    stored = stored_encoder(plugins, store, run)
    code = encoding_code(plugins.datasets.load(run.identity.data.name))
    writes = _has_key_of_now(plugins, run)
    if not writes:
        progress.say(
            f"run {run.key[:12]}: its fit's code or data differ or are not here; no further features are stored"
        )
    return LockedEncoder(
        stored,
        key=run.fit_key,
        code=code,
        device=device,
        folder=store.folder / "features",
        provenance=provenance(plugins.versions, device),
        writes=writes,
    )


def _has_key_of_now(plugins: Plugins, run: Run) -> bool:
    """True if the run's fit would get the same key today; False if unknown."""
    from harness.execution.plan import Planner

    cell, sources = run.identity, DataSources(plugins)
    learnt = (cell.pretraining, *cell.further_data)
    try:
        ready = sources.ready(*(choice for choice in learnt if choice is not None))
        return ready and Planner(plugins, sources).row(cell).key == run.fit_key
    except (HarnessError, OSError):
        return False


def dataset(plugins: Plugins, run: Run) -> Dataset:
    """The data set that the run was measured on.

    Raises:
        UsageError: when it is not installed, or an option of it is wrong.
    """
    return DataSources(plugins).dataset(run.identity.data)


def present_split(plugins: Plugins, run: Run, name: str = "test") -> tuple[Split, str]:
    """Read a split of the run's data as it is here.

    Also gives how it differs from what the run was measured on: one line, empty where it is the same.

    Raises:
        UsageError, DataError: when the data set is not installed, or its files are not here.
    """
    split = DataSources(plugins).split(run.identity.data, name)
    manifests = run.protocol.get("manifests")
    measured = manifests.get(name) if isinstance(manifests, Mapping) else None
    if measured in (None, split.manifest):
        return split, ""
    return split, (
        f"run {run.key[:12]}: split {name!r} of {run.identity.data.label} has other files or labels here than those "
        "that it was measured on"
    )


def test_split(plugins: Plugins, run: Run) -> Split | None:
    """The test split that the run was measured on; None where it is not here."""
    try:
        if not DataSources(plugins).ready(run.identity.data):
            return None
        split, difference = present_split(plugins, run)
    except (DataError, UsageError):
        return None
    if difference:
        progress.say(difference)
    return None if difference else split


def class_names(plugins: Plugins, run: Run) -> tuple[str, ...]:
    """Names of the classes of the run's labels, if its data is here.

    An evaluator without the option `label` keeps the first kind of labels beside its scores.
    """
    split = test_split(plugins, run)
    if split is None:
        return ()
    evaluator = run.identity.evaluator
    label = plugins.evaluators.completed(evaluator.name, evaluator.options).get("label")
    return split.classes.get(str(label or next(iter(split.classes), "")), ())
