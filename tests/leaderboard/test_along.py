"""Scores along pretraining: what is beside the ranking, its curves, tables and files."""

from __future__ import annotations

import json
import re

import pytest

from harness.backbones.start import Start
from harness.leaderboard import along
from harness.leaderboard.latex import latex
from harness.leaderboard.page import page
from harness.leaderboard.plots import along_plot
from harness.leaderboard.readme import readme
from harness.leaderboard.render import board_files, leftover, picture_names, render
from harness.leaderboard.results_file import load_results
from harness.leaderboard.table_csv import table_csv


@pytest.fixture(scope="module")
def at(fake):
    """A row after a share of another's fit."""
    new_row, *_ = fake

    def at(row, share, quality):
        return new_row(row.method, quality, row.supervised, options={"@": share, **row.options}, backbone=row.backbone)

    return at


@pytest.fixture(scope="module")
def rows(fake, at):
    new_row, *_ = fake
    sfa, supervised = new_row("sfa", 0.44, options={"dim": 64}), new_row("supervised", 0.66, supervised=True)
    return (
        *(new_row("random_init", 0.24), at(sfa, 25, 0.38), at(sfa, 10, 0.3), sfa),
        *(new_row("quadruplet", 0.47), supervised, at(supervised, 50, 0.6)),
    )


@pytest.fixture(scope="module")
def courses_board(fake, rows, make_plan, make_board):
    _, new_column, _ = fake
    return make_board(make_plan(rows, [new_column("linear_probe"), new_column("clustering", -0.4)]))


@pytest.fixture(scope="module")
def plain_board(fake, rows, make_plan, make_board):
    """The same without shares."""
    _, new_column, _ = fake
    whole = [row for row in rows if "@" not in row.options]
    return make_board(make_plan(whole, [new_column("linear_probe"), new_column("clustering", -0.4)]))


def test_a_paper_gets_a_table_of_the_courses(courses_board, plain_board):
    ranked, of_courses = latex(courses_board).split("\n\n")
    assert latex(plain_board) == f"{ranked}\n"
    found, expected = (
        re.findall(r"\d+\.\d+", text)
        for text in (of_courses.split("midrule", 1)[1], readme(courses_board).split("% of the fit")[1].split("\n\n")[0])
    )
    assert found == expected
    assert len(found) > 20
    lines = [line.split(" & ")[0] for line in of_courses.splitlines() if line.endswith(" \\\\")][2:]
    assert lines == [
        *(f"sfa(dim=64), {share} \\%" for share in (0, 10, 25, 100)),
        *(f"supervised (reference), {share} \\%" for share in (0, 50, 100)),
    ]
    assert f"{courses_board.title}, after shares of the steps of each fit: " in of_courses


def test_shares_change_no_rank(courses_board, plain_board):
    assert [row.label for row in courses_board.rows] == ["random_init", "sfa(dim=64)", "quadruplet", "supervised"]
    assert [row.label for row in courses_board.at_shares] == [
        *("sfa(dim=64) @ 25 %", "sfa(dim=64) @ 10 %", "supervised @ 50 %")
    ]
    assert [row.index for row in courses_board.rows] == [0, 1, 2, 3]
    ranks = [
        [[(one.row.label, one.rank) for one in division.standings] for division in board.divisions]
        for board in (courses_board, plain_board)
    ]
    assert ranks[0] == ranks[1]


def test_courses_are_in_order_and_begin_with_the_random_network(courses_board):
    sfa, supervised = along.courses(courses_board)
    assert (sfa.label, supervised.label) == ("sfa(dim=64)", "supervised")
    assert [(point.share, point.row.identity.method.name) for point in sfa.points] == [
        *((0, "random_init"), (10, "sfa"), (25, "sfa"), (100, "sfa"))
    ]
    assert [point.share for point in supervised.points] == [0, 50, 100]


def test_fits_from_weights_or_on_another_network_begin_otherwise(fake, at, make_plan, make_board):
    new_row, new_column, _ = fake
    start = Start(weights="a.pth", learnt_from="ssv2", labels=False)
    begun = new_row("quadruplet", 0.4, starts=(start,))
    other = new_row("sfa", 0.44, backbone="small_2d")
    rows = [new_row("random_init", 0.24), begun, at(begun, 10, 0.3), other, at(other, 10, 0.3)]
    board = make_board(make_plan(rows, [new_column("knn")]))
    assert [[point.share for point in course.points] for course in along.courses(board)] == [[10, 100]] * 2


def test_the_plot_shows_the_means_at_the_shares(courses_board):
    specification = along_plot(courses_board)
    panels = [
        records
        for records in specification["datasets"].values()
        if "low" in records[0] and {record["row"] for record in records} == {"sfa(dim=64)", "supervised"}
    ]
    assert len(panels) == 2  # accuracy, and entropy
    sfa = along.courses(courses_board)[0]
    drawn = [record for record in panels[0] if record["row"] == "sfa(dim=64)"]
    assert [record["x"] for record in drawn] == pytest.approx([0, 0.1, 0.25, 1], abs=0.02)
    means = [100 * point.row.cells[0].interval.mean for point in sfa.points]
    assert [record["y"] for record in drawn] == pytest.approx(means, abs=1e-3)
    text = json.dumps(specification)
    assert "% of pretraining" in text
    assert "references, which read labels" in text


def test_the_readme_has_the_plot_and_a_table(courses_board, plain_board):
    text = readme(courses_board)
    section = text.partition("## Along pretraining")[2].partition("\n## ")[0]
    assert f"({along.PLOT})" in section
    lines = [line for line in section.splitlines() if line.startswith(("| sfa", "| supervised"))]
    assert [line.split(" | ")[:2] for line in lines] == [
        *(["| sfa(dim=64)", share] for share in ("0", "10", "25", "100")),
        *(["| supervised", share] for share in ("0", "50", "100")),
    ]
    assert "@" not in text.partition("## Along pretraining")[0]
    assert "Along pretraining" not in readme(plain_board)


def test_the_page_has_the_section_and_its_plot(courses_board, plain_board):
    html = page(courses_board, {}, b"", {along.PLOT: along_plot(courses_board)})
    assert f'data-plot="{along.PLOT}"' in html
    assert html.count('<th scope="row" class="who">sfa(dim=64)</th>') >= 4
    assert "Along pretraining" not in page(plain_board, {}, b"", {})


def test_every_row_is_in_the_csv_without_a_rank(courses_board):
    lines = [line for line in table_csv(courses_board).splitlines() if line.startswith("sfa(dim=64) @ 25 %")]
    assert len(lines) == len(courses_board.columns[0].card.metrics) + len(courses_board.columns[1].card.metrics)
    assert all(",,,,,," in line for line in lines)


def test_the_board_is_written_read_and_cleared_of_its_plot(courses_board, plain_board, tmp_path):
    render(courses_board, tmp_path)
    assert along.PLOT in picture_names(courses_board)
    assert (tmp_path / along.PLOT).read_bytes().startswith(b"\x89PNG")
    again = load_results(tmp_path / "results.json")
    assert board_files(again)["README.md"] == (tmp_path / "README.md").read_bytes()
    assert leftover(plain_board, tmp_path) == [along.PLOT]
    render(plain_board, tmp_path)
    assert not (tmp_path / along.PLOT).exists()


def test_what_is_not_measured_is_said_and_not_drawn(courses_board, make_board):
    blank = [cell.model_copy(update={"run": None}) for cell in courses_board.planned]
    board = make_board(blank)
    assert along.plotted(board) == ()
    assert along.PLOT not in picture_names(board)
    text = readme(board)
    assert along.PLOT not in text
    assert r"sfa(dim=64) \@ 25 %" in text.partition("## Not measured")[2]
