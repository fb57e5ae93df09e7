"""`harness compare`: two stored runs on the same videos."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.context import AsJson, Context, print_json, print_table
from harness.cli.destination import expect_folder
from harness.cli.output import write

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.leaderboard.run_pairs import RunPair, ScorePair
    from harness.store.records import Run

SHOWN = 20
"""Groups and videos of a table; `--json` has all."""


def compare(
    context: typer.Context,
    one: Annotated[str, typer.Argument(metavar="KEY", help="A run's key, or its first digits.")],
    other: Annotated[str, typer.Argument(metavar="KEY", help="Key of the run to compare with it.")],
    pictures: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write pictures of the videos that both, or one alone, get wrong."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two runs on the same videos, by metric, class, group and video.

    Differences are the second run less the first, paired by video, with their 95 % intervals over new groups.
    """
    from harness import api
    from harness.execution import restore
    from harness.leaderboard.pair_pictures import pair_pictures
    from harness.system import files, progress

    if pictures is not None:
        expect_folder("--pictures", pictures)
    options: Context = context.obj
    plugins = options.plugins()
    pair = api.compare(one, other, plugins=plugins)
    if pictures is not None and pair.metric is not None:
        split = restore.test_split(plugins, pair.one)
        drawn = {} if split is None else pair_pictures(pair, split)
        for name, content in drawn.items():
            files.write_bytes(pictures / name, content)
            progress.say(str(pictures / name))
        if not drawn:
            progress.say("no picture is drawn: the videos are not here, or no run gets one wrong")
    if as_json:
        print_json(_values(pair))
    else:
        _print(pair)


def _print(pair: RunPair) -> None:
    keys = pair.one.key[:12], pair.other.key[:12]
    differing = [(name, *texts) for name, *texts in _cells(pair.one, pair.other) if texts[0] != texts[1]]
    print_table(("", *keys), differing or [("the same cell", *(run.identity.evaluator.label for run in _runs(pair)))])
    if pair.one.protocol_id != pair.other.protocol_id:
        write("their protocols differ: the numbers are not of one kind (`harness show KEY` shows each)\n")
    write("\n")
    header = ("difference", "95 % interval")
    print_table(("metric", *keys, *header), [_line(score)[:1] + _line(score)[2:] for score in pair.metrics])
    if pair.metric is None:
        return
    counts = [len(one) for one in (pair.both_right, pair.only_one, pair.only_other, pair.both_wrong)]
    if any(counts):
        write(
            f"\n{pair.metric.title}, video by video: both right {counts[0]}, {keys[0]} alone {counts[1]}, "
            f"{keys[1]} alone {counts[2]}, both wrong {counts[3]}\n"
        )
    for title, scores in (("class", pair.classes), ("group", pair.groups)):
        if scores:
            write("\n")
            print_table((title, "videos", *keys, *header), [_line(score) for score in scores[:SHOWN]])
            _say_rest(len(scores), f"{title}es" if title == "class" else f"{title}s")
    if pair.both_wrong:
        write("\n")
        print_table(("both get wrong", "class"), [_named(pair, place) for place in pair.both_wrong[:SHOWN]])
        _say_rest(len(pair.both_wrong), "videos")


def _say_rest(count: int, things: str) -> None:
    if count > SHOWN:
        write(f"... and {count - SHOWN} {things} more: --json\n")


def _runs(pair: RunPair) -> tuple[Run, Run]:
    return pair.one, pair.other


def _cells(*runs: Run) -> Iterator[tuple[str, ...]]:
    """Cells of the runs, a line for each part."""
    cells = [run.identity for run in runs]
    yield "method", *(cell.method.label for cell in cells)
    yield "backbone", *(cell.backbone.label if cell.backbone else "-" for cell in cells)
    yield "learnt from", *(cell.pretraining.label if cell.pretraining else "-" for cell in cells)
    yield "budget", *(f"{cell.frames} frames" if cell.frames else "-" for cell in cells)
    yield "precision", *(cell.precision for cell in cells)
    yield "sees", *(run.sees for run in runs)
    yield "measured by", *(cell.evaluator.label for cell in cells)
    yield "measured on", *(cell.data.label for cell in cells)
    yield "seed", *(str(cell.seed) for cell in cells)


def _line(score: ScorePair) -> tuple[str, ...]:
    from harness.leaderboard.text import number, span

    difference = number(score.difference.mean, score.metric)
    return (
        score.name,
        str(score.videos),
        number(score.one, score.metric),
        number(score.other, score.metric),
        difference if difference.startswith("-") else f"+{difference}",
        span(score.difference, score.metric, " to ") or "-",
    )


def _named(pair: RunPair, place: int) -> tuple[str, str]:
    label = pair.predictions.labels[place]
    return pair.predictions.videos[place], pair.class_names.get(label, str(label))


def _values(pair: RunPair) -> dict[str, Any]:
    videos = pair.predictions.videos
    lists = {"both_wrong": pair.both_wrong, "only_first_right": pair.only_one, "only_second_right": pair.only_other}
    return {
        "keys": [run.key for run in _runs(pair)],
        "cells": [run.identity.model_dump(mode="json") for run in _runs(pair)],
        "same_protocol": pair.one.protocol_id == pair.other.protocol_id,
        "metrics": {score.metric.id: _score_values(score) for score in pair.metrics},
        "by_video": pair.metric and pair.metric.id,
        "classes": {score.name: _score_values(score) for score in pair.classes},
        "groups": {score.name: _score_values(score) for score in pair.groups},
        "videos": {name: [videos[place] for place in places] for name, places in lists.items()},
    }


def _score_values(score: ScorePair) -> dict[str, Any]:
    difference = dataclasses.asdict(score.difference)
    return {"videos": score.videos, "first": score.one, "second": score.other, "difference": difference}
