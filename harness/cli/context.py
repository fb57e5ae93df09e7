"""Shared by the verbs: common options, plugins, printing."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
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
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


@dataclass(frozen=True, slots=True)
class Context:
    """The options before the verb."""

    block: tuple[str, ...] = ()
    strict: bool = False

    def plugins(self) -> Plugins:
        """Load the plugins; each that is broken gets one line on stderr.

        Raises:
            PluginError: when one is broken and `--strict-plugins` was given.
        """
        from harness.plugins.manager import Plugins
        from harness.system import progress

        plugins = Plugins(block=self.block, strict=self.strict)
        for status in plugins.failed:
            progress.say(status.complaint)
        return plugins


def usable_device(name: str) -> str:
    """Resolve `auto` to a GPU where there is one, and check any other device.

    Raises:
        UsageError: when nothing can be put there.
    """
    import torch

    from harness.errors import UsageError

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        msg = f"--device {name}: {str(error).splitlines()[0]}"
        raise UsageError(msg) from error
    return name


def print_json(value: Any) -> None:
    """Print `value` as one strict JSON document."""
    sys.stdout.write(json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n")


def print_table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """Print left-aligned columns, two spaces apart, as wide as they need to be."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    for row in [header, *rows]:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")


def print_board(board: Board, *, as_json: bool) -> None:
    """Print the tables of a board, or every number of them as JSON."""
    from harness.leaderboard.readme import tables
    from harness.leaderboard.results_file import table_values

    if as_json:
        print_json(table_values(board))
    else:
        sys.stdout.write(tables(board) + "\n")
