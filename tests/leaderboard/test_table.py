"""Rows, columns and cells know what every file of a board shows of them."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from harness.backbones.start import Start
from harness.leaderboard.details import details
from harness.leaderboard.readme import readme
from harness.leaderboard.render import board_files
from harness.leaderboard.table_csv import table_csv
from harness.store.choices import Choice
from harness.system.text import markdown


def test_headings_name_the_data_set_where_there_are_several(board, small_board):
    assert board.columns[1].heading == "knn(k=5) · mocap-actions(size=mini)"
    assert small_board.columns[0].heading == "knn(k=5)"


def test_a_row_made_of_others_is_told_by_its_name_and_short_parts(board):
    parts = [
        {"name": "sfa", "options": {"lr": 0.1}},
        {"method": {"name": "supervised", "options": {"lr": 0.2}}, "backbone": {"name": "small_3d"}, "crops": 10},
    ]
    method = Choice(name="both", options={"of": parts, "by": "concat"})
    row = replace(board.rows[0], identity=board.rows[0].identity.model_copy(update={"method": method}), distinction=())
    assert row.label == "both: sfa + supervised on small_3d, 10 crops"
    assert "sfa(lr=0.1)" in row.method


def test_settings_that_a_part_does_not_share_are_not_said_of_all_rows(board):
    part = {"method": {"name": "supervised", "options": {}}, "backbone": {"name": "r3d_18"}}
    method = Choice(name="alone", options={"of": [part], "by": "concat"})
    first, *others = board.rows
    row = replace(first, identity=first.identity.model_copy(update={"method": method}))
    assert "All rows: " in readme(board)
    text = readme(replace(board, rows=(row, *others)))
    assert "Where a row names no other: " in text
    assert "All rows: " not in text


def test_chance_spans_the_cells_of_a_column(board, troubled_board):
    entropy, pose = board.columns[2], troubled_board.columns[4]
    levels = [row.cell(entropy).primary.chance for row in board.rows]
    assert entropy.chance(entropy.metric) == (min(levels), max(levels))
    assert pose.chance(pose.metric) is None


def test_a_column_counts_its_videos_and_groups(troubled_board):
    probe, pose = troubled_board.columns[0], troubled_board.columns[4]
    assert (probe.videos, probe.groups) == ((225,), (45,))
    assert (pose.videos, pose.groups) == ((), ())


def test_rows_and_columns_hold_the_same_cells(troubled_board):
    for row in troubled_board.rows:
        assert [row.cell(column) for column in troubled_board.columns] == list(row.cells)
        assert all(row.cell(column) is column.cells[row.index] for column in troubled_board.columns)


def test_a_cell_knows_every_metric_of_its_card_measured_or_not(curved_board, timed_board):
    few_shot = curved_board.columns[0]
    lacking = [row.method for row in curved_board.rows if row.cell(few_shot).metrics[2].interval is None]
    assert (few_shot.card.metrics[2].id, lacking) == ("top1_all", ["quadruplet"])
    speed = timed_board.columns[1]
    assert [len(cell.metrics) for cell in speed.cells] == [1, 1, 1]
    assert [[seed for seed, _ in cell.primary.values] for cell in speed.cells] == [[0, 1], [0, 1], []]
    assert [cell.conditions.get("device") for cell in speed.cells] == ["Some CPU", "Some GPU", None]
    assert speed.conditions == {"threads": "8"}


def test_a_column_has_a_plot_of_its_own_where_the_boards_is_not_enough(board, curved_board):
    assert {column.plot_file for column in board.columns} == {""}
    assert [column.plot_file for column in curved_board.columns] == ["plot-1-few_shot.png", "plot-2-throughput.png"]


PARTIAL = {"videos": 990, "listed": 1000, "reasons": {"missing": 10}, "left_out": "0123"}


@pytest.fixture(scope="module")
def partial_board(make_plan, make_board, fake):
    rows, columns, _ = fake
    planned = make_plan((rows("random_init", 0.3), rows("sfa", 0.5)), (columns("linear_probe"),), (0,))
    partial = [
        cell.model_copy(
            update={
                "run": cell.run.model_copy(
                    update={
                        "protocol": {**cell.run.protocol, "coverage": {"test": PARTIAL}},
                        "provenance": {**cell.run.provenance, "pretraining_coverage": {**PARTIAL, "videos": 500}},
                    }
                )
            }
        )
        for cell in planned[1:]
    ]
    return make_board([planned[0], *partial])


TEXT = "test 99.0 % (990 of 1,000), learnt from 50.0 % (500 of 1,000)"


def test_coverage_is_empty_for_whole_copies(partial_board):
    assert partial_board.rows[0].cells[0].coverage == ""
    assert partial_board.rows[1].cells[0].coverage == TEXT


def test_coverage_names_the_data_of_parts(partial_board):
    cell = partial_board.rows[1].cells[0]
    of_parts = {"coverage_of_parts": {"blobs(fold=2)": {**PARTIAL, "videos": 250}}}
    (seed,) = cell.seeds
    run = seed.run.model_copy(update={"provenance": {**seed.run.provenance, **of_parts}})
    assert (
        replace(cell, seeds=(replace(seed, run=run),)).coverage
        == f"{TEXT}, learnt from blobs(fold=2) 25.0 % (250 of 1,000)"
    )


def test_coverage_stands_beside_the_score_everywhere(partial_board):
    line = next(line for line in readme(partial_board).splitlines() if "| sfa" in line)
    assert TEXT in line
    assert details(partial_board)[1]["cells"][0]["facts"]["coverage"] == TEXT
    lines = {line["method"]: line["coverage"] for line in csv.DictReader(io.StringIO(table_csv(partial_board)))}
    assert lines == {"random_init": "", "sfa": TEXT}


def test_a_share_that_lacks_a_video_is_never_the_whole(partial_board):
    cell = partial_board.rows[1].cells[0]
    run = cell.seeds[0].run
    nearly = {"videos": 99_999, "listed": 100_000, "reasons": {"missing": 1}, "left_out": "0123"}
    one = replace(
        cell.seeds[0], run=run.model_copy(update={"protocol": {"coverage": {"test": nearly}}, "provenance": {}})
    )
    assert replace(cell, seeds=(one,)).coverage == "test 99.9 % (99,999 of 100,000)"


FAULTS = {"shared": {"train": {"videos": 210, "equal": 3, "similar": 0}}, "absent": {"train": {"action": ["Archery"]}}}
NOTE = "test videos in train: 3 of 210; absent from train: action Archery"


def test_faults_of_the_data_stand_beside_the_score_everywhere(make_plan, make_board, fake):
    rows, columns, _ = fake
    planned = make_plan((rows("random_init", 0.3), rows("sfa", 0.5)), (columns("linear_probe"),), (0,))
    update = {"provenance": {**planned[1].run.provenance, "data_faults": FAULTS}}
    board = make_board([planned[0], planned[1].model_copy(update={"run": planned[1].run.model_copy(update=update)})])
    assert [row.cells[0].data_faults for row in board.rows] == ["", NOTE]
    line = next(line for line in readme(board).splitlines() if "| sfa" in line)
    assert f"<br>{markdown(NOTE)}" in line
    assert details(board)[1]["cells"][0]["facts"]["data"] == NOTE
    lines = {line["method"]: line["data_faults"] for line in csv.DictReader(io.StringIO(table_csv(board)))}
    assert lines == {"random_init": "", "sfa": NOTE}
    assert NOTE in board_files(board)["index.html"].decode()


def test_a_fit_that_learnt_from_related_data_has_a_note(make_plan, make_board, fake):
    """Whose own videos are counted, so that the same data set needs none."""
    rows, columns, _ = fake
    (planned,) = make_plan((rows("sfa", 0.5),), (columns("linear_probe"),), (0,))
    start = Start(weights="fit of sfa", learnt_from="mocap-actions-unbiased(size=mini)+mocap-actions", labels=True)

    def noted(*data):
        fit = {"method": "sfa"}
        for name in data:
            fit = {"method": {"name": "sfa", "start": {"fit": fit}}, "pretraining": {"name": name, "size": "mini"}}
        method = Choice(name="sfa", options={"start": {"fit": fit}})
        identity = planned.identity.model_copy(update={"method": method})
        run = planned.run.model_copy(update={"starts": (start,), "identity": identity})
        return make_board([planned.model_copy(update={"run": run, "identity": identity})]).rows[0].cells[0].data_faults

    assert planned.identity.data.name == "mocap-actions"
    assert noted() == noted("mocap-actions") == noted("ucf101") == ""
    relation = "both variants perform the same recorded motions"
    assert noted("mocap-actions-unbiased", "mocap-actions") == f"weights learnt from mocap-actions-unbiased: {relation}"
