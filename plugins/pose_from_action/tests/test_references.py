"""The paper's numbers: they agree with its text, and their protocols exist."""

from __future__ import annotations

import inspect
from importlib.resources import files

import pytest

from harness.plugins.manager import Plugins
from harness.suites.references import parse
from harness_pose_from_action.cards import PAPER

CELLS = {"Section 3": 2, "Table 1": 10, "Table 2": 40, "Table 3": 10, "Table 4": 3}


@pytest.fixture(scope="module")
def numbers():
    return parse(files("harness_pose_from_action").joinpath("references.yaml").read_text("utf-8"), "the paper")


def row(numbers, table, method, data=""):
    """The values of a method in a table, in the order of its columns."""
    return [
        one.value
        for one in numbers
        if one.table == table and one.method.startswith(method) and one.data.name.startswith(data)
    ]


def test_they_are_registered_and_of_the_paper(numbers):
    published, complaints = Plugins().published()
    assert published["pose_from_action"] == numbers
    assert complaints == []
    assert {one.paper for one in numbers} == {PAPER}


def test_every_cell_of_the_four_tables_is_there(numbers):
    cells = [(one.table, one.method, one.metric, one.evaluator.label, one.data.label) for one in numbers]
    assert len(set(cells)) == len(cells)
    assert {table: sum(cell[0] == table for cell in cells) for table in {cell[0] for cell in cells}} == CELLS


def test_rows_of_tables_1_and_2_are_whole_and_in_the_papers_order(numbers):
    assert row(numbers, "Table 1", "Ours") == [57.1, 24.4]
    assert row(numbers, "Table 2", "Ours") == [28.0, 54.6, 68.8, 77.6, 20.1, 40.0, 51.6, 60.8]
    assert row(numbers, "Table 2", "Random") == [20.0, 47.3, 63.9, 74.8, 17.2, 36.1, 49.6, 60.8]
    for method in ("Random", "UCF101", "Wang", "Ours", "ImageNet"):
        values = row(numbers, "Table 2", method)
        for joint in (values[:4], values[4:]):
            assert joint == sorted(joint)  # more joints lie within more


def test_what_the_text_says_of_them_comes_out(numbers):
    for column, random in enumerate(row(numbers, "Table 1", "Random")):
        better = [row(numbers, "Table 1", method)[column] for method in ("ImageNet", "Ours", "Wang")]
        assert better == sorted(better, reverse=True)
        assert better[-1] > random > row(numbers, "Table 1", "UCF101")[column]  # actions are worse than none
    accuracy, guess = row(numbers, "Section 3", "")
    assert (accuracy, guess) == (96.0, 66.0)


def test_gains_that_are_not_those_of_the_table_are_noted(numbers):
    """Table 3 says 12.9, 8.5 and table 4 says 1.75, where the text has 12.3, 7.2 and 2.5."""
    for data, printed, said in (("ucf101", 12.9, "12.3"), ("hmdb51", 8.5, "7.2")):
        (ours, *_), (random,) = (row(numbers, "Table 3", method, data) for method in ("Ours, full", "Random"))
        assert round(ours - random, 1) == printed
        assert any(one.note.startswith(said) for one in numbers if one.table == "Table 3" and one.data.name == data)
    random, ssfa, ours = row(numbers, "Table 4", "")
    assert (random, round(ours - ssfa, 2)) == (15.34, 1.75)
    assert any("2.5 above SSFA" in one.note for one in numbers)


def test_rows_that_the_authors_did_not_run_say_so(numbers):
    quoted = {(one.table, one.method.partition(",")[0]) for one in numbers if "quoted" in one.note}
    assert quoted == {
        ("Table 3", "Random"),
        ("Table 3", "ImageNet"),
        ("Table 4", "Random Initialisation"),
        ("Table 4", "SSFA[22]"),
    }
    assert all("quoted" in one.note for one in numbers if (one.table, one.method.partition(",")[0]) in quoted)


def test_every_protocol_exists(numbers):
    plugins = Plugins()
    for one in numbers:
        card = plugins.evaluators.entry(one.evaluator.name).card
        assert one.metric in {metric.id for metric in card.metrics}
        assert set(one.evaluator.options) <= set(
            inspect.signature(plugins.evaluators.load(one.evaluator.name)).parameters
        )
        plugins.evaluators.completed(one.evaluator.name, one.evaluator.options)
        plugins.datasets.completed(one.data.name, one.data.options)


def test_the_papers_images_are_shown(numbers):
    for one in numbers:
        options = one.evaluator.options
        if one.table == "Table 3":
            assert options["frames"] == 20_000 * options["batch_size"] == 20_000 * 256
            assert (options.get("frozen") == "all") is one.method.endswith("last 2 layers")
        if one.table == "Table 4":
            assert options["shots"] * 10 == 50
