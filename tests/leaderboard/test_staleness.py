"""A board is compared with its results as data, never as pixels."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.leaderboard.page import _vega
from harness.leaderboard.render import render
from harness.leaderboard.staleness import stale

BOARDS = Path(__file__).parents[2] / "leaderboards"


@pytest.fixture
def folder(small_board, tmp_path):
    render(small_board, tmp_path)
    return tmp_path


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_board_that_is_its_own_results_is_not_stale(troubled_board, tmp_path):
    render(troubled_board, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert stale(tmp_path) == ()
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_what_was_edited_or_lost_is_named(folder):
    edit(folder / "README.md", "4", "5")
    edit(folder / "table.csv", "method", "methods")
    (folder / "plot.png").unlink()
    assert set(stale(folder)) == {"README.md", "table.csv", "plot.png"}


def test_a_plot_and_a_picture_of_another_version_are_left_over(folder):
    (folder / "plot-9-knn.png").write_bytes(b"old")
    assert stale(folder) == ("plot-9-knn.png",)


def test_another_rasteriser_and_another_drawing_library_change_nothing(folder):
    """Fonts differ from machine to machine, and so does the script that draws on the page."""
    (folder / "plot.png").write_bytes(b"other pixels")
    page = folder / "index.html"
    text = page.read_text(encoding="utf-8").replace(_vega(), "window.vegaEmbed = () => {};")
    text = re.sub(r"(id=\"plot\">.*?base64,)[^\"]*", r"\1AAAA", text)
    text = re.sub(r"script-src [^;]*", "script-src 'sha256-other'", text)
    text = re.sub(r"vega-lite/v[\d.]+\.json", "vega-lite/v9.json", text)
    assert len(text) < len(page.read_text(encoding="utf-8")) / 2
    page.write_text(text, encoding="utf-8")
    assert stale(folder) == ()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"mark"', '"Mark"'),  # a specification
        ("<h1>", "<h1>Best "),
        ("addEventListener", "ignoreEventListener"),
        ('id="island"', 'id="islands"'),
    ],
)
def test_what_the_page_says_and_does_is_compared(folder, old, new):
    path = folder / "index.html"
    head, _, tail = path.read_text(encoding="utf-8").partition(_vega())
    body = tail if old in tail else head
    assert old in body
    edited = body.replace(old, new, 1)
    path.write_text(head + _vega() + edited if body is tail else edited + _vega() + tail, encoding="utf-8")
    assert stale(folder) == ("index.html",)


@pytest.mark.parametrize("island", ["{}", '{"plot": {}}', '{"plot": 1, "plots": {}}', "[]"])
def test_a_page_with_other_data_is_named(folder, island):
    path = folder / "index.html"
    start = 'id="island">'
    before, _, after = path.read_text(encoding="utf-8").partition(start)
    path.write_text(before + start + island + "</script>" + after.partition("</script>")[2], encoding="utf-8")
    assert stale(folder) == ("index.html",)


def test_other_line_ends_are_the_same_files(folder):
    for name in ("README.md", "table.csv", "results.json", "index.html"):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content.replace(b"\n", b"\r\n"))
    assert stale(folder) == ()


def test_numbers_may_differ_in_their_last_digits_and_no_more(folder):
    path = folder / "results.json"
    mean = re.search(r'"mean": (0\.\d{10,})', path.read_text(encoding="utf-8"))
    assert mean is not None
    edit(path, mean[0], f'"mean": {float(mean[1]) * (1 + 1e-14)!r}')
    assert stale(folder) == ()
    edit(path, '"mean": 0.', '"mean": 0.0')
    assert stale(folder) == ("results.json",)


@pytest.mark.skipif(not BOARDS.exists(), reason="committed boards are in the repository, not in the sdist")
@pytest.mark.parametrize("board", sorted(path.parent.name for path in BOARDS.glob("*/results.json")) or [""])
def test_the_committed_boards_are_what_their_results_give(board):
    """Write one again with `harness leaderboard leaderboards/NAME`."""
    assert stale(BOARDS / board) == ()
