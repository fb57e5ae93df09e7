"""Boards say where seeds or groups are too few, and how more seeds are computed."""

from __future__ import annotations

import dataclasses

import pytest

from harness.leaderboard.cautions import Caution, cautions, more_seeds
from harness.leaderboard.page import page
from harness.leaderboard.readme import readme
from harness.values import Score


def regrouped(planned, groups):
    """The plan with predictions of videos of so many groups."""
    return [
        cell.model_copy(
            update={
                "run": cell.run.model_copy(
                    update={
                        "predictions": dataclasses.replace(
                            cell.run.predictions,
                            groups=tuple(f"g{i % groups}" for i in range(len(cell.run.predictions.videos))),
                        )
                    }
                )
            }
        )
        for cell in planned
    ]


@pytest.fixture
def rows(fake):
    row, _, _ = fake
    return [row("sfa", 0.4), row("random_init", 0.15)]


@pytest.fixture
def knn(fake):
    _, column, _ = fake
    return [column("knn")]


def test_a_board_of_seeds_that_agree_has_nothing_to_say(make_plan, make_board, rows, knn):
    assert cautions(make_board(make_plan(rows, knn, range(5)))) == ()


def test_one_seed_is_said_with_the_command_that_adds_others(make_plan, make_board, rows, knn):
    board = make_board(make_plan(rows, knn, [0]))
    [note] = cautions(board)
    assert note.text.startswith("One seed: intervals are for this fit on new groups")
    assert note.command == "harness run quickstart --set 'seeds=[0, 1, 2, 3, 4]'"
    assert not board.comparisons
    assert {cell.interval.covers for row in board.rows for cell in row.cells} == {"this fit, new groups"}
    text = readme(board)
    assert f"> {note.text} `{note.command}`" in text
    assert "one seed [95 % interval: this fit, new groups]" in text
    assert "*this fit, new groups*" not in text


def test_seeds_that_leave_open_more_than_rows_differ_are_named_with_the_amount(make_plan, make_board, rows, knn):
    planned = []
    for cell in make_plan(rows, knn, [0, 1, 2]):
        value = {"sfa": (0.4, 0.69, 0.5), "random_init": (0.45, 0.5, 0.4)}[cell.identity.method.name][
            cell.identity.seed
        ]
        # Of numbers without predictions, so that any can be made up.
        run = cell.run.model_copy(update={"scores": (Score("top1", value),), "predictions": None})
        planned.append(cell.model_copy(update={"run": run}))
    notes = cautions(make_board(planned))
    assert notes[0] == Caution(
        "Seeds differ by 29.0 points in knn (sfa): their mean is less certain than rows differ. Run more seeds.",
        "harness run quickstart --set 'seeds=[0, 1, 2, 3, 4]'",
    )
    assert notes[1:] == (Caution("Not all rows are tested against each other in knn: no predictions to pair."),)


def test_few_groups_have_neither_interval_nor_test_and_the_board_says_so(make_plan, make_board, rows, knn):
    board = make_board(regrouped(make_plan(rows, knn), 5))
    assert [note.text for note in cautions(board)] == [
        "Fewer than 6 groups of videos: no intervals and no tests; knn has 5."
    ]
    assert not board.comparisons
    assert [cell.interval.low for row in board.rows for cell in row.cells] == [None, None]
    enough = make_board(regrouped(make_plan(rows, knn), 6))
    assert len(enough.comparisons) == 1
    assert all(cell.interval.low is not None for row in enough.rows for cell in row.cells)


def test_videos_without_groups_give_the_board_of_videos_that_are_their_own(make_plan, make_board, rows, knn):
    planned = make_plan(rows, knn)
    videos = len(planned[0].run.predictions.videos)
    own = make_board(regrouped(planned, videos))
    without = make_board(
        [
            cell.model_copy(
                update={
                    "run": cell.run.model_copy(
                        update={"predictions": dataclasses.replace(cell.run.predictions, groups=("",) * videos)}
                    )
                }
            )
            for cell in planned
        ]
    )
    cells = [[row.cells[0] for row in one.rows] for one in (own, without)]
    assert [cell.groups for cell in cells[1]] == [videos, videos]
    for one, other in zip(*cells, strict=True):
        assert one.interval.low == pytest.approx(other.interval.low, abs=0.005)
        assert one.interval.high == pytest.approx(other.interval.high, abs=0.005)
    assert len(without.comparisons) == 1


def test_rows_with_other_seeds_are_named(make_plan, make_board, rows, knn):
    planned = [*make_plan(rows[:1], knn, [0, 1]), *make_plan(rows[1:], knn, [0, 2])]
    assert cautions(make_board(planned))[-1].text == "Not all rows are tested against each other in knn: other seeds."


def test_a_row_of_one_seed_among_others_is_marked(make_plan, make_board, rows, knn):
    board = make_board([*make_plan(rows[:1], knn, [0, 1]), *make_plan(rows[1:], knn, [0])])
    assert "[95 % interval: new seeds, new groups]" in readme(board)
    assert readme(board).count("*this fit, new groups*") == 1
    assert page(board, {}, b"", {}).count('<span class="span">this fit, new groups</span>') == 1


@pytest.mark.parametrize(
    ("seeds", "more"), [([0], range(5)), ([0, 1, 2], range(5)), ([7, 3], [0, 1, 2, 3, 7]), (range(5), range(10))]
)
def test_the_command_keeps_the_seeds_that_are_there(make_plan, make_board, rows, knn, seeds, more):
    command = more_seeds(make_board(make_plan(rows, knn, list(seeds))))
    assert command == f"harness run quickstart --set 'seeds={list(more)}'"


def test_the_page_shows_them_too(make_plan, make_board, rows, knn):
    source = page(make_board(make_plan(rows, knn, [0])), {}, b"", {})
    assert '<p class="caution">One seed:' in source
    assert "seeds=[0, 1, 2, 3, 4]" in source


def test_a_board_of_limited_data_says_so_and_ranks_nobody(fake, make_plan, make_board, rows):
    _, column, _ = fake
    board = make_board(make_plan(rows, [column("knn", of_data={"size": "mini", "limit": 50})], range(5)))
    [note] = cautions(board)
    assert note == Caution("Tried out on 50 videos of each split at most: nothing is ranked.")
    assert [standing.rank for division in board.divisions for standing in division.standings] == [None, None]
