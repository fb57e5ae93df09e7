"""Sphinx extension: parts of pages that are made of the code.

A line `<!-- made: NAME -->` or `<!-- made: NAME ARGUMENT -->` of a page is where one belongs.
"""

from __future__ import annotations

import html
import inspect
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer.main

import harness
from harness.cli.app import app as command_line
from harness.plugins.manager import Plugins

if TYPE_CHECKING:
    from sphinx.application import Sphinx

    from harness.cards import Card, EvaluatorCard

MARK = re.compile(r"^<!-- made: (\w+) ?(\w*) -->$", flags=re.MULTILINE)
ROOT = Path(__file__).parent.parent
RAW = "https://raw.githubusercontent.com/video-harness/video-harness/main/"
"""Address of pictures in READMEs, which show them on a package index too."""
STAR = re.compile(r"\*(?=\w)")
WIDTH = 100
"""Columns of a verb's help."""
SCHEMAS = {"run": "store/run.schema.json", "results": "leaderboard/results.schema.json"}


def verbs() -> str:
    """Help of every verb, as `harness VERB --help` prints it."""
    return "\n".join(_help(typer.main.get_command(command_line), "harness", None))


def _help(command: Any, name: str, parent: Any) -> Iterator[str]:
    """Sections of a command, a class of typer's own copy of click, and of the verbs in it."""
    sizes = {"terminal_width": WIDTH, "max_content_width": WIDTH}
    context = command.context_class(command, info_name=name, parent=parent, **sizes, **command.context_settings)
    title = f"## {context.command_path}" if parent is None or parent.parent is None else f"### {context.command_path}"
    yield f"{title}\n\n```text\n{command.get_help(context).rstrip()}\n```\n"
    for name_within, within in getattr(command, "commands", {}).items():
        yield from _help(within, name_within, context)


def evaluators() -> str:
    """Protocol, source, needs and metrics of every evaluator, by its card."""
    registry = Plugins().evaluators
    return "\n".join(_evaluator(registry.entry(name).card, str(registry.entry(name).origin)) for name in registry)


def _evaluator(card: EvaluatorCard, origin: str) -> str:
    metrics = [
        f"| `{one.id}` | {_text(one.title)} | {one.unit} | {'higher' if one.higher_is_better else 'lower'} |"
        for one in card.metrics
    ]
    lines = [
        f"## {card.name}\n\n{_text(card.summary)}\n",
        f"- Protocol: {_text(card.protocol)}",
        *([f"- Source: {_source(card)}"] if card.paper else []),
        f"- Asks of an encoder: {', '.join(f'`{need}`' for need in sorted(card.needs)) or 'nothing'}",
        f"- From: {_text(origin)}\n",
        "| metric | title | unit | better |\n| :-- | :-- | :-- | :-- |",
        *metrics,
    ]
    return "\n".join(lines) + "\n"


def _source(card: Card) -> str:
    paper = card.paper
    assert paper is not None
    cited = _text(f"{paper.authors}: {paper.title}, {paper.venue} {paper.year}")
    return f"[{cited}]({paper.url})" if paper.url else cited


def names() -> str:
    """Names of the front door with their first lines, linked to where they are described."""
    rows = [f"| {_link(name)} | {_first_line(getattr(harness, name))} |" for name in harness.__all__]
    return "\n".join(["| name | what it is |\n| :-- | :-- |", *rows]) + "\n"


def _link(name: str) -> str:
    value = getattr(harness, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        return f"{{py:obj}}`{name} <{value.__module__}.{name}>`"
    return f"{{py:obj}}`{name} <harness.plugins.hookspecs.{name}>`"


def _first_line(value: object) -> str:
    if inspect.isclass(value) or inspect.isfunction(value):
        return (inspect.getdoc(value) or "").partition("\n")[0]
    return f"`{value!r}`" if isinstance(value, int) else "Marks a function as a hook of a plugin."


def records() -> str:
    """Fields of everything in the JSON schemas of stored files."""
    rooms = Path(inspect.getfile(harness)).parent
    return "\n".join(_schema(name, json.loads((rooms / path).read_text("utf-8"))) for name, path in SCHEMAS.items())


def _schema(name: str, schema: dict[str, Any]) -> str:
    defined = {schema.get("title", name): schema, **schema["$defs"]}
    parts = [f"### {title} ({name})\n\n{_fields(one)}" for title, one in defined.items() if "properties" in one]
    return f"## `{Path(SCHEMAS[name]).name}`\n\n" + "\n".join(parts)


def _fields(schema: dict[str, Any]) -> str:
    said = _text(" ".join(schema.get("description", "").split()))
    needed = schema.get("required", ())
    rows = [
        f"| `{name}` | {_text(_type(field))} | {'yes' if name in needed else ''} |"
        for name, field in schema["properties"].items()
    ]
    return "\n".join([f"{said}\n", "| field | type | required |\n| :-- | :-- | :-- |", *rows]) + "\n"


def _type(field: dict[str, Any]) -> str:
    """Type of a field in words, such as `list of Score, or null`."""
    if "anyOf" in field:
        return ", or ".join(map(_type, field["anyOf"]))
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    if "enum" in field or "const" in field:
        return " or ".join(json.dumps(value) for value in field.get("enum", [field.get("const")]))
    if field.get("type") == "array" and isinstance(field.get("items"), dict):
        return f"list of {_type(field['items'])}"
    if field.get("type") == "object" and isinstance(field.get("additionalProperties"), dict):
        return f"object of {_type(field['additionalProperties'])}"
    return str(field.get("type", "any"))


def _text(text: str) -> str:
    """Text for a line or cell of Markdown, in which nothing is markup but code in backticks."""
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(part if part.startswith("`") else _plain(part) for part in parts)


def _plain(text: str) -> str:
    return re.sub(r"([\\*_\[\]|~^$#])", r"\\\1", html.escape(text, quote=False))


def plugin(name: str) -> str:
    """README of a plugin, with pictures from this checkout, as a page two folders below its root."""
    return (ROOT / "plugins" / name / "README.md").read_text("utf-8").replace(f"]({RAW}", "](../../")


MADE: dict[str, Callable[..., str]] = {
    "verbs": verbs,
    "evaluators": evaluators,
    "names": names,
    "records": records,
    "plugin": plugin,
}
"""Functions that write the parts, by the names of their marks."""


def fill(app: Sphinx, page: str, source: list[str]) -> None:
    """Put what is made in the places of a page's marks."""
    source[0] = MARK.sub(lambda mark: MADE[mark[1]](*filter(None, [mark[2]])), source[0])


def as_written(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    """Keep what extensions would take for markup.

    The star of a shape such as (N, *shape) is no emphasis. The words before a colon in an attribute's first line are no
    type: napoleon looks for one in the first line alone.
    """
    if what in {"attribute", "data", "property"}:
        lines.insert(0, "\\ ")  # nothing, in reStructuredText
    lines[:] = [line if line.lstrip().startswith((">>>", "...")) else STAR.sub(r"\*", line) for line in lines]


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the parts to Sphinx."""
    app.connect("source-read", fill)
    app.connect("autodoc-process-docstring", as_written, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
