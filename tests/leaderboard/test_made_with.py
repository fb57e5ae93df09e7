"""A board says what its rows were made with, by row where they differ."""

from __future__ import annotations

import pytest

from harness.leaderboard.made_with import made_with
from harness.leaderboard.page import page
from harness.leaderboard.readme import readme
from harness.leaderboard.render import specifications
from harness.store.choices import Choice
from harness.system.text import markdown as escaped


@pytest.fixture
def board_with(make_plan, make_board, fake):
    """Board of two rows and two seeds, with additions to the provenance of the runs of one row and seed."""
    row, column, _ = fake
    rows, columns = [row("random_init", 0.3), row("sfa", 0.4)], [column("knn")]

    def board_with(**additions):
        planned = []
        for cell in make_plan(rows, columns, (0, 1)):
            changed = {"threads": 2} | (
                additions if (cell.identity.method.name, cell.identity.seed) == ("sfa", 1) else {}
            )
            run = cell.run.model_copy(update={"provenance": {**cell.run.provenance, **changed}})
            planned.append(cell.model_copy(update={"run": run}))
        return make_board(planned)

    return board_with


def written(board):
    specification, own = specifications(board)
    return readme(board), page(board, specification, b"", own)


def test_rows_made_alike_get_one_sentence(board_with):
    board = board_with(finished="later", plugins={"another": "1.0"})
    made = made_with(board.rows)
    assert made.shared == {"torch": "2.13.0", "hardware": "Some CPU @ 2.40GHz", "threads": "2"}
    assert (made.names, made.rows, made.warning) == ((), (), "")
    markdown, html = written(board)
    reproduce = markdown.partition("## Reproduce")[2]
    assert "Made with torch 2.13.0, hardware Some CPU \\@ 2.40GHz, threads 2." in reproduce
    assert r"OMP\_NUM\_THREADS=2 sets it." in reproduce
    assert "Made with torch 2.13.0, hardware Some CPU @ 2.40GHz, threads 2." in html
    assert "differ in" not in markdown + html


@pytest.mark.parametrize(
    ("additions", "name", "values"),
    [
        ({"threads": 1}, "threads", ["2", "1; 2"]),
        ({"hardware": "Some GPU"}, "hardware", ["Some CPU @ 2.40GHz", "Some CPU @ 2.40GHz; Some GPU"]),
        ({"libraries": {"torch": "2.12.0"}}, "torch", ["2.13.0", "2.12.0; 2.13.0"]),
        ({"parts": {"torch": ["2.11.0", "2.12.0"]}}, "torch", ["2.13.0", "2.11.0; 2.12.0; 2.13.0"]),
        ({"ffmpeg": {"libswscale": "9.5"}}, "FFmpeg", ["", "libswscale 9.5"]),
    ],
)
def test_rows_that_differ_say_so(board_with, additions, name, values):
    board = board_with(**additions)
    made = board.made_with
    assert made.names == (name,)
    assert [(row.method, *texts) for row, texts in made.rows] == list(zip(("random_init", "sfa"), values, strict=True))
    assert name not in made.shared
    markdown, html = written(board)
    assert f"**Rows differ in {name}**: see [Reproduce](#reproduce)." in markdown
    assert f"| sfa | {escaped(values[1])} |" in markdown.partition("## Reproduce")[2]
    assert f"Rows differ in {name}" in html
    assert made.warning in markdown
    assert made.warning in html
    assert f'<tr><th scope="row">sfa</th><td>{values[1]}</td></tr>' in html


def test_a_row_without_runs_says_nothing(make_plan, make_board, fake):
    row, column, _ = fake
    planned = make_plan([row("sfa", 0.4)], [column("knn")], (0,))
    made = make_board([cell.model_copy(update={"run": None}) for cell in planned]).made_with
    assert (made.shared, made.sentence, made.warning) == ({}, "", "")


def test_the_version_of_a_library_counts_for_its_own_networks(make_plan, make_board, fake):
    row, column, _ = fake
    rows, columns = [row("random_init", 0.3), row("sfa", 0.4)], [column("knn")]
    planned = []
    for cell in make_plan(rows, columns, (0,)):
        changed = {"provenance": {**cell.run.provenance, "libraries": {"torch": "2.13.0", "timm": "1.0.31"}}}
        if cell.identity.method.name == "sfa":
            network = Choice(name="timm:test_vit")
            changed["identity"] = cell.identity.model_copy(update={"backbone": network})
        planned.append(cell.model_copy(update={"run": cell.run.model_copy(update=changed)}))
    made = make_board(planned).made_with
    assert made.names == ("timm",)
    assert [(row.method, *texts) for row, texts in made.rows] == [("random_init", ""), ("sfa", "1.0.31")]


def test_names_of_libraries_are_no_markup(make_plan, make_board, fake):
    row, column, _ = fake
    hostile = "<b>[x](y)"
    planned = []
    for version, cell in enumerate(make_plan([row("random_init", 0.3), row("sfa", 0.4)], [column("knn")], (0,))):
        changed = {
            "provenance": {**cell.run.provenance, "libraries": {hostile: str(version)}},
            "identity": cell.identity.model_copy(update={"backbone": Choice(name=f"{hostile}:net")}),
        }
        planned.append(cell.model_copy(update={"run": cell.run.model_copy(update=changed)}))
    board = make_board(planned)
    assert board.made_with.names == (hostile,)
    reproduce = readme(board).partition("## Reproduce")[2]
    assert f"Rows were made with different {escaped(hostile)}: small differences" in reproduce
    assert "`harness verify` measures how much." in reproduce
