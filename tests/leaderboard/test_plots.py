"""The plot: one spec for page and PNG, the same numbers as the table."""

from __future__ import annotations

import dataclasses
import json

import pytest

from harness.leaderboard import board as board_module
from harness.leaderboard.charts import png, wrapped
from harness.leaderboard.plots import LABEL, board_plot


@pytest.fixture(scope="module")
def specification(board):
    return board_plot(board)


def panels(specification):
    return [panel for line in specification["vconcat"] for panel in line["hconcat"]]


def records(specification, panel):
    data = panel.get("data") or next(layer["data"] for layer in panel["layer"] if "data" in layer)
    return specification["datasets"][data["name"]] if "name" in data else data["values"]


def test_every_column_has_a_panel_with_every_row(specification, board):
    drawn = panels(specification)
    assert [panel["title"]["text"] for panel in drawn] == [c.evaluator.label for c in board.columns]
    for column, panel in zip(board.columns, drawn, strict=True):
        values = records(specification, panel)
        means = {value["row"]: value for value in values if "mean" in value}
        assert len(means) == 6
        scale = 100 if column.metric.unit == "%" else 1
        for row in board.rows:
            cell, value = row.cell(column), means[row.label]
            numbers = [value["mean"], value["low"], value["high"]]
            expected = [cell.interval.mean, cell.interval.low, cell.interval.high]
            assert numbers == pytest.approx([scale * number for number in expected], abs=1e-3)
            assert value["kind"] == ("reference" if row.supervised else "method")
            seeds = [one["value"] for one in values if one["row"] == row.label and "value" in one]
            assert seeds == pytest.approx([scale * value for _, value in cell.primary.values], abs=1e-3)


def test_rows_stand_in_the_order_of_their_rank(specification):
    layers = panels(specification)[0]["layer"]
    order = next(layer["encoding"]["y"]["scale"]["domain"] for layer in layers if "scale" in layer["encoding"]["y"])
    assert (order[0], order[-2], order[-1]) == ("quadruplet", "random_init", "supervised")


def test_what_is_not_measured_has_no_dot_and_what_is_stale_is_marked(troubled_board):
    specification = board_plot(troubled_board)
    drawn = panels(specification)
    assert len(specification["vconcat"]) == 2
    clustering = records(specification, drawn[2])
    assert not [value for value in clustering if value["row"].startswith("sfa") and "mean" in value]
    stale = [v for v in records(specification, drawn[1]) if v["row"].startswith("quadruplet") and "mean" in v]
    assert [value["done"] for value in stale] == ["False"]


def test_hostile_names_are_data_in_the_spec(hostile_board):
    text = json.dumps(board_plot(hostile_board), allow_nan=False)
    assert '"signal"' not in text
    assert "\u202e" not in str(json.loads(text))
    assert len(png(json.loads(text))) > 1000


def test_rows_of_labelled_weights_have_a_colour_of_their_own(labelled_board):
    specification = board_plot(labelled_board)
    kinds = {one["row"]: one["kind"] for panel in panels(specification) for one in records(specification, panel)}
    assert kinds == {
        "unlabelled": "method",
        "random_init": "method",
        "tuned": "reference",
        "best  [labels]": "labelled",
        "good  [labels]": "labelled",
    }
    assert "green: weights that learnt from labels" in json.dumps(specification["title"]).lower()


def test_long_labels_take_lines_and_stay_different():
    options = "background=135, clusters=27, components=64, prior=True"
    labels = [f"video_la({options}) · mocap-actions(size=mini, subset={count})" for count in (310, 425)]
    lines = [label.split("\n") for label in wrapped([*labels, "random_init"], LABEL)]
    assert [" ".join(line for line in label if line) for label in lines[:2]] == [
        label.replace(" · ", " ") for label in labels
    ]
    assert len({len(label) for label in lines}) == 1
    assert max(len(line) for label in lines for line in label) <= LABEL
    assert lines[2] == ["", "random_init", ""]


def test_of_many_rows_the_first_are_drawn_with_references_and_the_plot_says_so(board, monkeypatch):
    monkeypatch.setattr(board_module, "PLOTTED", 4)
    monkeypatch.setattr(board_module, "PLOTTED_REFERENCES", 1)
    few = dataclasses.replace(board)
    ranked = [standing.row.label for standing in board.divisions[0].standings]
    specification = board_plot(few)
    (first, *_) = panels(specification)
    assert [value["row"] for value in records(specification, first) if "mean" in value] == [*ranked[:3], ranked[-1]]
    assert "The first 4 of 6 rows, references included; the table has all." in specification["title"]["subtitle"]
