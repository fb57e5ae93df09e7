"""Code in Markdown files held against the code that it is of: commands, suites, Python."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typer.main
from markdown_it import MarkdownIt

from harness.cli.app import app
from harness.execution import plan
from harness.plugins.manager import Plugins
from harness.suites import schema
from harness.suites.schema import Suite
from harness.system import plain_yaml

ROOT = Path(__file__).parent.parent
SHELL = {"", "bash", "sh"}
BASE = {
    "name": "base",
    "title": "Whatever a fragment of a suite leaves open",
    "frames": 1000,
    "methods": ["random_init"],
    "backbones": ["small_2d"],
    "pretraining": ["mocap-actions"],
    "evaluators": ["knn"],
    "seeds": [0],
}


@dataclass(frozen=True)
class Block:
    """A block of code of a Markdown file."""

    language: str
    text: str
    line: int


def blocks(text: str) -> list[Block]:
    """All blocks, those of directives such as `{include}` too."""
    fences = [token for token in MarkdownIt("commonmark").parse(text) if token.type == "fence"]
    return [Block(token.info.strip(), token.content, token.map[0] + 1) for token in fences]


def spans(text: str) -> Iterator[str]:
    """Code within lines of text, cells of tables too."""
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        yield from (child.content for child in token.children or () if child.type == "code_inline")


def check(path: Path, folder: Path) -> list[str]:
    """Name every fault of a Markdown file's code.

    Command lines of `harness` are parsed as the verb parses them, those within text may lack arguments; suites and
    parts of suites are validated and their names looked up; Python's imports, names and calls of the harness are
    resolved.

    Args:
        path: the file.
        folder: an empty one for suites.
    """
    text = path.read_text(encoding="utf-8")
    faults = []
    for block in blocks(text):
        found: Iterator[str] = iter(())
        if block.language in SHELL:
            found = faults_of_commands(block.text)
        elif block.language == "yaml":
            found = faults_of_suite(block.text, folder)
        elif block.language == "python":
            found = faults_of_python(block.text)
        faults += [f"{path.name}:{block.line}: {fault}" for fault in found]
    faults += [f"{path.name}: {fault}" for span in spans(text) for fault in faults_of_commands(span, whole=False)]
    return faults


def commands(text: str) -> Iterator[list[str]]:
    """Arguments of each `harness` in lines of a shell; what `;`, `|`, `>` and the like end is one command."""
    for line in text.replace("\\\n", " ").splitlines():
        if "harness" not in line:
            continue
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in [*lexer, ";"]:
            if set(word) <= set("();<>|&"):
                while words and (words[0] in {"do", "run:", "-"} or "=" in words[0]):
                    del words[0]
                if words[:1] == ["harness"]:
                    yield words[1:]
                words = []
            else:
                words.append(word)


def faults_of_commands(text: str, *, whole: bool = True) -> Iterator[str]:
    """Fault of each command line that `harness` does not take; `whole` ones have all arguments."""
    if not re.search(r"\bharness [\w-]", text) or "harness VERB" in text:
        return
    for arguments in commands(text):
        if fault := _fault(arguments, whole=whole):
            yield f"harness {shlex.join(arguments)}: {fault}"


@functools.cache
def _command() -> Any:
    return typer.main.get_command(app)


@functools.cache
def _plugins() -> Plugins:
    return Plugins()


def _fault(arguments: list[str], *, whole: bool) -> str:
    """Parse arguments as the command line does, and run nothing."""
    context = None
    command = _command()
    name, rest = "harness", list(arguments)
    try:
        while True:
            context = command.make_context(name, rest, parent=context)
            if not hasattr(command, "commands"):
                return ""
            rest = [*context._protected_args, *context.args]
            if not rest and not whole:
                return ""
            name, command, rest = command.resolve_command(context, rest)
    except Exception as error:  # of typer's own copy of click
        if type(error).__name__ in {"MissingParameter", "NoArgsIsHelpError"} and not whole:
            return ""
        if type(error).__name__ == "Exit":  # --version, --help
            return ""
        if not hasattr(error, "format_message"):
            raise
        return str(error.format_message())


def faults_of_suite(text: str, folder: Path) -> Iterator[str]:
    """Faults of a suite, or of a part of one; of other YAML, those of its commands."""
    content = plain_yaml.parse(text)
    if not isinstance(content, dict) or not content.keys() & Suite.model_fields.keys():
        yield from faults_of_commands(text)
        return
    for word in re.findall(r"[\w./-]+\.(?:pth|csv|safetensors)\b", text):  # a suite's files have to be there
        (folder / word).touch()
    (folder / "suite.yaml").write_text(_merged(text, content))
    plugins = _plugins()
    try:
        suite = schema.load(str(folder / "suite.yaml"), plugins.suites)
        _expect_names(suite, plugins)
    except Exception as error:
        yield f"{type(error).__name__}: {error}"


def _merged(text: str, content: dict) -> str:
    rest = {key: value for key, value in BASE.items() if key not in content}
    return text + "".join(f"{key}: {value!r}\n" for key, value in rest.items())


def _expect_names(suite: Suite, plugins: Plugins) -> None:
    """Construct every name of a suite; data sets whose place the user says are looked up alone."""
    for choice in (*suite.pretraining, *suite.data):
        plugins.datasets.entry(choice.name)
        unknown = choice.options.keys() - plugins.datasets.parameters(choice.name).keys() - {"location"}
        assert not unknown, f"{choice.name} has no option {unknown}"
    embedded = Suite.model_validate(BASE).pretraining
    plan.check(suite.model_copy(update={"pretraining": embedded, "data": ()}), plugins)


def faults_of_python(text: str) -> Iterator[str]:
    """Imports that fail, names that modules of ours have not, and calls that they do not take."""
    tree = ast.parse(text)
    known: dict[str, object] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _imported(known, alias.name, None, alias.asname or alias.name)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield from _imported(known, node.module or "", alias.name, alias.asname or alias.name)
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            yield from _resolved(known, node)[1]
        if isinstance(node, ast.Call):
            yield from _called(known, node)


def _imported(known: dict[str, object], module: str, name: str | None, alias: str) -> Iterator[str]:
    top = module.partition(".")[0]
    if find_spec(top) is None:  # an example's own, or an extra that is not installed
        return
    try:
        value = importlib.import_module(module)
        value = getattr(value, name) if name else importlib.import_module(top)
    except (ImportError, AttributeError) as error:
        yield f"{module} {name or ''}: {error}"
        return
    if top.startswith("harness"):
        known[alias] = value


def _resolved(known: dict[str, object], node: ast.expr) -> tuple[object, list[str]]:
    """Value of a name or attribute that begins at an import of ours, None for any other."""
    if isinstance(node, ast.Name):
        return known.get(node.id), []
    if isinstance(node, ast.Attribute):
        value, faults = _resolved(known, node.value)
        if value is None or faults or not inspect.ismodule(value):
            return None, faults
        try:
            return getattr(value, node.attr), []
        except AttributeError as error:
            return None, [str(error)]
    return None, []


def _called(known: dict[str, object], node: ast.Call) -> Iterator[str]:
    value, _ = _resolved(known, node.func)
    starred = any(isinstance(one, ast.Starred) for one in node.args) or any(key.arg is None for key in node.keywords)
    if value is None or starred:
        return
    if not (inspect.isfunction(value) or inspect.isclass(value)):
        return
    try:
        inspect.signature(value).bind(*node.args, **{key.arg: key.value for key in node.keywords})
    except TypeError as error:
        yield f"{ast.unparse(node)}: {error}"
