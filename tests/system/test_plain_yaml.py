"""YAML as data: what is refused, in one line and before memory is taken."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.system.plain_yaml import DEEPEST, LARGEST, NotPlainError, parse, read

LAUGHS = "a0: &a0 [lol, lol]\n" + "".join(f"a{n}: &a{n} [{', '.join(9 * [f'*a{n - 1}'])}]\n" for n in range(1, 12))
MERGES = "a0: &a0 {k0: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join(9 * [f'*a{n - 1}'])}], k{n}: 1}}\n" for n in range(1, 12)
)
LONG = f'a: &a "{"x" * 2**19}"\nb: [{", ".join(1000 * ["*a"])}]\n'


def test_data_is_read_as_pyyaml_reads_it(tmp_path):
    text = "a: [1, 2.5, true, null, x, 1e3, '1e3']\nb: &b {c: ä}\nd: {<<: *b, c: 2}\ne: *b\n? [x]\n: 1\n"
    assert parse(text.partition("?")[0]) == yaml.safe_load(text.partition("?")[0])
    path = tmp_path / "a.yaml"
    path.write_bytes("\ufeffa: ä\n".encode())
    assert read(path) == {"a": "ä"}
    assert parse("") is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "line 6: expected at most 100,000 values with all aliases written out"),
        (MERGES, "line 6: expected at most 100,000 values"),
        (LONG, "expected at most 100,000 values"),
        ("a: &a [*a]", r"line 1: the alias \*a holds itself"),
        ("a: &a {b: {<<: *a}}", r"the alias \*a holds itself"),
        ("[" * 10_000, f"line 1: expected at most {DEEPEST} lists and mappings in each other"),
        ("\n".join(" " * n + "-" for n in range(100)), f"line {DEEPEST + 1}: expected at most {DEEPEST}"),
        ("a: 1\nb: 2\na: 3", "line 3: the key 'a' comes twice"),
        ("a: {b: 1, c: 2, b: 3}", "the key 'b' comes twice"),
        ("a: .nan", "line 1: expected a finite number, got .nan"),
        ("a: [1, -.inf]", "expected a finite number, got -.inf"),
        ("a: 1.0e+999", "expected a finite number"),
        ('a: "\\ud800"', "half of a character"),
        ("a: " + "9" * 5000, "not plain YAML data"),
        ("a: 2001-99-99", "not plain YAML data"),
        ("a: !!python/object/apply:os.system [x]", "not plain YAML data"),
        ("a: *b", "not plain YAML data"),
        ("? [x]\n: 1", "not plain YAML data"),
        ("a: b: c", "not plain YAML data"),
        ("a: \x1b[31m", "not plain YAML data"),
        ("a: 1\n---\nb: 2", "not plain YAML data"),
        ("a: !!int x", "not plain YAML data"),
        ("a: !!binary €", "not plain YAML data"),
        ("x" * (LARGEST + 1), "expected at most 1,048,576 characters"),
    ],
)
def test_what_is_more_than_data_is_one_line(text, message):
    with pytest.raises(NotPlainError, match=message) as caught:
        parse(text)
    line = str(caught.value)
    assert len(line) < 600
    assert line.isprintable()


@given(st.text(st.sampled_from("ab:-[]{},&*<>!|?'\"#% \n\t0.1\ud800\x07"), max_size=60))
def test_anything_is_data_or_one_line(text):
    with contextlib.suppress(NotPlainError):
        parse(text)


def test_files_that_are_no_utf8_or_too_large(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_bytes("title: caf\xe9\n".encode("latin-1"))
    with pytest.raises(NotPlainError, match="expected UTF-8, got the byte 0xe9 at 10"):
        read(path)
    with path.open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(NotPlainError, match="expected at most 1 MiB"):
        read(path)


@pytest.mark.parametrize("text", [LAUGHS, MERGES, LONG, "[" * 10**6, "- " * 10**6, "a" * LARGEST, "- a\n" * 10**5])
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the largest resident memory is read from /proc")
def test_memory_stays_small(tmp_path, text):
    path = tmp_path / "bomb.yaml"
    path.write_text(text)
    code = (
        "import re, sys\nfrom pathlib import Path\nfrom harness.system.plain_yaml import NotPlainError, read\n"
        "try:\n    read(Path(sys.argv[1]))\nexcept NotPlainError:\n    pass\n"
        "print(re.search(r'VmHWM:\\s*(\\d+) kB', Path('/proc/self/status').read_text())[1])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) < 200 * 1024
