"""Write an encoder into a folder, and load it again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from harness.cards import Elsewhere, View
from harness.encoders.network import WEIGHTS
from harness.errors import UsageError
from harness.execution import restore
from harness.export.example import library_example, mteb_example, program_example
from harness.export.model_card import expect_hub, model_card
from harness.export.program import PROGRAM, save_program
from harness.export.record import NAME, ExportedEncoder, read_record
from harness.interfaces import FromLibrary
from harness.plugins.manager import Plugins
from harness.store.runs import Store
from harness.system import files, paths, progress
from harness.values import Inputs, Recipe

if TYPE_CHECKING:
    from harness.interfaces import Encoder, Trainable
    from harness.store.records import Run

EXAMPLE = "example.py"
MTEB = "evaluate_mteb.py"
CARD = "README.md"


def export_encoder(
    key: str, folder: Path, *, mteb: bool = False, plugins: Plugins | None = None, store: Store | None = None
) -> list[Path]:
    """Write the encoder of a fit into a folder, whole or not at all.

    The folder has what the encoder saved (`weights.safetensors` of a network), a record from which `load_encoder`
    builds it again, a model card for the Hugging Face Hub, and for a network of one stream an example without the
    harness: with the library that has the network, else with its program by `torch.export`.

    Args:
        key: of the fit or of a run that measured it; the first digits are enough.
        folder: new or empty.
        mteb: adds a program that measures the encoder on tasks of MTEB, by the bridge.
        plugins: where names are looked up; all that are installed unless given.
        store: where the runs are; the user's own unless given.

    Returns:
        The files, in order of their names.

    Raises:
        UsageError: when no run or several fits have such a key, the run measured a composite, its vectors were
            computed elsewhere, something it was made with or huggingface_hub is not installed, or the folder has
            files.
        DataError: when the encoder is not stored, or cannot be read.
    """
    expect_hub()
    plugins = Plugins() if plugins is None else plugins
    store = Store(paths.store()) if store is None else store
    runs = _runs(store, key)
    run = runs[-1]
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        msg = f"{folder}: has files already; give a new folder"
        raise UsageError(msg)
    encoder = restore.stored_encoder(plugins, store, run)
    if isinstance(encoder.promise.view, Elsewhere):
        msg = f"encoder {key!r}: its vectors were computed elsewhere, so that there is no network to export"
        raise UsageError(msg)
    with files.filling(folder) as partial:
        _write(partial, encoder, runs, plugins)
        if mteb:
            files.write_text(partial / MTEB, mteb_example())
    return sorted(folder.iterdir())


def load_encoder(source: str | Path, *, plugins: Plugins | None = None, store: Store | None = None) -> Encoder:
    """Load an encoder from an exported folder, or from the store.

    Args:
        source: folder of `export_encoder`, or the key of a fit or run.
        plugins: where names are looked up; all that are installed unless given.
        store: where the runs are; the user's own unless given.

    Raises:
        UsageError: when no run has such a key, or its method or backbone is not installed.
        DataError: when the folder or what is stored cannot be read.
    """
    return load_recorded(source, plugins=plugins, store=store)[0]


def load_recorded(
    source: str | Path, *, plugins: Plugins | None = None, store: Store | None = None
) -> tuple[Encoder, ExportedEncoder]:
    """Load an encoder as `load_encoder` does, with its record."""
    plugins = Plugins() if plugins is None else plugins
    if Path(source).is_dir():
        folder = Path(source)
        record = read_record(folder)
        return restore.saved_encoder(
            plugins, record.method, record.backbone, folder, precision=record.precision
        ), record
    store = Store(paths.store()) if store is None else store
    run = _runs(store, str(source))[-1]
    return restore.stored_encoder(plugins, store, run), ExportedEncoder.of(run)


def _runs(store: Store, key: str) -> list[Run]:
    """Runs that measured the fit which `key` names; the last one names it."""
    runs = list(store)
    named = [run for run in runs if key and (run.fit_key.startswith(key) or run.key.startswith(key))]
    fits = {run.fit_key for run in named}
    if len(fits) != 1:
        many = f"{len(fits)} fits have a run that starts with it" if fits else "no run or fit starts with it"
        msg = f"encoder {key!r}: {many}; `harness leaderboard SUITE` lists the keys, or give a folder"
        raise UsageError(msg)
    (fit,) = fits
    return [run for run in runs if run.fit_key == fit and run.status == "done"] or named


def _write(folder: Path, encoder: Encoder, runs: list[Run], plugins: Plugins) -> None:
    record = ExportedEncoder.of(runs[-1])
    encoder.save(folder)
    files.write_json(folder / NAME, record.model_dump(mode="json"))
    written = _example(folder, encoder, record, plugins)
    if written:
        files.write_text(folder / EXAMPLE, written)
    trainable = "trainable" in encoder.promise.offers
    precision = cast("Trainable", encoder).precision if trainable else record.precision
    files.write_text(folder / CARD, model_card(record, runs, plugins, written, precision))


def _example(folder: Path, encoder: Encoder, record: ExportedEncoder, plugins: Plugins) -> str:
    """Write an example of a network, and its program where no library has it."""
    if "trainable" not in encoder.promise.offers:
        return ""
    network = cast("Trainable", encoder)
    inputs = network.inputs
    if not isinstance(inputs, Inputs) or not isinstance(inputs.view, View):
        return ""
    if (recipe := _recipe(folder, record, plugins)) is not None:
        return library_example(inputs, inputs.view, recipe, network.precision)
    if save_program(network.module, inputs.view, len(inputs.mean), folder / PROGRAM):
        return program_example(inputs, inputs.view, network.precision)
    progress.say("torch.export cannot trace the network; `harness.load_encoder` loads it")
    return ""


def _recipe(folder: Path, record: ExportedEncoder, plugins: Plugins) -> Recipe | None:
    """Recipe of a library, if what was saved are its network's weights."""
    if record.backbone is None or not (folder / WEIGHTS).is_file():
        return None
    backbone = plugins.backbones.build(record.backbone.name, record.backbone.options)
    return backbone.recipe if isinstance(backbone, FromLibrary) else None
