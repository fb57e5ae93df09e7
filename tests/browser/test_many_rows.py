"""Pages of 5,000 rows: they open, filter and sort in seconds."""

from __future__ import annotations

import dataclasses

import pytest

from harness.leaderboard.site.pages import index_page
from harness.leaderboard.site.recorded import load_recorded
from tests.leaderboard.conftest import FakeColumn, FakeRow, board_of, plan

from .conftest import METHODS, page_of, stored

ROWS = 5_000
OPENS, ANSWERS = 15, 3
"""Seconds; a tenth of them is enough where nothing else runs."""
TIMED = """([selector, type, value]) => {
  const one = document.querySelector(selector);
  const begun = performance.now();
  if (value !== null) one.value = value;
  one.dispatchEvent(new Event(type, { bubbles: true }));
  document.body.getBoundingClientRect();
  return (performance.now() - begun) / 1000;
}"""


@pytest.fixture(scope="module")
def paths(many, tmp_path_factory):
    """A site's index, and a board, of so many rows."""
    folder = tmp_path_factory.mktemp("many")
    board = load_recorded(stored(many, folder / "board"))
    numbers = [number for number in board.numbers if number.primary]
    numbers = (numbers * (ROWS // len(numbers) + 1))[:ROWS]
    index = index_page([dataclasses.replace(board, numbers=tuple(numbers))], METHODS, compared=False)
    rows = [FakeRow(f"method_{place:04}", 0.2 + 0.6 * place / ROWS) for place in range(ROWS - 1)]
    rows.append(FakeRow("reference_0042", 0.9, supervised=True))  # under a heading, after all others
    content = {"index": index, "board": page_of(board_of(plan(rows, [FakeColumn("pose")], (0,))))}
    for name, text in content.items():
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return {name: folder / f"{name}.html" for name in content}


@pytest.mark.parametrize(("name", "word", "fits"), [("index", "sfa", ROWS * 5 // 39), ("board", "method_0042", 1)])
def test_thousands_of_rows_answer_in_seconds(paths, visit, name, word, fits):
    page = visit(paths[name])
    took = page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd / 1000")
    assert 0 < took < OPENS
    rows = page.locator("#board tbody tr:not(.heading):visible")
    assert rows.count() < ROWS / 10
    assert page.evaluate(TIMED, ["#filter", "input", word]) < ANSWERS
    said = int(page.get_by_role("status").text_content().partition(" of ")[0])
    assert said == pytest.approx(fits, abs=10)
    assert 0 < rows.count() <= said
    assert page.evaluate(TIMED, ["#filter", "input", ""]) < ANSWERS
    assert page.evaluate(TIMED, ["#board thead th.number button", "click", None]) < ANSWERS
    values = [float(text) for text in rows.locator("td.number .mean").all_text_contents()[:20]]
    assert values == sorted(values, reverse=True)


def test_a_row_under_a_heading_further_down_is_found(paths, visit):
    page = visit(paths["board"])
    shown = page.locator("#board tbody tr:not(.heading):visible")
    page.fill("#filter", "0042")
    assert page.get_by_role("status").text_content() == f"2 of {ROWS} rows"
    assert shown.count() == 2
    page.fill("#filter", "reference")
    assert page.get_by_role("status").text_content() == f"1 of {ROWS} rows"
    assert shown.count() == 1
    assert page.locator("#board tbody tr.heading:visible").count() == 1


def test_the_end_of_what_is_drawn_draws_more(paths, visit):
    page = visit(paths["board"])
    rows = page.locator("#board tbody tr:not(.heading):visible")
    before = rows.count()
    page.get_by_text("more rows further down").first.scroll_into_view_if_needed()
    page.wait_for_function(
        "before => document.querySelectorAll('#board tbody tr:not(.heading):not(.later)').length > before", arg=before
    )
