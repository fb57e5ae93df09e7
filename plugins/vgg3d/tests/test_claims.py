"""The paper's claims: every side is one cell of its suites, and every comparison of the paper is among them."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness_vgg3d
from harness.execution import plan
from harness.leaderboard.claims import load_claims
from harness.plugins.manager import Plugins
from harness.suites.schema import load
from harness_vgg3d import CLAIMS


@pytest.fixture(scope="module")
def plugins():
    return Plugins()


@pytest.fixture(scope="module")
def claims(plugins):
    return load_claims(Path(harness_vgg3d.__file__).with_name("claims.yaml"), plugins)


@pytest.fixture(scope="module")
def pairs(claims):
    return [pair for claim in claims for pair in claim.pairs]


@pytest.mark.parametrize("ending", ["", "-mini"])
def test_every_side_is_one_cell_of_its_suite_and_no_row_is_computed_for_nothing(plugins, pairs, ending):
    cells = {}
    for name in CLAIMS:
        suite = load(f"vgg3d-{name}{ending}", plugins.suites)
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
    for name, of_suite in cells.items():
        assert used[name] == {cell.method.label for cell in of_suite}


def test_a_pair_compares_one_thing_on_the_same_videos(pairs):
    """Rows of one suite by one classifier; joined rows have no classifier of their own."""
    for pair in pairs:
        assert pair.one.suite == pair.other.suite
        assert pair.one.evaluator.name == pair.other.evaluator.name
        joined = {side.method.name for side in pair.sides} - {"vgg3d", "spatial_stream"}
        assert pair.one.evaluator.name == "lbfgs_softmax" or not joined


def compared(pairs, one, other, evaluator):
    """Suite and layers trained of each pair of two rows by one classifier."""
    return sorted(
        (pair.one.suite.removeprefix("vgg3d-"), pair.one.method.options.get("trained", "adaptation"))
        for pair in pairs
        if (pair.one.method.name, pair.other.method.name, pair.one.evaluator.name) == (one, other, evaluator)
    )


@pytest.mark.parametrize("evaluator", ["own_softmax", "lbfgs_softmax"])
def test_single_frames_are_compared_in_both_variants_and_trained_in_both_ways(pairs, evaluator):
    expected = [("claims", "adaptation"), ("claims", "all"), ("claims-biased", "adaptation")]
    assert compared(pairs, "vgg3d", "spatial_stream", evaluator) == expected


def test_fusion_is_compared_with_each_part_in_both_variants(pairs):
    for part in ("vgg3d-crops", "c3d"):
        assert [suite for suite, _ in compared(pairs, "vgg3d-c3d", part, "lbfgs_softmax")] == [
            "claims",
            "claims-biased",
        ]


def test_all_four_cells_of_training_and_test_order_are_compared_with_either_kernel(pairs):
    order = [pair for pair in pairs if pair.one.suite == "vgg3d-claims-order"]
    cells = {
        (
            side.method.options.get("kernel", 3),
            side.method.options.get("order", "time"),
            side.evaluator.options.get("shuffled", False),
        )
        for pair in order
        for side in pair.sides
    }
    assert cells == {
        (k, order, shuffled) for k in (1, 3) for order in ("time", "shuffled") for shuffled in (False, True)
    }


def test_every_source_is_there(claims):
    assert {claim.source for claim in claims} == {"table II", "tables I to III", "figure 4", "ours"}
