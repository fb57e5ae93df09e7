"""`harness dataset`: say where data sets lie, check their files, look at them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.context import AsJson, Context, Verb, print_json, print_table
from harness.cli.destination import expect_file
from harness.cli.output import write
from harness.system.text import printable

if TYPE_CHECKING:
    from harness.datasets.checking import Report, SplitReport

FEW = 10
"""Number of files that are named in text; `--json` names all."""
LONGEST = 4000
"""Characters of a line, which may hold two paths."""

app = typer.Typer(help="Say where data sets lie, check their files, look at them.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of a data set: `harness list datasets`.")]
Options = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="An option of the data set: fold=2, size=mini.")
]


@app.command(cls=Verb)
def add(
    context: typer.Context,
    name: Name,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The folder (or file) in which it lies.")],
) -> None:
    """Remember where a data set lies."""
    from harness.datasets import locations
    from harness.errors import DataError, UsageError
    from harness.system import paths, progress

    options: Context = context.obj
    card: Any = options.plugins().datasets.entry(name).card
    if not card.located:
        msg = f"data set {name!r} is drawn or fetched by itself and needs no place; `harness dataset check {name}`"
        raise UsageError(msg)
    place = paths.expanded(path).absolute()
    if not place.exists():
        msg = f"{place}: nothing is there; give the folder in which {name} lies"
        raise DataError(msg)
    replaced = locations.remember(name, place)
    write(f"{name} lies at {place}\n")
    if replaced not in (None, place):
        progress.say(f"in place of {replaced}")
    progress.say(f"`harness dataset check {name}` looks at every file")


@app.command(cls=Verb)
def check(context: typer.Context, name: Name, changes: Options = None, as_json: AsJson = False) -> None:
    """Decode every file; exit with 1 when one is missing, corrupt or changed."""
    import dataclasses

    from harness.datasets import checking

    options: Context = context.obj
    registry = options.plugins().datasets
    tolerant = {"bad": "skip"} if "bad" in registry.parameters(name) else {}
    report = checking.check(registry.build(name, {**chosen(changes), **tolerant}))
    if as_json:
        print_json({"dataset": name, "sound": report.sound, **dataclasses.asdict(report)})
    else:
        _print(name, report)
    if not report.sound:
        raise typer.Exit(1)


@app.command(cls=Verb)
def show(
    context: typer.Context,
    name: Name,
    split: Annotated[str, typer.Option(help="Which split.")] = "train",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="The PNG; NAME.png by default.")] = None,
    changes: Options = None,
) -> None:
    """Make a contact sheet: a row of frames for each class."""
    from harness.pictures.contact_sheet import contact_sheet
    from harness.system import files

    options: Context = context.obj
    path = output or Path(f"{name}.png")
    expect_file("-o", path)
    dataset = options.plugins().datasets.build(name, chosen(changes))
    files.write_bytes(path, contact_sheet(dataset.split(split)))
    write(f"{path}\n")


def chosen(changes: list[str] | None) -> dict[str, Any]:
    """Parse the options of a data set that `--set` gives."""
    from harness.suites.schema import change

    options: dict[str, Any] = {}
    for text in changes or ():
        change(options, text)
    return options


def _print(name: str, whole: Report) -> None:
    header = ("split", "listed", "usable", "coverage", "frames", "hours", "short", "manifest")
    print_table(header, [_line(split, report) for split, report in whole.splits.items()])
    for split, report in whole.splits.items():
        _section(f"{split}: cannot be used", [f"{why}  {path}" for path, why in report.left_out.items()])
        _section(f"{split}: changed", [f"{video}: {what}" for video, what in report.changed.items()])
        _section(f"{split}: unusual", [f"{count} {remark}" for remark, count in report.remarks.items()])
    for sides, groups in whole.leaking.items():
        _section(f"groups in {sides}", list(groups))
    for sides, videos in whole.doubled.items():
        _section(f"the same file in {sides}", [f"{one} and {other}" for one, other in videos])
    for sides, videos in whole.similar.items():
        _section(f"nearly the same pictures in {sides}", [f"{one} and {other}" for one, other in videos])
    for split, kinds in whole.absent.items():
        for kind, names in kinds.items():
            _section(f"{split}: no video of {kind}", list(names))
    write(f"{name}: {'sound' if whole.sound else 'NOT sound'}\n")


def _line(name: str, report: SplitReport) -> tuple[str, ...]:
    share = f"{100 * report.videos / report.listed:.1f} %"
    numbers = (
        report.listed,
        report.videos,
        share,
        report.frames,
        f"{report.hours:.2f}",
        len(report.short),
        report.manifest,
    )
    return (name, *map(str, numbers))


def _section(title: str, lines: list[str]) -> None:
    if lines:
        title = printable(title)
        write(f"{title} ({len(lines)})\n" if len(lines) > 1 else f"{title}\n")
        for line in lines[:FEW]:
            write(f"  {printable(line, LONGEST)}\n")
        if len(lines) > FEW:
            write(f"  ... and {len(lines) - FEW} more: --json names all\n")
