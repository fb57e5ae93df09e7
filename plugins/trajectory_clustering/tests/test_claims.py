"""The paper's claims: every side is one cell of its suites, and the README has the table of the committed boards."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness_trajectory_clustering
from harness.execution import plan
from harness.leaderboard.claims import load_claims
from harness.plugins.manager import Plugins
from harness.suites.schema import load
from harness_trajectory_clustering import CLAIMS


@pytest.fixture(scope="module")
def plugins():
    return Plugins()


@pytest.fixture(scope="module")
def claims(plugins):
    return load_claims(Path(harness_trajectory_clustering.__file__).with_name("claims.yaml"), plugins)


@pytest.mark.parametrize("ending", ["", "-mini"])
def test_every_side_is_one_cell_of_its_suite(plugins, claims, ending):
    cells = {}
    for name in CLAIMS:
        suite = load(f"trajectory-clustering-{name}{ending}", plugins.suites)
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


def test_the_claims_of_both_tables_and_both_figures_are_there(claims):
    sources = " ".join(claim.source for claim in claims)
    for source in ("table 1", "tables 1 and 2", "table 4", "table 5", "figure 2", "figure 3"):
        assert source in sources


def test_table_5_is_quoted_of_both_data_sets(claims):
    quoted = [claim.pairs[0].paper for claim in claims if claim.source == "table 5"]
    assert quoted == ["72.8 > 72.6, 44.0 > 43.1"] * 2
