"""`harness show`: one stored run."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.context import AsJson, Context, print_json, print_table
from harness.cli.destination import expect_folder
from harness.cli.output import write
from harness.execution import restore
from harness.system import progress
from harness.system.text import printable

if TYPE_CHECKING:
    from harness.store.records import Run
    from harness.store.runs import Store


LONGEST = 4000
"""Characters of one value."""


def show(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="A run's key, or its first digits.")],
    pictures: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write pictures of the run and of its encoder there."),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(metavar="LABEL", help="Show its score by a kind of label of the data (`scene`), or by `length`."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show a run: scores, protocol, provenance, reason of failure."""
    from harness.leaderboard.class_scores import TITLES
    from harness.store.choices import share_of
    from harness.store.fits import curves
    from harness.store.runs import Store
    from harness.system import paths, progress

    if pictures is not None:
        expect_folder("--pictures", pictures)
    store = Store(paths.store())
    run = store.find(key)
    if pictures is not None:
        for path in _pictures(context.obj, store, run, pictures):
            progress.say(str(path))
    if by is not None:
        _show_by(context.obj, run, by, as_json=as_json)
        return
    measures = _class_scores(store, run)
    if as_json:
        document = run.model_dump(mode="json", exclude=run.unwritten)
        print_json(document | ({"class_score_measures": measures} if measures else {}))
        return
    identity = run.identity
    of = "" if (share := share_of(identity.method)) is None else f"{share} % of "
    log = curves(store.folder / "fits" / run.fit_key)
    _section(
        f"run {run.key}",
        {
            "status": f"{run.status} {run.reason}".strip(),
            "method": identity.method.label,
            "backbone": identity.backbone.label if identity.backbone else "-",
            "learnt from": identity.pretraining.label if identity.pretraining else "-",
            "budget": f"{of}{identity.frames} frames" if identity.frames else "-",
            **({"starts from": "; ".join(map(str, run.starts))} if run.starts else {}),
            "sees": run.sees,
            "precision": identity.precision,
            "measured by": identity.evaluator.label,
            "measured on": identity.data.label,
            "seed": identity.seed,
            "fit": run.fit_key,
            **({"curves": f"tensorboard --logdir {shlex.quote(str(log))}"} if log else {}),
            "protocol id": run.protocol_id,
        },
    )
    baselines = {s.metric: f" (baseline {s.baseline:.4f})" if s.baseline is not None else "" for s in run.scores}
    _section("scores", {s.metric: f"{s.value:.4f}{baselines[s.metric]}" for s in run.scores})
    if measures:
        assert run.class_scores is not None
        numbers = {TITLES[name]: f"{value:.4f}" for name, value in measures.items()}
        _section(f"class scores ({run.class_scores.kind})", numbers)
    _section("pictures", {name: store.picture(run.key, name) for name in run.pictures})
    _section("notes", run.notes)
    _section("protocol", run.protocol)
    _section("provenance", run.provenance)


def _class_scores(store: Store, run: Run) -> dict[str, float]:
    """Measures of the class scores of a run, by name; none where it has no scores."""
    from harness.leaderboard.class_scores import measure_class_scores

    scores = store.class_scores(run)
    return {} if scores is None or run.predictions is None else measure_class_scores(scores, run.predictions)


def _show_by(options: Context, run: Run, by: str, *, as_json: bool) -> None:
    """Show the score on parts of the test set."""
    from harness.leaderboard.text import metric_heading, number, span
    from harness.leaderboard.video_terms import scores_by

    plugins = options.plugins()
    card = plugins.evaluators.entry(run.identity.evaluator.name).card
    split, difference = restore.present_split(plugins, run)
    if difference:
        progress.say(f"{difference}; its parts are of the labels that are here")
    metric, parts = scores_by(run, card, split, by)
    if as_json:
        print_json({"metric": metric.id, "by": by, "parts": {name: asdict(part) for name, part in parts.items()}})
        return
    rows = [
        (name, str(part.videos), number(part.interval.mean, metric), span(part.interval, metric, " to ") or "-")
        for name, part in parts.items()
        if part.interval is not None
    ]
    print_table((by, "videos", metric_heading(metric), "95 % interval, this fit"), rows)


def _pictures(options: Context, store: Store, run: Run, folder: Path) -> list[Path]:
    from harness.interfaces import Illustrated
    from harness.system import files

    pictures = {f"{name}.png": store.picture(run.key, name).read_bytes() for name in run.pictures}
    plugins = options.plugins()
    try:
        encoder = restore.encoder(plugins, store, run)
    except FileNotFoundError:
        encoder = None
    if isinstance(encoder, Illustrated):
        split, difference = restore.present_split(plugins, run)
        if difference:
            progress.say(f"{difference}; the encoder's pictures are of those that are here")
        pictures |= encoder.illustrations(split.unlabelled())
    for name, content in pictures.items():
        files.write_bytes(folder / name, content)
    return [folder / name for name in pictures]


def _section(title: str, content: dict[str, Any], indent: str = "") -> None:
    write(f"{indent}{printable(title)}\n")
    for name, value in content.items():
        if isinstance(value, dict) and value:
            _section(name, value, indent + "  ")
        else:
            write(f"{indent}  {printable(name)}: {printable(str(value), LONGEST)}\n")
