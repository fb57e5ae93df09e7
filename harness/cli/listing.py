"""`harness list`: installed methods, data sets, suites, plugins."""

from __future__ import annotations

import enum
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.context import AsJson, Context, print_json, print_table

if TYPE_CHECKING:
    from harness.plugins.manager import Plugins
    from harness.plugins.names import Registration
    from harness.plugins.registry import Registry


class Kind(str, enum.Enum):
    """Kinds of things to list."""

    methods = "methods"
    backbones = "backbones"
    datasets = "datasets"
    evaluators = "evaluators"
    suites = "suites"
    references = "references"
    plugins = "plugins"


COLUMNS = {
    Kind.plugins: ("name", "status", "from", "error"),
    Kind.references: ("table", "method", "value", "std", "evaluator", "data", "paper"),
}
"""Columns of the text, where they are not name, summary and origin."""


def listing(
    context: typer.Context,
    kind: Annotated[Kind, typer.Argument(show_default=False)],
    library: Annotated[
        str | None, typer.Argument(metavar="[LIBRARY]", help="Library whose backbones are listed.", show_default=False)
    ] = None,
    pattern: Annotated[
        str, typer.Option("--filter", metavar="TEXT", help="Part of the name, or a pattern with * and ?.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """List what is installed of a kind; references are published numbers."""
    options: Context = context.obj
    plugins = options.plugins()
    if library is not None:
        rows = _models(plugins, kind, library)
    elif kind is Kind.plugins:
        rows = _plugins(plugins)
    elif kind is Kind.suites:
        rows = [{"name": name, "from": str(plugins.suites.origin_of(name))} for name in plugins.suites]
    elif kind is Kind.references:
        rows = _references(plugins)
    else:
        registry: Registry[Any] = getattr(plugins, kind.value)
        rows = [_entry(registry.entry(name)) for name in registry]
        rows += _libraries(plugins) if kind is Kind.backbones else []
    rows = [row for row in rows if fnmatch(row.get("name", row.get("method")), f"*{pattern}*")]
    if as_json:
        print_json(rows)
    else:
        shown = COLUMNS.get(kind, ("name", "summary", "from"))
        header = tuple(column for column in shown if any(column in row for row in rows)) or ("name",)
        print_table(header, [tuple(str(row.get(column, "")) for column in header) for row in rows])


def _entry(entry: Registration) -> dict[str, Any]:
    import dataclasses

    card = dataclasses.asdict(entry.card)
    plain = {key: sorted(value) if isinstance(value, frozenset) else value for key, value in card.items()}
    return {**plain, "target": entry.target, "from": str(entry.origin)}


def _libraries(plugins: Plugins) -> list[dict[str, Any]]:
    """List the libraries whose models are backbones, with the number of models."""
    from harness.backbones.libraries.names import model_names, version

    rows = []
    for name, entry in plugins.backbones.libraries.items():
        installed, count = version(entry.card), len(model_names(entry.card))
        state = f"{count} of {name} {installed}" if installed else f"not installed: {entry.card.install}"
        rows.append(
            {
                "name": f"{name}:MODEL",
                "summary": f"{entry.card.summary} ({state})",
                "models": count,
                "version": installed,
                "install": entry.card.install,
                "target": entry.target,
                "from": str(entry.origin),
            }
        )
    return rows


def _models(plugins: Plugins, kind: Kind, library: str) -> list[dict[str, Any]]:
    """List the models of a library of backbones.

    Raises:
        UsageError: when there is no such library, or it is not installed.
    """
    from harness.backbones.libraries.names import model_names, version
    from harness.errors import UsageError, unknown

    libraries = plugins.backbones.libraries
    if kind is not Kind.backbones:
        msg = f"{kind.value} are not listed by library; backbones are: {', '.join(libraries)}"
        raise UsageError(msg)
    if library not in libraries:
        raise unknown("library of backbones", library, libraries)
    card = libraries[library].card
    if not version(card):
        msg = f"library {library} is not installed: {card.install}"
        raise UsageError(msg)
    return [{"name": f"{library}:{model}", "from": f"{library} {version(card)}"} for model in model_names(card)]


def _references(plugins: Plugins) -> list[dict[str, Any]]:
    """List published numbers; each broken file gets a line on stderr."""
    from harness.system import progress

    published, complaints = plugins.published()
    for complaint in complaints:
        progress.say(complaint)
    return [
        {
            **one.model_dump(exclude={"paper"}, exclude_none=True),
            "paper": one.paper.title,
            "year": one.paper.year,
            "url": one.paper.url,
            "evaluator": one.evaluator.label,
            "data": one.data.label,
            "from": str(plugins.references.origin_of(name)),
        }
        for name, members in published.items()
        for one in members
    ]


def _plugins(plugins: Plugins) -> list[dict[str, Any]]:
    return [
        {
            "name": status.name,
            "distribution": status.origin.distribution,
            "version": status.origin.version,
            "target": status.target,
            "status": status.status,
            "error": status.error or "; ".join(status.clashes),
            "registered": status.registered,
            "from": str(status.origin),
        }
        for status in plugins.statuses
    ]
