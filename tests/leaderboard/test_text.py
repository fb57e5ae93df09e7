"""Text from plugins stays text in Markdown and CSV; numbers and settings as tables show them."""

from __future__ import annotations

import csv
import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from harness.cards import Metric
from harness.leaderboard import text
from harness.leaderboard.statistics import Difference, Interval
from harness.leaderboard.text import flatten, merge
from harness.system.text import code, csv_cell, markdown, one_line

ACCURACY = Metric(id="top1", title="Top-1 accuracy", unit="%", higher_is_better=True)
ENTROPY = Metric(id="ce", title="Conditional entropy", unit="bits", higher_is_better=False)
SHARE = Metric(id="nmi", title="NMI", unit="1", higher_is_better=True)
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
    assert not {unicodedata.category(character) for character in shown} & {"Cc", "Cs", "Zl", "Zp"}
    assert not {character for character in shown if unicodedata.category(character) == "Cf"} - {*"\u200c\u200d"}
    assert one_line(shown) == shown


@given(TEXT.filter(lambda text: one_line(text)))
def test_escaped_markdown_renders_as_the_text_itself(text):
    content, kinds = rendered(markdown(text))
    assert kinds <= {"text", "text_special"}
    assert content == one_line(text)


@given(TEXT.filter(lambda text: one_line(text)))
def test_escaped_markdown_stays_in_its_table_csv_cell(text):
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
    csv.writer(file).writerow([csv_cell(text), "end"])
    [[back, end]] = csv.reader(io.StringIO(file.getvalue()))
    assert end == "end"
    assert not back.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert back.removeprefix("'") == one_line(text).removeprefix("'")


@pytest.mark.parametrize(("metric", "expected"), [(ACCURACY, "61.3"), (ENTROPY, "0.61"), (SHARE, "0.613")])
def test_fractions_are_shown_as_percentages_and_entropies_in_bits(metric, expected):
    assert text.number(0.6131, metric) == expected


def test_a_span_is_blank_where_the_spread_is_unknown():
    assert text.span(Interval(0.5), ACCURACY) == ""
    assert text.span(Interval(0.5, 0.4, 0.6), ACCURACY) == "40.0–60.0"


def test_differences_have_their_sign():
    assert text.signed(Difference(0.042, 0.01, 0.074, 0.01), ACCURACY) == "+4.2 [1.0, 7.4]"
    assert text.signed(Difference(-0.042, -0.074, 0.01, 0.2), ACCURACY) == "-4.2 [-7.4, 1.0]"


def test_chance_is_one_number_or_a_range():
    assert text.chance((0.06666, 0.06671), ACCURACY) == "6.7"
    assert text.chance((0.05, 0.07), ACCURACY) == "5.0–7.0"
    assert text.chance(None, ACCURACY) == ""


def test_columns_say_unit_and_direction():
    shown = [text.metric_heading(metric).replace("\u00a0", " ") for metric in (ACCURACY, ENTROPY, SHARE)]
    assert shown == ["Top-1 accuracy, % ↑", "Conditional entropy, bits ↓", "NMI ↑"]


def test_small_probabilities_are_not_shown_as_zero():
    assert [text.p_value(p) for p in (0.0, 0.0004, 0.0321, 1.0)] == ["< 0.001", "< 0.001", "0.032", "1.000"]


def test_the_order_of_keys_does_not_matter():
    assert list(flatten({"b": 1, "a": {"d": 2, "c": 3}}).items()) == [("a.c", "3"), ("a.d", "2"), ("b", "1")]


def test_many_values_become_first_and_last_in_numerical_order():
    runs = [{"seconds": value, "torch": "2.13.0"} for value in (10.0, 9.0, 2.5, 100.0)]
    assert merge(runs) == {"seconds": "2.5 … 100.0 (4 values)", "torch": "2.13.0"}
    assert merge([{"host": "b"}, {"host": "a"}, {"host": 3}]) == {"host": "3; a; b"}
    assert merge([]) == {}
