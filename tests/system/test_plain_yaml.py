"""YAML as data: what is refused, in one line and before memory is taken."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.system.plain_yaml import DEEPEST, LARGEST, NotPlainError, dump, parse, read

LAUGHS = "a0: &a0 [lol, lol]\n" + "".join(f"a{n}: &a{n} [{', '.join(9 * [f'*a{n - 1}'])}]\n" for n in range(1, 12))
MERGES = "a0: &a0 {k0: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join(9 * [f'*a{n - 1}'])}], k{n}: 1}}\n" for n in range(1, 12)
)
LONG = f'a: &a "{"x" * 2**19}"\nb: [{", ".join(1000 * ["*a"])}]\n'


def test_data_is_read_with_merges_and_anchors(tmp_path):
    text = "a: [1, 2.5, true, null, x, '1e3']\nb: &b {c: ä, f: 1}\nd: {<<: *b, c: 2}\ne: *b\ng: &b 3\nh: *b"
    b = {"c": "ä", "f": 1}
    read_back = {"a": [1, 2.5, True, None, "x", "1e3"], "b": b, "d": {"c": 2, "f": 1}, "e": b, "g": 3, "h": 3}
    assert parse(text) == read_back
    path = tmp_path / "a.yaml"
    path.write_bytes("\ufeffa: ä\n".encode())
    assert read(path) == {"a": "ä"}
    assert parse("") is None


@pytest.mark.parametrize(
    "word",
    [
        "yes",
        "No",
        "on",
        "off",
        "y",
        "1:30",
        "2026-01-31",
        "2001-99-99",
        "=",
        "0x",
        "1.2.3",
        "e3",
        "2024_1",
        "1__0",
        "1_0.5",
        "0b1",
    ],
)
def test_words_of_older_yaml_are_texts(word):
    assert parse(f"{{a: {word}, {word}: 1}}") == {"a": word, word: 1}


@pytest.mark.parametrize(
    ("word", "value"),
    [("1e-3", 0.001), ("1E5", 1e5), ("-2.", -2.0), (".5", 0.5), ("010", 10), ("0o10", 8), ("0x1F", 31), ("+3", 3)],
)
def test_numbers_are_those_of_yaml_1_2(word, value):
    assert repr(parse(f"[{word}]")[0]) == repr(value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    ).map(lambda value: {"value": value})
)
def test_what_is_written_reads_back(value):
    assert parse(dump(value)) == value


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
        ("1: a\n1.0: b", "line 2: the key '1.0' comes twice"),
        ("a: {<<: {b: 1, b: 2}}", "line 1: the key 'b' comes twice"),
        ("a: &a {b: 1}\nc: {<<: *a, <<: *a}", "line 2: the key '<<' comes twice"),
        ("a: .nan", "line 1: expected a finite number, got .nan"),
        ("a: [1, -.inf]", "expected a finite number, got -.inf"),
        ("a: 1.0e+999", "expected a finite number"),
        ('a: "\\ud800"', "half of a character"),
        ("a: " + "9" * 5000, "not plain YAML data: line 1: '9+…' is no int"),
        ("b:\na: !!python/object/apply:os.system [x]", "not plain YAML data: line 2: the tag .* asks for an object"),
        ("a: *b", "not plain YAML data: line 1, column 4: found undefined alias 'b'"),
        ("? [x]\n: 1", "not plain YAML data: line 1: a list or a mapping is no key"),
        ("? !!seq x\n: 1", "not plain YAML data: line 1: a list or a mapping is no key"),
        ("a: b: c", "not plain YAML data: line 1, column 5: mapping values"),
        ("a: 1\nb:\n\t- c", "not plain YAML data: line 3, column 1"),
        ("a: 1\n  b: 2", "not plain YAML data: line 2, column 4"),
        ("- a\nb: 1", r"not plain YAML data: line 2, column 1 \(begun on line 1\)"),
        ("a: \x1b[31m", "not plain YAML data: unacceptable character"),
        ("a: 1\n---\nb: 2", "not plain YAML data: line 2, column 1"),
        ("%YAML 1.1\n---\na: yes", "expected YAML 1.2, got 1.1"),
        ("a: !!int x", "not plain YAML data: line 1: 'x' is no int"),
        ("a: !!int ''", "not plain YAML data: line 1: '' is no int"),
        ("a: !!bool x", "not plain YAML data: line 1: 'x' is no bool"),
        ("a: !!binary €", "not plain YAML data: line 1: the tag"),
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
