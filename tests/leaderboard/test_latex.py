"""A board as LaTeX: every number of the README's table, escaped and balanced."""

from __future__ import annotations

import re

import pytest

from harness.leaderboard.latex import escaped, latex
from harness.leaderboard.readme import tables

from .conftest import FakeRow, board_of, plan


@pytest.fixture(scope="module")
def odd_board():
    return board_of(plan(rows=[FakeRow("a_b&c%", 0.3), FakeRow("sfa", 0.5)]))


def test_it_has_the_numbers_of_the_readme(board):
    numbers = re.findall(r"\d+\.\d+", tables(board))
    found = re.findall(r"\d+\.\d+", latex(board))
    assert len(found) > 30
    assert sorted(found) == sorted(numbers)


def test_each_line_has_a_cell_for_each_column(board):
    text = latex(board)
    body = text.split("\\toprule\n")[1].split("\\bottomrule")[0]
    lines = [line for line in body.splitlines() if line != "\\midrule"]
    assert all(line.endswith(" \\\\") for line in lines)
    assert {len(re.findall(r"(?<!\\)&", line)) for line in lines} == {len(board.ranking)}
    assert len(lines) == 2 + len(board.rows) + 1  # two of headings, one of chance
    assert text.count("{") == text.count("}")
    assert text.count("\\begin{") == text.count("\\end{") == 2


def test_words_are_set_as_they_are(board, odd_board):
    assert escaped(r"\input{x} 50 % a_b") == r"\textbackslash{}input\{x\} 50 \% a\_b"
    assert escaped("~^ $x$ #1 & <y") == r"\textasciitilde{}\textasciicircum{} \$x\$ \#1 \& \textless{}y"
    assert (
        escaped('does "slow" win?') == r"does {\char34}slow{\char34} win?"
    )  # \textquotedbl is not in OT1, the default
    assert r"a\_b\&c\%" in latex(odd_board)
    assert "supervised (reference)" in latex(board)
