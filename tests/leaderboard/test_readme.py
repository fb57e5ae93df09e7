"""The README of a board."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import groupby

import pytest
from markdown_it import MarkdownIt

from harness.leaderboard import readme as readme_module
from harness.leaderboard.ranking import RULE
from harness.leaderboard.readme import readme, tables, troubled
from harness.system.text import one_line


def tokens_of(text):
    return MarkdownIt("commonmark").enable("table").parse(text)


def table_rows(text):
    """The rows of all tables in `text`, each a list of its cells' sources."""
    rows = []
    for token in tokens_of(text):
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and token.level >= 4:
            rows[-1].append(token.content)
    return rows


@pytest.fixture(scope="module")
def text(troubled_board):
    return readme(troubled_board)


def test_the_table_shows_intervals_chance_and_references(board):
    header, *rows = table_rows(tables(board))
    assert header[:3] == ["rank", "method", "sees"]
    assert header[3].startswith(r"linear\_probe · mocap-actions(size=mini)<br>Top-1 accuracy")
    names = [row[1] for row in rows]
    assert names[0] == "quadruplet"
    assert names[-2:] == ["supervised", "*chance*"]
    assert [row[0] for row in rows][-2:] == ["*reference*", ""]
    quadruplet = board.rows[2].cells[0].interval
    shown = f"{100 * quadruplet.mean:.1f}** [{100 * quadruplet.low:.1f}, {100 * quadruplet.high:.1f}]"
    assert rows[0][3] == f"**{shown}"
    assert rows[-1][2:] == ["", "6.8", "6.8", "3.16", "6.8"]


def test_places_show_the_range_that_is_open(board):
    places = {row[1]: row[0] for row in table_rows(tables(board))[1:]}
    assert places["quadruplet"] == "1 (1–2)"
    assert places[r"random\_init"] == "5"


def test_missing_is_blank_and_never_zero(troubled_board):
    sfa = next(row for row in table_rows(tables(troubled_board)) if row[1].startswith("sfa"))
    assert sfa[0] == "*incomplete*"
    assert sfa[5] == ""


def test_rows_of_other_protocols_have_their_own_table_which_says_why(troubled_board):
    text = tables(troubled_board)
    assert "### Protocols A" in text
    first, second = text.split("### Protocols B")
    assert "trajectories" in second
    assert "trajectories" not in first
    assert "view.frames is 1, in A 16" in second


def test_what_was_not_measured_is_listed_with_its_reason_and_the_command(text, troubled_board):
    lines = [line for line in text.splitlines() if line.startswith("- ")]
    assert len(lines) == len(list(troubled(troubled_board))) == 4
    statuses = {line.split("**")[1]: line for line in lines}
    assert statuses["missing"].endswith("`harness run quickstart`")
    assert statuses["stale"].endswith("`harness run quickstart`")
    assert statuses["diverged"].endswith("`harness run quickstart --retry-failed`")
    assert "seed 1: loss became NaN in epoch 3" in statuses["diverged"]
    assert "feature\\_map" in statuses["not applicable"]
    assert "harness run" not in statuses["not applicable"]


def test_the_rule_the_pictures_and_how_to_reproduce_are_there(text, troubled_board):
    assert RULE in text
    caption = troubled_board.pictures[0].caption
    assert f"![{caption}](picture-1.png)" in text
    assert "](plot.png)" in text
    assert "```sh\nharness run quickstart\n```" in text
    assert "| 225 | 45 |" in text


def test_hostile_names_stay_text(hostile_board, hostile):
    source = readme(hostile_board)
    inline = [child for token in tokens_of(source) for child in token.children or ()]
    blocks = {token.type for token in tokens_of(source)}
    assert "html_block" not in blocks
    assert {child.content for child in inline if child.type == "html_inline"} == {"<br>"}
    links = {child.attrs["href"] for child in inline if child.type == "link_open"}
    assert links == {"index.html", "table.csv", "results.json"}
    images = {child.attrs["src"] for child in inline if child.type == "image"}
    assert images == {"plot.png", "plot-3-throughput.png", "picture-1.png"}
    shape = [len(row) for row in table_rows(source)]
    assert shape == [5] * 4 + [2] * 3 + [5] * 4
    assert len(source.split("## Not measured")[1].split("##")[0].strip().splitlines()) == 1
    fences = [token for token in tokens_of(source) if token.type == "fence"]
    assert [fence.content for fence in fences] == [one_line(hostile) + "\n"]
    title = next(token for token in tokens_of(source) if token.type == "inline")
    assert "".join(child.content for child in title.children) == one_line(hostile)


def test_weights_that_learnt_from_labels_have_a_table_of_their_own(labelled_board):
    first, second = tables(labelled_board).split("### Weights learnt from labels\n")
    assert "They started from weights that learnt from labels, so they are ranked among themselves." in second
    assert [row[1] for row in table_rows(first)[1:]] == ["unlabelled", r"random\_init", "tuned", "*chance*"]
    assert [row[:2] for row in table_rows(second)[1:]] == [["1", "best"], ["2", "good"], ["", "*chance*"]]
    assert "Protocols" not in first + second
    assert "*Weights learnt from labels*: ranked among themselves." in readme(labelled_board)


def test_a_number_on_what_the_weights_learnt_from_has_a_note(labelled_board):
    noted = {row[1]: row[3] for row in table_rows(tables(labelled_board))}
    note = "<br>weights learnt from mocap-actions-unbiased: both variants perform the same recorded motions"
    assert noted["good"].endswith(note)
    assert not any("learnt" in cell for method, cell in noted.items() if method != "good")


def listed_lines(text):
    groups = groupby(text.split("\n"), lambda line: line.startswith(("| ", "- ")))
    return [list(lines) for listed, lines in groups if listed]


def test_long_tables_and_lists_are_cut_and_say_where_the_rest_is(troubled_board, text, monkeypatch):
    monkeypatch.setattr(readme_module, "LINES", 4)
    short = readme(troubled_board)
    runs = listed_lines(short)
    assert max(map(len, runs)) == 4
    rest = re.findall(
        r"^([0-9]+) more are in \[index.html\]\(index.html\) and \[table.csv\]\(table.csv\)\.$", short, re.MULTILINE
    )
    assert len(rest) == 2
    assert sum(map(int, rest)) == sum(map(len, listed_lines(text))) - sum(map(len, runs))


def test_the_command_to_copy_is_one_printable_line_and_whole(board):
    change = f"title={'x' * 5000}"
    written = readme(replace(board, command=f"harness run quickstart \x1b[31m\n --set {change}"))
    assert f"```sh\nharness run quickstart \\x1b[31m --set {change}\n```" in written
