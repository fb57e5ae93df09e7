"""`harness list`: installed methods, data sets, suites, plugins."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.context import AsJson, Context, print_json, print_table

if TYPE_CHECKING:
    from harness.plugins.manager import Plugins
    from harness.plugins.registry import Registration, Registry


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
    context: typer.Context, kind: Annotated[Kind, typer.Argument(show_default=False)], as_json: AsJson = False
) -> None:
    """List what is installed of a kind; references are published numbers."""
    options: Context = context.obj
    plugins = options.plugins()
    if kind is Kind.plugins:
        rows = _plugins(plugins)
    elif kind is Kind.suites:
        rows = [{"name": name, "from": str(plugins.suites.origin_of(name))} for name in plugins.suites]
    elif kind is Kind.references:
        rows = _references(plugins)
    else:
        registry: Registry[Any] = getattr(plugins, kind.value)
        rows = [_entry(registry.entry(name)) for name in registry]
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
            "error": status.error,
            "registered": status.registered,
            "from": str(status.origin),
        }
        for status in plugins.statuses
    ]
