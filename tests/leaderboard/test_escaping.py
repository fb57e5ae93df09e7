"""Text from plugins stays text in Markdown and CSV."""

from __future__ import annotations

import csv
import io
import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from harness.leaderboard.text import cell, code, markdown, one_line

TEXT = st.text(st.characters(codec="utf-8"), max_size=40) | st.text("|`*_<>[]()!#\\\n\r\t&;:/@=+-.1a ", max_size=20)


def rendered(source):
    """The text of the one paragraph that `source` is, and the kinds of its inline tokens."""
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(source)
    assert [token.type for token in tokens] == ["paragraph_open", "inline", "paragraph_close"]
    children = tokens[1].children
    return "".join(child.content for child in children), {child.type for child in children}


@given(TEXT)
def test_one_line_has_no_line_breaks_and_no_controls(text):
    shown = one_line(text)
    assert shown.splitlines() in ([shown], [])
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cf", "Zl", "Zp"}
    assert one_line(shown) == shown


@given(TEXT.filter(lambda text: one_line(text)))
def test_escaped_markdown_renders_as_the_text_itself(text):
    content, kinds = rendered(markdown(text))
    assert kinds <= {"text", "text_special"}
    assert content == one_line(text)


@given(TEXT.filter(lambda text: one_line(text)))
def test_escaped_markdown_stays_in_its_table_cell(text):
    source = f"| a | b |\n| -- | -- |\n| {markdown(text)} | end |"
    tokens = MarkdownIt("commonmark").enable("table").parse(source)
    cells = ["".join(child.content for child in token.children) for token in tokens if token.type == "inline"]
    assert cells == ["a", "b", one_line(text), "end"]


@given(TEXT.filter(lambda text: one_line(text)))
def test_code_spans_hold_their_text_whatever_backticks_it_has(text):
    content, kinds = rendered(f"x {code(text)} y")
    assert kinds == {"text", "code_inline"}
    assert content == f"x {one_line(text)} y"


def test_addresses_do_not_become_links():
    assert markdown("https://evil.example www.evil.example") == r"https\://evil.example www\.evil.example"


@given(TEXT)
def test_no_csv_cell_starts_a_formula_and_each_reads_back(text):
    file = io.StringIO()
    csv.writer(file).writerow([cell(text), "end"])
    [[back, end]] = csv.reader(io.StringIO(file.getvalue()))
    assert end == "end"
    assert not back.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert back.removeprefix("'") == one_line(text).removeprefix("'")
