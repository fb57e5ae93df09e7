"""`harness gc`: what no suite or board names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.context import AsJson, Context, print_json, print_table
from harness.cli.output import amount

if TYPE_CHECKING:
    from harness.store.garbage import Garbage


def gc(
    context: typer.Context,
    sources: Annotated[
        list[str], typer.Argument(metavar="SUITE|BOARD...", help="Suites and folders of boards whose runs are kept.")
    ],
    delete: Annotated[bool, typer.Option("--delete", help="Delete what is listed; else nothing is changed.")] = False,
    as_json: AsJson = False,
) -> None:
    """List, or delete, stored things that no given suite or board needs.

    Suites that are not named should not be running meanwhile. What was set aside as damaged is left alone.
    """
    from harness import api
    from harness.store import garbage
    from harness.system import paths, progress

    options: Context = context.obj
    found = api.garbage(sources, plugins=options.plugins())
    left = garbage.delete(paths.store(), found) if delete else ()
    if as_json:
        print_json([{"kind": one.kind, "key": one.key, "bytes": one.size, "left": one in left} for one in found])
    else:
        print_table(("kind", "key", "size"), [(one.kind, _shown(one), amount(one.size)) for one in found])
    for one in left:
        progress.say(f"{one.kind} {_shown(one)} is in use by another process and was left")
    total = amount(sum(one.size for one in found if one not in left))
    count = len(found) - len(left)
    progress.say(f"{count} deleted, {total}" if delete else f"{count} would be deleted, {total}; --delete does it")


def _shown(one: Garbage) -> str:
    """First digits of a key, or the place of what was left."""
    return one.key if "/" in one.key or one.key.startswith(".") else one.key[:12]
