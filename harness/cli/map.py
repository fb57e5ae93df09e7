"""`harness map`: t-SNE of a run's features, as a picture and for TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.context import AsJson, Context, print_json
from harness.cli.destination import expect_folder
from harness.cli.output import write
from harness.execution import restore
from harness.system.devices import usable_device

if TYPE_CHECKING:
    from harness.evaluators.labelled_features import ClusteringSamples
    from harness.plugins.manager import Plugins
    from harness.store.records import Run
    from harness.store.runs import Store


def map_(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="A run's key, or its first digits.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Folder to write to.")],
    points: Annotated[int, typer.Option(min=5, max=10_000, help="Largest number of points, drawn at random.")] = 1000,
    label: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="Label to colour by: action, scene; the run's by default."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the draw of points and of the t-SNE.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Draw a run's t-SNE with thumbnails, and write files for TensorBoard's projector."""
    from harness.embeddings.export import embedding_files, subsample
    from harness.store.runs import Store
    from harness.system import files, paths, progress

    options: Context = context.obj
    expect_folder("-o", output)
    store = Store(paths.store())
    run = store.find(key)
    samples = _samples(options.plugins(), store, run, label)
    shown, frames = subsample(samples.features, samples.frames, points, seed=seed)
    identity = run.identity
    title = f"{identity.fit_label}, {samples.features.split.name} of {identity.data.label}"
    written = embedding_files(shown, frames, title=title, seed=seed)
    for name, content in written.items():
        files.write_bytes(output / name, content)
    if as_json:
        print_json([str(output / name) for name in written])
        return
    for name in written:
        write(f"{output / name}\n")
    progress.say(f"`tensorboard --logdir {output}` shows them in three dimensions")


def _samples(plugins: Plugins, store: Store, run: Run, label: str | None) -> ClusteringSamples:
    """Videos of the test split, or what a clustering is of: its split, clips, frames.

    Raises:
        DataError: when the run's encoder is not stored, or the data set has other videos here or no labels.
    """
    from harness.errors import DataError
    from harness.evaluators.cards import CLUSTERING
    from harness.evaluators.labelled_features import clustering_samples

    cached = restore.frozen(plugins, store, run, device=usable_device("auto"))
    measured = run.identity.evaluator
    frozen = cached.asking(plugins.evaluators.encoding(measured.name, measured.options).encoding)
    data = restore.dataset(plugins, run)
    units = measured.options if measured.name == CLUSTERING.name else {}  # others count other clips
    split = units.get("split", "test")
    _, difference = restore.present_split(plugins, run, split)
    if difference:
        msg = f"{difference}; set the location of its data, or run its suite again"
        raise DataError(msg)
    kinds = data.split(split).classes
    if not kinds:
        msg = f"split {split!r} of data set {data.card.name!r} has no labels to colour a map by"
        raise DataError(msg)
    kind = label or measured.options.get("label") or next(iter(kinds))
    return clustering_samples(frozen, data, split, kind, clips=units.get("clips"), stride=units.get("stride"))
