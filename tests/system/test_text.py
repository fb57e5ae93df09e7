"""Text from outside, made safe to print."""

from __future__ import annotations

from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.system.text import LIMIT, printable, without_escapes

ANYTHING = st.text(st.characters(codec=None), max_size=700)


@given(ANYTHING)
def test_one_short_line_of_characters_that_show(text):
    line = printable(text)
    assert len(line) <= LIMIT
    assert len(line.splitlines()) <= 1
    assert all(char.isprintable() or category(char) == "Zs" or char in "\u200c\u200d" for char in line)
    line.encode()
    assert printable(line) == line


@pytest.mark.parametrize("text", ["Straße", "跑步", "a  b", "école (x=1)", "5.0\u00a0↑", "🏃\u200d♂"])
def test_ordinary_text_stays(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a b"),
        ("a\r\n\t b", "a b"),
        ("a\u2028b\u2029c\x85d", "a b c d"),
        ("a\x00b", "a\\x00b"),
        ("a\x1b]0;title\x07", "a\\x1b]0;title\\x07"),
        ("a\x9b31m", "a\\x9b31m"),
        ("\u202eevil", "\\u202eevil"),
        ("\u2066x", "\\u2066x"),
        ("caf\udce9", "caf\\xe9"),
        ("\ud800", "\\ud800"),
        ("\ufffe", "\\ufffe"),
        ("\U000e0041", "\\U000e0041"),
    ],
)
def test_what_does_not_show_is_spelt_out(text, shown):
    assert printable(text) == shown


def test_long_text_ends_with_an_ellipsis():
    assert printable("x" * LIMIT) == "x" * LIMIT
    assert printable("x" * 20_000) == "x" * (LIMIT - 1) + "…"
    assert len(printable("\x1b" * 20_000, limit=80)) == 80
    assert printable("\n" * 5000 + "end", limit=80).endswith("…")


def test_escapes_are_taken_out_of_several_lines():
    text = "\x1b[1;31mred\x1b[0m\tcell\r\n\x1b]8;;http://x\x1b\\link\x1b]8;;\x07\n\x1b(Bplain\x1b7 \x9b2Jend\x07\udce9"
    assert without_escapes("5.0\u00a0↑") == "5.0\u00a0↑"
    assert without_escapes(text) == "red\tcell\nlink\nplain end\\x07\\xe9"
    assert "\x1b" not in without_escapes("cut \x1b[3")


@given(ANYTHING)
def test_lines_without_escapes_have_no_controls(text):
    shown = without_escapes(text)
    assert all(char.isprintable() or char.isspace() or char in "\u200c\u200d" for char in shown)
    assert not set("\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029") & set(shown)
