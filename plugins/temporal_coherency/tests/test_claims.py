"""The paper's claims: every side is one cell of its suites, and the README has the table of the committed boards."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness_temporal_coherency
from harness.execution import plan
from harness.leaderboard.claims import load_claims
from harness.plugins.manager import Plugins
from harness.suites.schema import load
from harness_temporal_coherency import CLAIMS


@pytest.fixture(scope="module")
def plugins():
    return Plugins()


@pytest.fixture(scope="module")
def claims(plugins):
    return load_claims(Path(harness_temporal_coherency.__file__).with_name("claims.yaml"), plugins)


def test_all_nine_claims_of_the_text_and_three_of_the_tables_are_there(claims):
    assert len(claims) == 12
    text = ("fc6", "Spectral", "better than Ls on actions", "equals Ls on scenes", "window", "margin of 10")
    for word in (*text, "GoogLeNet", "another set", "Ld < Lq"):
        assert sum(word in claim.claim for claim in claims) == 1


@pytest.mark.parametrize("ending", ["", "-mini"])
def test_every_side_is_one_cell_of_its_suite(plugins, claims, ending):
    cells = {}
    for name in CLAIMS:
        suite = load(f"coherency-{name}{ending}", plugins.suites)
        assert len(suite.seeds) == 3
        identities = plan.identities(plan.canonical(suite, plugins), plugins)
        cells[suite.name] = [cell for cell in identities if cell.seed == 0]
    used = set()
    for pair in (pair for claim in claims for pair in claim.pairs):
        for side in pair.sides:
            name = side.suite + ending
            chosen = [cell for cell in cells[name] if side.selects(cell, cell.evaluator, cell.data)]
            assert len(chosen) == 1, (pair.of, side)
            used.add(name)
    assert used == set(cells)  # no suite is computed for nothing
