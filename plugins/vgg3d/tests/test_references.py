"""The paper's numbers: they agree with its text, and their protocols exist."""

from __future__ import annotations

import inspect
from collections import Counter
from importlib.resources import files

import pytest

from harness.plugins.manager import Plugins
from harness.suites.references import parse
from harness_vgg3d.cards import PAPER

TABLES = {
    "Table I": [65.4, 71.1, 72.6, 75.8, 79.1, 82.3, 83.7, 85.2, 85.4, 85.7, 85.9, 86.0, 86.7, 88.0],
    "Table II": [65.4, 62.2, 72.7, 72.8, 71.4, 75.5, 76.3, 80.0, 83.5, 84.8, 86.7],
    "Table III": [22.8, 40.5, 40.7, 46.9, 52.1, 53.9, 54.6, 57.2, 59.4],
}
"""Columns of the paper, as printed."""
OWN = {"Table I": 2, "Table II": 7, "Table III": 2}
"""Rows that its authors ran."""
FINE_TUNED, ADAPTED = "(pretrained and fine tuned)", "(pretrained and adaptation layers)"


@pytest.fixture(scope="module")
def numbers():
    return parse(files("harness_vgg3d").joinpath("references.yaml").read_text("utf-8"), "the paper")


def find(numbers, table, method):
    """The one value of a method in a table."""
    (number,) = [one for one in numbers if (one.table, one.method) == (table, method)]
    return number.value


def quoted(one):
    """True for a row that the paper took from another one."""
    return "quoted" in one.note


def test_they_are_registered_and_of_the_paper(numbers):
    published, complaints = Plugins().published()
    assert published["vgg3d"] == numbers
    assert complaints == []
    assert {one.paper for one in numbers} == {PAPER}


def test_every_cell_of_the_three_tables_is_there_once(numbers):
    rows = [(one.table, one.method) for one in numbers]
    assert len(set(rows)) == len(rows)
    for table, values in TABLES.items():
        assert Counter(one.value for one in numbers if one.table == table) == Counter(values)
    assert len(numbers) == sum(map(len, TABLES.values()))


@pytest.mark.parametrize("table", ["Table I", "Table III"])
def test_rows_beside_other_papers_rise_by_value(table):
    assert TABLES[table] == sorted(TABLES[table])


def test_rows_of_other_papers_say_so_and_its_own_do_not(numbers):
    assert {table: sum(one.table == table and not quoted(one) for one in numbers) for table in TABLES} == OWN
    for one in numbers:
        assert quoted(one) is ("[" in one.method), one  # the paper numbers what it quotes
        assert "VGG" in one.method or quoted(one), one


def test_all_rows_say_that_labels_were_learnt_from(numbers):
    for one in numbers:
        assert "learnt from labels" in one.note, one
        if not quoted(one):
            assert "ImageNet" in one.pretraining
            assert one.pretraining.endswith("with labels")
            assert one.data.name.upper() in one.pretraining
            assert ("Sports-1M" in one.pretraining) is ("C3D" in one.method) is (one.backbone == "VGG-19 and C3D")


def test_its_own_networks_are_measured_by_their_softmax_and_fusions_by_a_new_one(numbers):
    for one in numbers:
        fused = not quoted(one) and "C3D" in one.method
        assert one.evaluator.label == ("lbfgs_softmax" if fused else "own_softmax"), one


def test_data_and_folds_are_those_of_the_captions(numbers):
    for one in numbers:
        three = one.table != "Table II" or "Sports 1M" in one.method
        assert one.data.name == ("hmdb51" if one.table == "Table III" else "ucf101")
        assert one.data.options == {"fold": [1, 2, 3] if three else 1}, one


def test_what_the_text_says_of_them_comes_out(numbers):
    own, both = "Our approach (VGG-3D)", "Our approach (VGG-3D + C3D-fc6-1 net)"
    for table in ("Table I", "Table III"):
        assert find(numbers, table, both) > find(numbers, table, own)  # "complementary"
    assert find(numbers, "Table I", own) > find(numbers, "Table I", "CNN with transfer learning [31]")
    assert find(numbers, "Table I", both) > find(numbers, "Table I", "C3D (3 nets) [32]")
    for network in ("Spatial VGG-stream", "VGG-3D"):  # "better results when training only the adaptation layers"
        assert find(numbers, "Table II", f"{network} {ADAPTED}") > find(numbers, "Table II", f"{network} {FINE_TUNED}")
    settings = {one.method: one.value for one in numbers if one.table == "Table II"}
    best = max(settings, key=settings.__getitem__)  # "the best result: adaptation layers with the fc6 layer from C3D"
    assert best == f"VGG-3D {ADAPTED} + C3D-fc6-1 net"
    for method in ("Temporal stream ConvNet [30]", "Improved dense trajectories [34]"):
        assert find(numbers, "Table III", method) > find(numbers, "Table III", both)  # "perform better than ours"


def test_numbers_that_are_printed_twice_agree(numbers):
    karpathy = "Fine tune top 3 layers (Sports 1M - pretrained) [31]"
    assert find(numbers, "Table I", "CNN with transfer learning [31]") == find(numbers, "Table II", karpathy)
    same = f"VGG-3D {ADAPTED} + C3D-fc6-1 net"
    assert find(numbers, "Table I", "Our approach (VGG-3D + C3D-fc6-1 net)") == find(numbers, "Table II", same)
    (note,) = [one.note for one in numbers if one.method == same]
    assert "the same as over three splits" in note


def test_every_protocol_exists(numbers):
    plugins = Plugins()
    for one in numbers:
        card = plugins.evaluators.entry(one.evaluator.name).card
        assert one.metric in {metric.id for metric in card.metrics}
        assert set(one.evaluator.options) <= set(inspect.signature(plugins.evaluators.load(card.name)).parameters)
        plugins.evaluators.completed(one.evaluator.name, one.evaluator.options)
        folds = one.data.options["fold"]
        for fold in folds if isinstance(folds, list) else [folds]:
            plugins.datasets.completed(one.data.name, {"fold": fold})
