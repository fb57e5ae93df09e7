"""Shared by the verbs: common options, plugins, printing."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from harness.cli import output
from harness.system.text import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.leaderboard import Board
    from harness.plugins.manager import Plugins

SuiteArgument = Annotated[str, typer.Argument(metavar="SUITE", help="Name of a suite, or a .yaml file.")]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change the suite: frames=1000, seeds=[0], methods.1.margin=1."),
]
BoardFolder = Annotated[
    Path | None, typer.Option("--output", "-o", help="Folder of the board; leaderboards/<suite> by default.")
]
BOARDS = Path("leaderboards")
"""Folder of boards, unless `-o` names another."""
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


class Verb(TyperCommand):
    """Command whose standard output is its own."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        with output.reserved():
            return super().invoke(ctx)


@dataclass(frozen=True, slots=True)
class Context:
    """The options before the verb."""

    block: tuple[str, ...] = ()
    strict: bool = False

    def plugins(self) -> Plugins:
        """Load the plugins; each fault gets one line on stderr.

        Raises:
            PluginError: when one is broken and `--strict-plugins` was given.
        """
        from harness.plugins.manager import Plugins
        from harness.system import progress

        plugins = Plugins(block=self.block, strict=self.strict)
        for complaint in plugins.complaints:
            progress.say(complaint)
        return plugins


def print_json(value: Any) -> None:
    """Print `value` as one strict JSON document, of characters that show."""
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    if not output.takes(text):
        text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False)
    if not text.replace("\n", "").isprintable():
        text = "".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text)
    output.write(text + "\n")


def print_table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print left-aligned columns, two spaces apart, as wide as they need to be."""
    shown = [tuple(map(printable, row)) for row in [header, *rows]]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    for row in shown:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        output.write(line.rstrip() + "\n")


def print_board(board: Board, *, as_json: bool) -> None:
    """Print the tables of a board, or every number of them as JSON."""
    from harness.leaderboard.readme import tables
    from harness.leaderboard.results_file import table_values

    if as_json:
        print_json(table_values(board))
    else:
        output.write(tables(board) + "\n")
