"""The paper's numbers: they agree with its text, and their protocols exist."""

from __future__ import annotations

import inspect
from collections import Counter
from importlib.resources import files

import pytest

from harness.plugins.manager import Plugins
from harness.suites.references import parse
from harness_midlevel.cards import PAPER

CELLS = {("Table 1", "hmdb51"): 4, ("Table 1", "ucf101"): 4, ("Table 2", "hmdb51"): 12, ("Table 2", "ucf101"): 12}
STARRED = {"Tran", "Bilen", "Feichtenhofer", "Wang", "Kar"}


@pytest.fixture(scope="module")
def numbers():
    return parse(files("harness_midlevel").joinpath("references.yaml").read_text("utf-8"), "the paper")


def find(numbers, table, data, method):
    """The one value of a method in a table."""
    (number,) = [one for one in numbers if (one.table, one.data.name, one.method) == (table, data, method)]
    return number.value


def test_they_are_registered_and_of_the_paper(numbers):
    published, complaints = Plugins().published()
    assert published["midlevel"] == numbers
    assert complaints == []
    assert {one.paper for one in numbers} == {PAPER}


def test_every_cell_of_both_tables_is_there(numbers):
    cells = [(one.table, one.method, one.data.name) for one in numbers]
    assert len(set(cells)) == len(cells)
    counts = Counter((table, data) for table, _, data in cells)
    assert counts == {**CELLS, ("Adaptivity", "ucf101"): 2}
    assert all(0 < one.value < 100 and one.metric == "top1" for one in numbers)


@pytest.mark.parametrize("data", ["hmdb51", "ucf101"])
def test_rows_stand_in_the_papers_order(numbers, data):
    """Each row of table 1 above the one before, and each sum of table 2 above its parts."""
    rows = ("K-means clustering", "Discriminatively clustering", "Deep learning from clusters", "Our method")
    values = [find(numbers, "Table 1", data, row) for row in rows]
    assert values == sorted(values)
    parts = ("Ours (φe)", "Ours (ϕe)", "Ours (φe + ϕe)", "Ours (φe + ϕe) + RGB")
    values = [find(numbers, "Table 2", data, row) for row in parts]
    assert values == sorted(values)
    everybody = [one.value for one in numbers if (one.table, one.data.name) == ("Table 2", data)]
    assert max(everybody) == values[-1]  # "outperforms all the state-of-the-art methods"


def test_numbers_that_are_printed_twice_agree(numbers):
    for data in ("hmdb51", "ucf101"):
        assert find(numbers, "Table 1", data, "Our method") == find(numbers, "Table 2", data, "Ours (φe)")
    assert find(numbers, "Adaptivity", "ucf101", "φe") == find(numbers, "Table 1", "ucf101", "Our method")


def test_ours_are_above_the_supervised_rows_that_the_text_names(numbers):
    """Tran et al., Bilen et al. and Kar et al.: the text says that these are worse than both networks together."""
    for data in ("hmdb51", "ucf101"):
        ours = find(numbers, "Table 2", data, "Ours (φe + ϕe)")
        named = [
            one.value for one in numbers if one.data.name == data and one.method.startswith(("Tran", "Bilen", "Kar"))
        ]
        assert len(named) == {"hmdb51": 2, "ucf101": 3}[data]
        assert max(named) < ours


def test_rows_of_other_papers_say_so_and_starred_ones_that_they_learnt_from_labels(numbers):
    quoted = [one for one in numbers if "quoted" in one.note]
    assert {one.table for one in quoted} == {"Table 2"}
    assert len(quoted) == 16
    assert not [one.method for one in quoted if one.method.startswith("Ours")]
    assert len([one for one in numbers if one.table == "Table 2"]) - len(quoted) == 8
    starred = {one.method for one in quoted if "supervised" in one.note}
    assert {name.split()[0] for name in starred} == STARRED
    assert "Wang et al. 2016" in starred
    others = {one.method for one in quoted} - starred
    assert others == {
        "Wang and Schmid 2013",
        "Lan et al. 2015b",
        "Srivastava et al. 2015",
        "Misra et al. 2016",
    }


def test_sums_of_kernels_have_learnt_weights_and_all_else_a_linear_machine(numbers):
    for one in numbers:
        expected = "kernel_svm(weights=gmkl)" if one.method.startswith("Ours (φe + ϕe)") else "linear_svm"
        assert one.evaluator.label == expected, one


def test_every_protocol_exists(numbers):
    plugins = Plugins()
    for one in numbers:
        card = plugins.evaluators.entry(one.evaluator.name).card
        assert one.metric in {metric.id for metric in card.metrics}
        assert set(one.evaluator.options) <= set(inspect.signature(plugins.evaluators.load(card.name)).parameters)
        plugins.evaluators.completed(one.evaluator.name, one.evaluator.options)
        assert one.data.options["fold"] == [1, 2, 3]
        for fold in one.data.options["fold"]:
            plugins.datasets.completed(one.data.name, {"fold": fold})
