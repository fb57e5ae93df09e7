"""The page: self-contained, strict policy, a table without scripts, and hostile text that stays text."""

from __future__ import annotations

import base64
import hashlib
import json

import pytest

from harness.leaderboard import page as page_module
from harness.leaderboard.details import details
from harness.leaderboard.readme import tables
from harness.leaderboard.render import board_files
from harness.leaderboard.table_csv import table_csv
from harness.system.text import one_line

from .parsed import Page, sha


@pytest.fixture(scope="module")
def sources(board, troubled_board, hostile_board):
    boards = {"plain": board, "troubled": troubled_board, "hostile": hostile_board}
    return {name: board_files(one)["index.html"].decode() for name, one in boards.items()}


@pytest.fixture(scope="module")
def pages(sources):
    return {name: Page(source) for name, source in sources.items()}


@pytest.mark.parametrize("name", ["plain", "troubled", "hostile"])
def test_only_the_pages_own_scripts_and_styles_may_work(pages, name):
    page = pages[name]
    runnable = [text for attributes, text in page.scripts if attributes.get("type") != "application/json"]
    assert len(runnable) == 2
    assert page.policy["script-src"].split() == [sha(text) for text in runnable]
    assert page.policy["style-src"].split() == [sha(text) for _, text in page.styles]
    assert page.policy["default-src"] == "'none'"
    assert page.policy["img-src"] == "data:"
    assert not any("src" in attributes for attributes, _ in page.scripts)


@pytest.mark.parametrize("name", ["plain", "troubled", "hostile"])
def test_nothing_is_loaded_and_no_attribute_acts(pages, name):
    for tag, attributes in pages[name].tags:
        for attribute, value in attributes.items():
            assert not attribute.startswith("on")
            assert attribute != "style"
            if attribute == "src":
                assert tag == "img"
                assert value.startswith("data:image/png;base64,")
            if attribute == "href":
                assert value in {"table.csv", "results.json"}
    assert {tag for tag, _ in pages[name].tags}.isdisjoint({"iframe", "object", "embed", "link", "base", "form"})


def test_hostile_text_shows_as_text_everywhere(pages, hostile, hostile_board):
    page = pages["hostile"]
    assert [tag for tag, attrs in page.tags if tag == "img" and attrs["src"] == "x"] == []
    assert sum(tag == "script" for tag, _ in page.tags) == 3
    shown = "".join(page.text)
    assert shown.count("<script>alert(1)</script>") > 8
    assert "49" not in shown
    assert "\u202e" not in shown
    row, name = page.island["rows"][1], one_line(hostile)
    assert name in row["title"]
    assert row["cells"][1]["facts"]["reason"].endswith(name)
    assert row["provenance"]["hardware"] == name
    assert row["cells"][0]["protocol"][name] == name
    assert page.island["rows"] == json.loads(json.dumps(details(hostile_board)))


def test_the_island_cannot_end_early(sources):
    island = sources["hostile"].split('id="island">')[1].split("</script>")[0]
    assert "<" not in island
    assert json.loads(island)["plot"]["vconcat"]


def test_the_table_is_there_without_scripts(pages, board):
    rows = pages["plain"].rows
    header = [" ".join(cell.split()) for cell in rows[0]]
    assert header[:3] == ["rank", "method", "sees"]
    assert header[3].startswith("linear_probe mocap-actions(size=mini)Top-1 accuracy, %")
    first = [" ".join(cell.split()) for cell in rows[1]]
    interval = board.rows[2].cells[0].interval
    assert first[:2] == ["1 1–2", "quadruplet"]
    assert first[3] == f"{100 * interval.mean:.1f} {100 * interval.low:.1f}–{100 * interval.high:.1f}"
    assert [" ".join(cell.split()) for cell in rows[6]] == ["References: read labels, never ranked"]
    assert [" ".join(cell.split()) for cell in rows[8]] == ["", "chance", "", "6.8", "6.8", "3.16", "6.8"]


def test_missing_is_blank_and_trouble_is_named(pages):
    rows = [[" ".join(cell.split()) for cell in row] for row in pages["troubled"].rows]
    sfa = next(row for row in rows if row[1:2] == ["sfa(dim=64) small_3d"])
    assert sfa[0] == "4 of 5"
    assert sfa[5] == ""
    quadruplet = next(row for row in rows if row[1:2] == ["quadruplet small_3d"])
    assert quadruplet[4].endswith("stale")
    listed = [row for row in rows if row[2:3] == ["diverged"]]
    assert listed == [
        [
            "instance_recognition · small_3d",
            "knn(k=5) · mocap-actions(size=mini)",
            "diverged",
            "seed 1: loss became NaN in epoch 3",
            "harness run quickstart --retry-failed",
        ]
    ]


def test_cells_in_the_leading_group_and_weak_ones_are_marked(pages, board, troubled_board):
    for name, one in (("plain", board), ("troubled", troubled_board)):
        classes = [attrs["class"].split() for tag, attrs in pages[name].tags if tag == "td" and "data-sort" in attrs]
        cells = [marks for marks in classes if marks[0] == "number"]
        ranks = [standing.rank for division in one.divisions for standing in division.standings if standing.rank]
        assert sum("leading" in marks for marks in cells) == sum(c.leading for rank in ranks for c in rank.columns)
        weak = sum(cell.status != "done" for row in one.rows for cell in row.cells)
        assert sum("weak" in marks for marks in cells) == weak
        assert len(cells) == len(one.rows) * len(one.columns)


def test_copies_are_the_files_own_text(pages, board):
    island = pages["plain"].island
    assert island["csv"] == table_csv(board)
    assert island["markdown"] == tables(board) + "\n"


def test_a_row_leads_to_its_runs_and_where_they_come_from(pages, board):
    row = pages["plain"].island["rows"][2]
    cell = row["cells"][0]
    assert [seed["command"] for seed in cell["seeds"]] == [
        f"harness show {s.key}" for s in board.rows[2].cells[0].seeds
    ]
    assert cell["facts"]["protocol id"] == board.rows[2].cells[0].protocol_id
    assert cell["protocol"]["view.frames"] == "16"
    assert row["provenance"]["libraries.torch"] == "2.13.0"
    assert row["provenance"]["commit"] == "0123456789abcdef0123456789abcdef01234567"
    assert "manifests.test" in cell["protocol"]


def test_comparisons_are_seen_from_the_row_they_stand_in(pages):
    rows = pages["plain"].island["rows"]
    forth = next(c for c in rows[2]["cells"][0]["comparisons"] if c["other"] == "random_init")
    back = next(c for c in rows[0]["cells"][0]["comparisons"] if c["other"] == "quadruplet")
    assert forth["difference"].startswith("+")
    assert back["difference"].startswith("-")
    assert forth["p"] == back["p"]
    assert rows[5]["cells"][0]["comparisons"] == []


def test_every_button_leads_to_its_own_row(pages, board):
    page = pages["plain"]
    numbers = [int(attributes["data-row"]) for _, attributes in page.tags if "data-row" in attributes]
    assert sorted(numbers) == list(range(len(board.rows)))
    names = [row[1].split()[0] for row in page.rows if len(row) == 7 and row[1].strip() not in {"method", "chance"}]
    assert [page.island["rows"][i]["title"] for i in numbers] == names


def test_the_page_is_small_enough(sources):
    assert all(len(source) < 3_000_000 for source in sources.values())


def test_the_plots_spec_is_the_one_of_the_image(pages, board):
    assert {line["row"] for line in _records(pages["plain"].island["plot"])} == {row.label for row in board.rows}
    assert one_line(board.title) == pages["plain"].island["plot"]["title"]["text"]


def _records(specification):
    return [record for values in specification["datasets"].values() for record in values]


def test_rows_of_labelled_weights_stand_apart(labelled_board):
    page = Page(board_files(labelled_board)["index.html"].decode())
    rows = [" ".join(" ".join(row).split()) for row in page.rows[1:10]]
    heading = next(place for place, row in enumerate(rows) if row.startswith("Weights learnt from labels"))
    assert rows[heading].endswith(
        "They started from weights that learnt from labels, so they are ranked among themselves."
    )
    assert [row.split()[:2] for row in rows[heading + 1 : heading + 3]] == [["1", "best"], ["2", "good"]]
    assert "both variants perform the same recorded motions" in rows[heading + 2]


def test_rows_of_a_large_page_are_drawn_as_they_are_needed(board, monkeypatch):
    small = Page(board_files(board)["index.html"].decode())
    monkeypatch.setattr(page_module, "MANY", 5)
    large = Page(board_files(board)["index.html"].decode())
    assert "later" not in small.styles[0][1]
    assert "IntersectionObserver" not in small.scripts[-1][1]
    assert ".later { display: none; }" in large.styles[0][1]
    assert large.scripts[-1][1].startswith(small.scripts[-1][1])
    assert "IntersectionObserver" in large.scripts[-1][1]
    hidden = base64.b64encode(hashlib.sha256(large.scripts[-1][1].encode()).digest()).decode()
    (policy,) = (meta["content"] for tag, meta in large.tags if meta.get("http-equiv") == "Content-Security-Policy")
    assert f"'sha256-{hidden}'" in policy
    assert large.rows == small.rows, "without scripts all rows are there"
