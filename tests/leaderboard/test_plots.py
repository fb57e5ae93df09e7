"""The plot: one spec for page and PNG, the same numbers as the table."""

from __future__ import annotations

import json

import cv2
import numpy as np
import pytest

from harness.leaderboard.dots import png
from harness.leaderboard.plots import board_spec


@pytest.fixture(scope="module")
def specification(board):
    return board_spec(board)


def panels(specification):
    return [panel for line in specification["vconcat"] for panel in line["hconcat"]]


def records(specification, panel):
    data = panel.get("data") or next(layer["data"] for layer in panel["layer"] if "data" in layer)
    return specification["datasets"][data["name"]] if "name" in data else data["values"]


def test_every_column_has_a_panel_with_every_row(specification, board):
    found = panels(specification)
    assert [panel["title"]["text"] for panel in found] == [c.evaluator.label for c in board.columns]
    for j, panel in enumerate(found):
        values = records(specification, panel)
        means = {value["row"]: value for value in values if "mean" in value}
        assert len(means) == 6
        scale = 100 if board.columns[j].metric.unit == "%" else 1
        for row in board.rows:
            cell, value = row.cells[j], means[board.label(row)]
            numbers = [value["mean"], value["low"], value["high"]]
            expected = [cell.interval.mean, cell.interval.low, cell.interval.high]
            assert numbers == pytest.approx([scale * number for number in expected], abs=1e-3)
            assert value["kind"] == ("reference" if row.supervised else "method")
            seeds = [one["value"] for one in values if one["row"] == board.label(row) and "value" in one]
            assert seeds == pytest.approx([scale * seed.value for seed in cell.seeds], abs=1e-3)


def test_rows_stand_in_the_order_of_their_rank(specification):
    layers = panels(specification)[0]["layer"]
    order = next(layer["encoding"]["y"]["scale"]["domain"] for layer in layers if "scale" in layer["encoding"]["y"])
    assert (order[0], order[-2], order[-1]) == ("quadruplet", "random_init", "supervised")


def test_what_is_not_measured_has_no_dot_and_what_is_stale_is_marked(troubled_board):
    specification = board_spec(troubled_board)
    found = panels(specification)
    assert len(specification["vconcat"]) == 2
    clustering = records(specification, found[2])
    assert not [value for value in clustering if value["row"].startswith("sfa") and "mean" in value]
    stale = [v for v in records(specification, found[1]) if v["row"].startswith("quadruplet") and "mean" in v]
    assert [value["done"] for value in stale] == ["False"]


def test_rows_of_one_name_are_told_apart(make_plan, make_board, fake):
    row, column, _ = fake
    planned = make_plan([row("sfa", 0.3), row("sfa\n", 0.4)], [column("knn")])
    domain = panels(board_spec(make_board(planned)))[0]["layer"][-1]["encoding"]["y"]["scale"]["domain"]
    assert sorted(domain) == ["sfa", "sfa′"]


def test_the_image_is_an_image_in_the_colours_of_methods_and_references(specification):
    image = png(specification)
    assert image == png(specification)
    pixels = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
    colours = {tuple(colour) for colour in pixels.reshape(-1, 3).tolist()}
    assert {(0xFF, 0xFF, 0xFF), (0xB2, 0x72, 0x00), (0x00, 0x5E, 0xD5)} <= colours
    assert pixels.shape[1] > 1000


def test_hostile_names_are_data_in_the_spec(hostile_board):
    text = json.dumps(board_spec(hostile_board), allow_nan=False)
    assert '"signal"' not in text
    assert "\\u202e" not in text
    assert len(png(json.loads(text))) > 1000
