"""Ranks follow the stated rule, and ties show as ties."""

from __future__ import annotations

import numpy as np
import pytest

from harness.backbones.start import Start
from harness.leaderboard.planned import assemble
from harness.leaderboard.ranking import rank


def standings(divisions):
    return [standing for division in divisions for standing in division.standings]


def ranked(planned, cards):
    divisions, comparisons = rank(*assemble(planned, cards))
    return {standing.row.method: standing.rank for standing in standings(divisions)}, divisions, comparisons


def test_complete_rows_are_ranked_and_references_are_not(board):
    [division] = board.divisions
    methods = [standing.row.identity.method.name for standing in division.standings]
    assert methods[0] == "quadruplet"
    assert methods[-2:] == ["random_init", "supervised"]
    assert [standing.rank is None for standing in division.standings] == [False] * 5 + [True]
    means = [standing.rank.mean for standing in division.standings[:5]]
    assert means == sorted(means)


def test_places_are_those_of_the_mean_rank_and_lie_in_their_range(board):
    [division] = board.divisions
    able = [(standing.row, standing.rank) for standing in division.standings if standing.rank]
    for row, ranked_row in able:
        by_column = []
        for column in board.columns:
            sign = 1 if column.metric.higher_is_better else -1
            others = [sign * other.cell(column).interval.mean for other, _ in able]
            by_column.append(1 + sum(value > sign * row.cell(column).interval.mean for value in others))
        assert ranked_row.mean == pytest.approx(np.mean(by_column))
        assert 1 <= ranked_row.low <= ranked_row.place <= ranked_row.high <= len(able)


def test_a_method_under_two_names_is_tied_with_itself(make_plan, fake, cards):
    row, column, _ = fake
    planned = make_plan([row("sfa", 0.4), row("twin", 0.4), row("random_init", 0.1)], [column("knn")])
    originals = {cell.identity.seed: cell.run for cell in planned if cell.identity.method.name == "sfa"}
    twins = [
        cell.model_copy(
            update={"run": cell.run.model_copy(update={"predictions": original.predictions, "scores": original.scores})}
        )
        if cell.identity.method.name == "twin" and (original := originals[cell.identity.seed])
        else cell
        for cell in planned
    ]
    ranks, _, comparisons = ranked(twins, cards)
    assert (ranks["sfa"].place, ranks["sfa"].low, ranks["sfa"].high) == (1, 1, 2)
    assert (ranks["twin"].place, ranks["twin"].low, ranks["twin"].high) == (1, 1, 2)
    assert (ranks["random_init"].low, ranks["random_init"].high) == (3, 3)
    assert [ranks[method].columns[0].leading for method in ("sfa", "random_init")] == [True, False]
    (same,) = [one for one in comparisons if {one.one.method, one.other.method} == {"sfa", "twin"}]
    assert (same.difference.mean, same.adjusted, same.separable) == (0, 1.0, False)


def test_rows_that_nothing_separates_share_one_range_and_nobody_leads(make_plan, fake, cards):
    row, column, _ = fake
    ranks, *_ = ranked(
        make_plan([row("sfa", 0.4), row("frame_order", 0.4), row("quadruplet", 0.4)], [column("knn")]), cards
    )
    assert {(rank.low, rank.high) for rank in ranks.values()} == {(1, 3)}
    assert not any(within.leading for rank in ranks.values() for within in rank.columns)


def test_lower_is_better_where_the_metric_says_so(make_plan, fake, cards):
    row, column, _ = fake
    ranks, *_ = ranked(make_plan([row("random_init", 0.15), row("sfa", 0.7)], [column("clustering")]), cards)
    assert (ranks["sfa"].place, ranks["random_init"].place) == (1, 2)
    assert ranks["random_init"].low == 2


def test_an_incomplete_row_is_not_ranked_however_good_its_other_cells(troubled_board):
    assert all(one.rank is None or one.row.complete for one in standings(troubled_board.divisions))
    incomplete = [row.identity.method.name for row in troubled_board.rows if not row.complete]
    assert incomplete == ["sfa", "quadruplet", "instance_recognition", "frame_order"]


def test_a_row_alone_is_not_first(make_plan, fake, cards):
    row, column, _ = fake
    ranks, *_ = ranked(make_plan([row("sfa", 0.4), row("supervised", 0.8, True)], [column("knn")]), cards)
    assert ranks == {"sfa": None, "supervised": None}


def test_rows_of_different_protocols_are_never_compared(make_plan, fake, cards):
    row, column, _ = fake
    rows = [
        row("sfa", 0.4),
        row("frame_order", 0.3),
        row("sfa2", 0.8, backbone="small_2d"),
        row("late", 0.7, backbone="small_2d"),
    ]
    _, divisions, comparisons = ranked(make_plan(rows, [column("knn"), column("linear_probe")]), cards)
    backbones = [{one.row.identity.backbone.name for one in division.standings} for division in divisions]
    assert backbones == [{"small_3d"}, {"small_2d"}]
    assert [[one.rank.place for one in division.standings] for division in divisions] == [[1, 2], [1, 2]]
    assert len(comparisons) == 4
    assert all(one.one.identity.backbone == one.other.identity.backbone for one in comparisons)


def test_one_other_protocol_in_one_column_is_enough_to_be_ranked_apart(make_plan, cards):
    planned = make_plan()
    changed = [
        cell.model_copy(update={"run": cell.run.model_copy(update={"protocol_id": "other decoder"})})
        if (cell.identity.method.name, cell.identity.evaluator.name) == ("quadruplet", "knn")
        else cell
        for cell in planned
    ]
    ranks, divisions, _ = ranked(changed, cards)
    assert [division.letter for division in divisions] == ["A", "B"]
    assert [standing.row.method for standing in divisions[1].standings] == ["quadruplet"]
    assert ranks["quadruplet"] is None
    assert ranks["sfa(dim=64)"].place == 1


def test_an_incomplete_row_stands_with_those_it_could_be_compared_to(troubled_board):
    first, second = troubled_board.divisions
    assert [standing.row.method for standing in second.standings] == ["trajectories"]
    assert len(first.standings) == 6


def test_columns_without_predictions_separate_nobody(make_plan, fake, cards):
    row, column, _ = fake
    ranks, _, comparisons = ranked(make_plan([row("sfa", 0.4), row("frame_order", 0.9)], [column("pose")]), cards)
    assert not comparisons
    assert [(rank.place, rank.low, rank.high) for rank in ranks.values()] == [(1, 1, 2), (2, 1, 2)]


def test_rows_with_other_seeds_are_not_paired(make_plan, fake, cards):
    row, column, _ = fake
    planned = [
        *make_plan([row("sfa", 0.1)], [column("knn")]),
        *make_plan([row("late", 0.9)], [column("knn")], [0, 1, 3]),
    ]
    ranks, _, comparisons = ranked(planned, cards)
    assert not comparisons
    assert [(rank.low, rank.high) for rank in ranks.values()] == [(1, 2), (1, 2)]


def test_correction_is_over_the_whole_board(make_plan, fake, cards):
    row, column, _ = fake
    rows = [row("sfa", 0.4), row("frame_order", 0.5)]
    _, _, [alone] = ranked(make_plan(rows, [column("knn")]), cards)
    assert alone.adjusted == alone.difference.p
    _, _, both = ranked(make_plan(rows, [column("knn"), column("linear_probe")]), cards)
    smaller, greater = sorted(comparison.difference.p for comparison in both)
    assert sorted(c.adjusted for c in both) == pytest.approx([min(1, 2 * smaller), max(min(1, 2 * smaller), greater)])


def test_speed_does_not_rank(curved_board):
    (division,) = curved_board.divisions
    methods = [standing.row.identity.method.name for standing in division.standings]
    assert methods == ["quadruplet", "sfa", "random_init", "supervised"]  # the fastest last
    assert [standing.rank.mean for standing in division.standings[:3]] == [1.0, 2.0, 3.0]


def test_where_nothing_but_speed_is_measured_speed_ranks(curved_board, make_board):
    timed = [cell for cell in curved_board.planned if cell.identity.evaluator.name == "throughput"]
    assert make_board(timed).divisions[0].standings[0].row.method == "random_init"


def test_speed_neither_divides_nor_is_needed(timed_board):
    (division,) = timed_board.divisions  # measured on two devices, and in one row not at all
    assert all(standing.rank is not None for standing in division.standings)
    assert [row.cells[1].status for row in timed_board.rows] == ["done", "done", "missing"]
    assert all(row.complete for row in timed_board.rows)
    assert [column.index for column in timed_board.ranking] == [0]


def test_speed_of_two_devices_is_ranked_apart(timed_board, make_board):
    timed = [cell for cell in timed_board.planned if cell.identity.evaluator.name == "throughput"]
    assert len(make_board(timed).divisions) == 2


def test_a_division_says_in_which_settings_its_protocols_differ(troubled_board):
    first, second = troubled_board.divisions
    assert second.differences(first, troubled_board.columns) == (("view.frames", "1", "16"),)
    assert first.differences(second, troubled_board.columns) == (("view.frames", "16", "1"),)
    assert first.differences(first, troubled_board.columns) == ()


def test_a_setting_that_one_protocol_lacks_is_absent(make_plan, make_board, fake):
    row, column, _ = fake
    one, other = make_plan([row("sfa", 0.4), row("late", 0.5)], [column("knn")], [0])
    protocol = {**other.run.protocol, "extra": True}
    changed = other.run.model_copy(update={"protocol": protocol, "protocol_id": "another"})
    board = make_board([one, other.model_copy(update={"run": changed})])
    first, second = board.divisions
    assert second.differences(first, board.columns) == (("extra", "True", "absent"),)


def test_weights_that_learnt_from_labels_are_ranked_among_themselves(labelled_board):
    first, second = labelled_board.divisions
    assert (first.labelled, second.labelled) == (False, True)
    assert (first.letter, second.letter) == ("A", "A")
    assert not labelled_board.several_protocols
    places = [
        [(standing.row.method, standing.rank and standing.rank.place) for standing in division.standings]
        for division in (first, second)
    ]
    assert places == [[("unlabelled", 1), ("random_init", 2), ("tuned", None)], [("best", 1), ("good", 2)]]
    pairs = {frozenset((one.one.method, one.other.method)) for one in labelled_board.comparisons}
    assert pairs == {frozenset(("unlabelled", "random_init")), frozenset(("best", "good"))}


def test_protocols_and_labels_divide_both(make_plan, fake, make_board):
    row, column, _ = fake
    starts = (Start(weights="x.pth", learnt_from="x", labels=True),)
    rows = [row("sfa", 0.4), row("a", 0.5, starts=starts), row("b", 0.5, starts=starts)]
    planned = make_plan(rows, [column("knn")])
    other = {"protocol": {"k": 1}, "protocol_id": "other"}
    planned = [
        cell.model_copy(update={"run": cell.run.model_copy(update=other)}) if cell.identity.method.name == "b" else cell
        for cell in planned
    ]
    board = make_board(planned)
    assert [(one.index, one.letter, one.labelled) for one in board.divisions] == [
        (0, "A", False),
        (1, "A", True),
        (2, "B", True),
    ]
    assert [board.heading(division) for division in board.divisions] == [
        "Protocols A",
        "Protocols A · Weights learnt from labels",
        "Protocols B · Weights learnt from labels",
    ]
    assert [label.partition("  ")[2] for label, _ in board.ranked_rows] == ["[A]", "[A, labels]", "[B, labels]"]
