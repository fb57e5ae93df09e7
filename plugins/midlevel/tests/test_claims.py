"""The paper's claims: every side is one cell of its suites, and every comparison of the paper is among them."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness_midlevel
from harness.execution import plan
from harness.leaderboard.claims import load_claims
from harness.plugins.manager import Plugins
from harness.suites.schema import load
from harness_midlevel import CLAIMS

BY_LABELS = [("few_shot", "top1_1"), ("few_shot", "top1_2"), ("few_shot", None), ("linear_svm", None)]
"""1, 2, 5 and all labels: the primary metric of the first is of 5."""


@pytest.fixture(scope="module")
def plugins():
    return Plugins()


@pytest.fixture(scope="module")
def claims(plugins):
    return load_claims(Path(harness_midlevel.__file__).with_name("claims.yaml"), plugins)


@pytest.fixture(scope="module")
def pairs(claims):
    return [pair for claim in claims for pair in claim.pairs]


@pytest.mark.parametrize("ending", ["", "-mini"])
def test_every_side_is_one_cell_of_its_suite(plugins, pairs, ending):
    cells = {}
    for name in CLAIMS:
        suite = load(f"midlevel-{name}{ending}", plugins.suites)
        assert suite.seeds == (0, 1, 2)
        identities = plan.identities(plan.canonical(suite, plugins), plugins)
        cells[suite.name] = [cell for cell in identities if cell.seed == 0]
    used = {name: set() for name in cells}
    for pair in pairs:
        assert pair.one != pair.other
        for side in pair.sides:
            name = side.suite + ending
            chosen = [cell for cell in cells[name] if side.selects(cell, cell.evaluator, cell.data)]
            assert len(chosen) == 1, (pair.of, side)
            used[name].add(chosen[0].method.label)
    for name, of_suite in cells.items():  # no row is computed for nothing
        assert used[name] == {cell.method.label for cell in of_suite}


@pytest.mark.parametrize("ending", ["", "-mini"])
def test_every_side_can_be_measured(plugins, pairs, ending):
    """Machines on kernels measure the composite alone."""
    for side in (side for pair in pairs for side in pair.sides):
        suite = load(side.suite + ending, plugins.suites)
        composites = {one.name for one in suite.composites if one.by == "blocks"}
        assert side.evaluator.name != "kernel_svm" or side.method.name in composites


def test_a_pair_compares_one_thing_on_the_same_videos(plugins, pairs):
    """Suites differ between learnt there and learnt elsewhere only; both are measured on the same set."""
    apart = [pair for pair in pairs if pair.one.suite != pair.other.suite]
    assert {(pair.one.suite, pair.other.suite) for pair in apart} == {("midlevel-claims", "midlevel-claims-transfer")}
    assert all(pair.one.method == pair.other.method and pair.one.evaluator == pair.other.evaluator for pair in apart)
    for ending in ("", "-mini"):
        measured = {}
        for name in CLAIMS:
            suite = load(f"midlevel-{name}{ending}", plugins.suites)
            (data,) = suite.data or suite.pretraining
            measured[name] = data
        assert len(set(map(repr, measured.values()))) == 1


def compared(pairs, one, other, suite):
    """Evaluator and metric of each pair of two methods of descriptors, measured by one evaluator."""
    return [
        (pair.one.evaluator.name, pair.metric)
        for pair in pairs
        if (pair.one.method.name, pair.other.method.name) == (one, other)
        and pair.one.suite == pair.other.suite == suite
        and "network" not in {*pair.one.method.options, *pair.other.method.options}
        and pair.one.evaluator == pair.other.evaluator
        and pair.one.evaluator.name != "clustering"
    ]


@pytest.mark.parametrize("suite", ["midlevel-claims", "midlevel-claims-transfer"])
def test_every_two_rows_of_table_1_are_compared_at_1_2_5_and_all_labels(pairs, suite):
    order = ["midlevel", "midlevel_softmax", "midlevel_svm", "midlevel_kmeans"]
    for place, better in enumerate(order):
        for worse in order[place + 1 :]:
            assert compared(pairs, better, worse, suite) == BY_LABELS, (better, worse)
        for worse in order[:place]:
            assert compared(pairs, better, worse, suite) == []


def test_both_networks_together_are_compared_with_each(pairs):
    together = [pair for pair in pairs if pair.one.method.name == "both"]
    for network in ("descriptors", "volumes"):
        with_part = [
            (pair.one.evaluator.options.get("weights", "equal"), pair.one.evaluator.name, pair.metric)
            for pair in together
            if pair.other.method.options.get("network", "descriptors") == network and pair.other.method.name != "both"
        ]
        assert with_part == [
            *(("equal", "few_shot", metric) for metric in ("top1_1", "top1_2", None)),
            ("gmkl", "kernel_svm", None),
            ("equal", "kernel_svm", None),
        ]
    (ways,) = [pair for pair in together if pair.other.method.name == "both"]
    assert (ways.one.evaluator.options, ways.other.evaluator.name) == ({"weights": "gmkl"}, "linear_svm")


def test_the_rank_explains_the_order_or_not(pairs):
    """Fewer principal components, the autoencoder's codes, ours; and ever more of the Fisher loss."""

    def row(method):
        return (method.name, *(method.options[key] for key in ("codes", "dim", "alpha") if key in method.options))

    rank = [pair for pair in pairs if pair.one.suite == "midlevel-claims-rank"]
    components, autoencoder = ("midlevel_kmeans",), ("midlevel_kmeans", "autoencoder")
    twenty, ten = ("midlevel_kmeans", 20), ("midlevel_kmeans", 10)
    ours, softmax = ("midlevel",), ("midlevel_softmax",)
    assert {(row(pair.one.method), row(pair.other.method)) for pair in rank} == {
        (components, twenty),
        (ours, ten),
        (ours, twenty),
        (components, autoencoder),
        (autoencoder, ours),
        (autoencoder, softmax),
        (("midlevel", 1.0), ours),
        (ours, ("midlevel", 0.1)),
    }


def test_the_claims_of_the_tables_the_figure_and_the_text_are_there(claims):
    sources = {claim.source for claim in claims}
    assert sources == {"table 1", "table 2", "figure 6", "section on adaptivity", "ours"}
