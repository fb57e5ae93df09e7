"""Cells find their runs, and say what was measured, and what was not and why."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.cards import EvaluatorCard
from harness.errors import DataError, UsageError
from harness.leaderboard.board import build_board
from harness.leaderboard.planned import PlannedCell, assemble
from harness.leaderboard.readme import readme, remedy
from harness.values import Score


def cell_of(planned, cards, method="sfa", column=0):
    _, rows = assemble(planned, cards)
    return next(row for row in rows if row.identity.method.name == method).cells[column]


def replace_run(planned, number, **updates):
    run = planned[number].run.model_copy(update=updates)
    return [cell.model_copy(update={"run": run}) if i == number else cell for i, cell in enumerate(planned)]


@pytest.fixture
def small(make_plan, fake):
    """One row, one column, three seeds."""
    row, column, _ = fake
    return make_plan([row("sfa", 0.4)], [column("knn")])


def test_rows_and_columns_keep_the_order_of_the_plan(make_plan, cards):
    columns, rows = assemble(make_plan(), cards)
    methods = ["random_init", "sfa", "quadruplet", "instance_recognition", "frame_order", "supervised"]
    assert [row.identity.method.name for row in rows] == methods
    assert [column.evaluator.label for column in columns] == ["linear_probe", "knn(k=5)", "clustering", "linear_probe"]
    assert columns[0].data.name != columns[3].data.name
    assert [row.supervised for row in rows] == [False] * 5 + [True]
    assert all(row.complete for row in rows)


def test_a_cell_is_the_mean_over_its_seeds_with_chance_and_counts(small, cards):
    cell = cell_of(small, cards)
    scores = [planned.run.scores[0] for planned in small]
    assert [seed.value(cell.primary.metric) for seed in cell.seeds] == [score.value for score in scores]
    assert cell.interval.mean == pytest.approx(np.mean([score.value for score in scores]))
    assert cell.interval.low < cell.interval.mean < cell.interval.high
    assert cell.interval.covers == "new seeds, new groups"
    assert cell.primary.chance == pytest.approx(np.mean([score.baseline for score in scores]))
    assert (cell.videos, cell.groups, cell.status) == (225, 45, "done")
    assert cell.protocol_id == small[0].run.protocol_id


def test_a_metric_without_predictions_has_an_interval_over_seeds_and_nothing_to_compare(make_plan, fake, cards):
    row, column, _ = fake
    planned = make_plan([row("sfa", 0.4)], [column("pose")])
    for number, value in enumerate((0.41, 0.44, 0.47)):
        planned = replace_run(planned, number, scores=(Score("pcp", value),))
    cell = cell_of(planned, cards)
    assert cell.interval.covers == "new seeds"
    assert cell.interval.mean == pytest.approx(0.44)
    assert cell.primary.chance is cell.sample is cell.videos is None
    lonely = cell_of(planned[:1], cards)
    assert (lonely.interval.mean, lonely.interval.low, lonely.interval.covers) == (0.41, None, None)


@pytest.mark.parametrize("status", ["failed", "diverged", "oom", "data"])
def test_one_failed_seed_makes_the_cell_incomplete_and_says_which(small, cards, fake, status):
    row, column, run = fake
    failed = run(row("sfa", 0.4), column("knn"), 1, status=status, reason="it broke")
    planned = [small[0], small[1].model_copy(update={"run": failed}), small[2]]
    cell = cell_of(planned, cards)
    assert (cell.status, cell.reason) == (status, "seed 1: it broke")
    assert cell.interval.mean == pytest.approx(np.mean([small[0].run.scores[0].value, small[2].run.scores[0].value]))
    assert cell.sample is None
    assert [seed.value(cell.primary.metric) is None for seed in cell.seeds] == [False, True, False]


def test_a_missing_cell_has_no_number(small, cards):
    cell = cell_of([planned.model_copy(update={"run": None}) for planned in small], cards)
    assert (cell.status, cell.reason, cell.interval, cell.primary.chance) == ("missing", "not run yet", None, None)


def test_a_stale_number_is_shown_as_stale_and_belongs_to_no_protocol_of_today(small, cards):
    cell = cell_of([planned.model_copy(update={"key": "f" * 20}) for planned in small], cards)
    assert cell.status == "stale"
    assert cell.interval is not None
    assert (cell.protocol_id, cell.sample) == ("", None)
    assert [seed.key for seed in cell.seeds] == [planned.run.key for planned in small]


def test_fresh_seeds_are_not_averaged_with_stale_ones(small, cards):
    planned = [small[0], *(cell.model_copy(update={"key": "f" * 20}) for cell in small[1:])]
    cell = cell_of(planned, cards)
    assert cell.status == "stale"
    assert cell.interval.mean == pytest.approx(small[0].run.scores[0].value)


def test_what_cannot_be_measured_is_not_applicable(small, cards):
    planned = [cell.model_copy(update={"run": None, "not_applicable": "no feature_map"}) for cell in small]
    cell = cell_of(planned, cards)
    assert (cell.status, cell.reason) == ("not applicable", "no feature_map")


def test_what_applies_to_one_row_alone_ranks_nobody(make_plan, cards):
    """Else that row alone would be complete, and none compared."""
    nothing = {"run": None, "not_applicable": "no pretext"}
    cells = [
        cell.model_copy(update=nothing)
        if cell.identity.evaluator.name == "clustering" and cell.identity.method.name != "sfa"
        else cell
        for cell in make_plan()
    ]
    columns, rows = assemble(cells, cards)
    assert [column.ranks for column in columns] == [True, True, False, True]
    assert all(row.complete for row in rows)
    (alone,), _ = assemble([cell for cell in cells if cell.identity.evaluator.name == "clustering"], cards)
    assert alone.ranks  # there is nothing else


def test_a_column_that_the_suite_does_not_plan_for_a_row_is_not_applicable(make_plan, fake, cards):
    row, column, _ = fake
    planned = [
        *make_plan([row("sfa", 0.4)], [column("knn")]),
        *make_plan([row("frame_order", 0.4)], [column("linear_probe")]),
    ]
    assert cell_of(planned, cards, "sfa", 1).status == "not applicable"


def test_seeds_of_different_protocols_are_no_mean(small, cards):
    cell = cell_of(replace_run(small, 1, protocol_id="another"), cards)
    assert (cell.status, cell.interval) == ("mixed", None)


def test_a_score_that_its_predictions_do_not_give_is_not_shown(small, cards):
    cell = cell_of(replace_run(small, 2, scores=(Score("top1", 0.9),)), cards)
    assert (cell.status, cell.interval) == ("data", None)
    assert "predictions" in cell.reason


def test_a_score_that_is_no_number_is_an_error_that_names_the_run(small, cards):
    with pytest.raises(DataError, match=f"{small[0].run.key} is done but has no finite top1"):
        assemble(replace_run(small, 0, scores=(Score("top1", float("nan")),)), cards)


def test_a_run_without_its_primary_metric_is_a_failure_of_its_cell_alone(small, cards):
    without = replace_run(small, 0, scores=())
    board = build_board(
        title="T",
        summary="",
        suite="tiny",
        suite_hash="0",
        command="harness run tiny",
        planned=without,
        cards=cards,
        pictures={},
    )
    cell = board.rows[0].cells[0]
    key = small[0].run.key
    assert (cell.status, cell.seeds[0].status, cell.seeds[1].status) == ("failed", "failed", "done")
    assert cell.reason == f"seed 0: run {key} has no top1, its evaluator's primary metric; delete it and run again"
    assert cell.interval.mean == pytest.approx(np.mean([one.run.scores[0].value for one in small[1:3]]))
    assert [row.cells[0].status for row in board.rows[1:]] == ["done"] * (len(board.rows) - 1)
    assert remedy(board, cell) == "harness run tiny", "a run that is stored as done is not tried again"
    assert key in readme(board)
    alone = [
        cell if cell.run is None else cell.model_copy(update={"run": cell.run.model_copy(update={"scores": ()})})
        for cell in small
    ]
    _, rows = assemble(alone, cards)
    assert {row.cells[0].interval for row in rows} == {None}


@pytest.mark.parametrize(("noise", "status"), [(2e-5, "done"), (2e-3, "data")])
def test_large_numbers_agree_by_their_size(small, cards, noise, status):
    """As errors of values in nanoseconds, of which another order of summing changes the last digits."""
    metric = dataclasses.replace(cards["knn"].primary, id="mae", statistic="mean", bounds=(0.0, None))

    def measured(cell):
        predictions = dataclasses.replace(
            cell.run.predictions, values={"mae": [[1e15] * len(cell.run.predictions.videos)]}
        )
        scores = (Score("mae", 1e15 * (1 + noise)),)
        return cell.model_copy(
            update={"run": cell.run.model_copy(update={"predictions": predictions, "scores": scores})}
        )

    card = dataclasses.replace(cards["knn"], metrics=(metric,))
    assert cell_of([measured(cell) for cell in small], {"knn": card}).status == status


def test_predictions_for_other_videos_are_an_error_that_names_the_runs(small, cards):
    predictions = small[1].run.predictions
    other = dataclasses.replace(predictions, videos=("x", *predictions.videos[1:]))
    with pytest.raises(DataError, match=small[1].run.key):
        assemble(replace_run(small, 1, predictions=other), cards)


def test_an_empty_plan_an_unknown_evaluator_and_an_unknown_statistic_are_usage_errors(small, cards):
    with pytest.raises(UsageError, match="at least one cell"):
        assemble([], cards)
    with pytest.raises(UsageError, match="unknown evaluator 'knn'"):
        assemble(small, {name: card for name, card in cards.items() if name != "knn"})
    metric = dataclasses.replace(cards["knn"].primary, statistic="acuracy")
    wrong = EvaluatorCard(name="knn", summary="s", protocol="p", metrics=(metric,))
    with pytest.raises(UsageError, match="did you mean 'accuracy'"):
        assemble(small, {**cards, "knn": wrong})


def test_a_run_of_another_cell_is_refused(small):
    with pytest.raises(ValueError, match="another cell"):
        PlannedCell(identity=small[0].identity, key="a", supervised=False, run=small[1].run)
