"""Standard output: a verb's own text, in any encoding, whatever plugins print."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest
import typer

from harness.cli import output
from harness.cli.app import app
from harness.cli.context import Verb, print_json, print_table

LOUD = """
import os, subprocess, sys
from harness import MethodCard, hookimpl
print("\\x1b[31mloud\\x1b[0m at import \\udce9")
print("no end of line", end="")
print("by its other name", file=sys.__stdout__)
os.write(1, b"\\x1b]0;title\\x07past Python\\n\\xff\\n")
subprocess.run(["echo", "by a child"], check=True)
@hookimpl
def harness_methods(registry):
    print("in a hook")
    registry.register(MethodCard(name="loud", summary="\\x1b[1mLo\\x9b31mud\\u202e\\nin lines."), "x:Y")
"""


@pytest.fixture
def loud(tmp_path, monkeypatch):
    """A distribution that prints wherever it can."""
    (tmp_path / "loud_plugin.py").write_text(LOUD)
    metadata = tmp_path / "loud-2.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: loud\nVersion: 2.0\n")
    (metadata / "entry_points.txt").write_text("[harness]\nloud = loud_plugin\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]]))


VERBS = [["list", "methods"], ["list", "plugins"], ["run", "toy", "--dry-run"]]


@pytest.mark.parametrize("arguments", VERBS, ids=" ".join)
def test_what_plugins_print_is_on_stderr_without_escapes(harness_process, loud, arguments):
    quiet = harness_process("--block", "loud", *arguments, "--json")
    done = harness_process(*arguments, "--json")
    assert done.returncode == quiet.returncode, done.stderr
    documents = json.loads(quiet.stdout), json.loads(done.stdout)
    assert len(documents[1]) == len(documents[0]) + (arguments == ["list", "methods"])
    lines = done.stderr.splitlines()
    for line in ("loud at import \\xe9", "in a hook", "by its other name", "past Python", "\\xff", "by a child"):
        assert line in lines or f"no end of line{line}" in lines
    texts = [harness_process(*arguments).stdout] if arguments[0] == "list" else []  # no plan of `toy` names the plugin
    for text in (done.stdout, done.stderr, *texts):
        assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(text)


def test_json_says_what_cannot_be_shown_by_its_code(harness_process, loud):
    document = harness_process("list", "methods", "--filter", "loud", "--json").stdout
    assert json.loads(document)[0]["summary"] == "\x1b[1mLo\x9b31mud\u202e\nin lines."
    text = harness_process("list", "methods", "--filter", "loud").stdout
    assert r"loud  \x1b[1mLo\x9b31mud\u202e in lines.  loud 2.0" in text


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_every_encoding_gets_what_it_can_say(folder, loud, monkeypatch, encoding):
    (folder.parent / "loud_plugin.py").write_text(LOUD.replace("in lines.", "Ö 跑"))
    monkeypatch.setenv("PYTHONIOENCODING", encoding)
    for arguments in (["--help"], ["list", "methods"], ["list", "methods", "--json"]):
        command = [sys.executable, "-m", "harness", *arguments]
        done = subprocess.run(command, capture_output=True, cwd=folder, check=False)
        assert done.returncode == 0, done.stderr
        text = done.stdout.decode(encoding)
    assert "Ö 跑" in next(row["summary"] for row in json.loads(text) if row["name"] == "loud")


def written(text: str, encoding: str) -> bytes:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    before, sys.stdout = sys.stdout, stream
    try:
        output.write(text)
    finally:
        sys.stdout = before
    return raw.getvalue()


def test_what_an_encoding_lacks_is_spelt_out():
    assert written("ä 57.0–65.5\n", "ascii") == rb"\xe4 57.0\u201365.5" + b"\n"
    assert written("ä 57.0–65.5\n", "latin-1") == b"\xe4 57.0\\u201365.5\n"
    assert written("ä \udce9 \x1b[31mred\x1b[0m\n", "utf-8") == "ä \\xe9 red\n".encode()


def test_json_stays_json_in_every_encoding(monkeypatch):
    value = {"name": "ä\udce9\x9b", "other": "跑\u202e\U000e0041"}
    for encoding in ("ascii", "latin-1", "utf-8"):
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
        print_json(value)
        text = raw.getvalue().decode(encoding)
        assert json.loads(text) == value
        assert text.replace("\n", "").isprintable()


def test_no_standard_output_at_all():
    code = "from harness.cli.app import main\nmain(['list', 'methods'])\n"
    done = subprocess.run(
        ["sh", "-c", f'exec "{sys.executable}" -c "$0" >&-', code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_tables_have_a_line_a_row(capsys):
    print_table(("name", "what"), [("a\nb", "\x1b[31mred"), ("跑", "x" * 1000)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == r"a b   \x1b[31mred"
    assert len(lines) == 3
    assert lines[2].endswith("x…")


def test_every_verb_keeps_its_standard_output():
    def verbs(command):
        for inner in getattr(command, "commands", {}).values():
            yield from verbs(inner) if hasattr(inner, "commands") else [inner]

    found = list(verbs(typer.main.get_command(app)))
    assert len(found) >= 13
    assert [verb.name for verb in found if not isinstance(verb, Verb)] == []


def test_standard_output_is_everybodys_again_where_the_verb_fails():
    code = (
        "import os\nfrom harness.cli import output\n"
        "try:\n    with output.reserved():\n        print('to stderr')\n        os.write(1, b'past Python\\n')\n"
        "        output.write('own\\n')\n        raise KeyError\nexcept KeyError:\n    print('after', flush=True)\n"
        "os.write(1, b'and past Python\\n')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "own\nafter\nand past Python\n"
    assert done.stderr == "to stderr\npast Python\n"


def test_a_library_that_prints_without_end_stops_nobody(tmp_path):
    code = (
        "import os\nfrom harness.cli import output\nwith output.reserved():\n"
        "    for _ in range(40):\n        os.write(1, 2**16 * b'x')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == ""
    assert done.stderr.endswith("... and 1,572,864 bytes more\n")
    assert len(done.stderr) < 10_000
