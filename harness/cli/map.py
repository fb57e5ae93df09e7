"""`harness map`: where a run's encoder puts the test videos, as a picture and for TensorBoard."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness import stored
from harness.cli.context import AsJson, Context, print_json, usable_device

if TYPE_CHECKING:
    from harness.evaluators.points import Points
    from harness.plugins import Plugins
    from harness.results import Run, Store


def map_(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="A run's key, or its first digits.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", file_okay=False, help="Where to.")],
    points: Annotated[int, typer.Option(min=5, max=10_000, help="At most so many, drawn at random.")] = 1000,
    label: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="Whose classes are coloured: action, scene; the run's by default."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the draw of points and of the t-SNE.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Map a run's features: t-SNE with thumbnails, and the files of TensorBoard's projector."""
    from harness import atomic, paths
    from harness.maps.files import files, thinned
    from harness.results import Store

    options: Context = context.obj
    store = Store(paths.store())
    run = store.find(key)
    found = _points(options.plugins(), store, run, label)
    shown, frames = thinned(found.labelled, found.frames, points, seed=seed)
    identity = run.identity
    title = f"{identity.method.label} / {identity.backbone.label} / seed {identity.seed}, test of {identity.data.label}"
    written = files(shown, frames, title=title, seed=seed)
    for name, content in written.items():
        atomic.write_bytes(output / name, content)
    if as_json:
        print_json([str(output / name) for name in written])
        return
    for name in written:
        sys.stdout.write(f"{output / name}\n")
    sys.stderr.write(f"`tensorboard --logdir {output}` shows them in three dimensions\n")


def _points(plugins: Plugins, store: Store, run: Run, label: str | None) -> Points:
    """What the run's evaluator measured of test: videos, or where it is told so clips or frames of them.

    Raises:
        DataError: when the run's encoder is not stored, or the data set has no labels.
    """
    from harness.errors import DataError
    from harness.evaluators.cards.clustering import CLUSTERING
    from harness.evaluators.points import points
    from harness.features import FrozenEncoder
    from harness.suites.plan import LAYER

    try:
        encoder = stored.encoder(plugins, store, run)
    except FileNotFoundError:
        msg = f"run {run.key}: its encoder is not stored here; run its suite again to fit it"
        raise DataError(msg) from None
    device, features = usable_device("auto"), store.folder / "features"
    frozen = FrozenEncoder(encoder, key=run.fit_key, device=device, folder=features)
    measured = run.identity.evaluator
    if LAYER in measured.options:
        frozen = frozen.at(measured.options[LAYER])
    data = stored.dataset(plugins, run)
    kinds = data.split("test").classes
    if not kinds:
        msg = f"split 'test' of data set {data.card.name!r} has no labels to colour a map by"
        raise DataError(msg)
    kind = label or measured.options.get("label") or next(iter(kinds))
    units = measured.options if measured.name == CLUSTERING.name else {}  # others count other clips
    return points(frozen, data, "test", kind, clips=units.get("clips"), stride=units.get("stride"))
