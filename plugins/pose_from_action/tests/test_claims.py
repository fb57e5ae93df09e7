"""The paper's claims: every side is one cell of its suites."""

from __future__ import annotations

from pathlib import Path

import pytest

import harness_pose_from_action
from harness.execution import plan
from harness.leaderboard.claims import load_claims
from harness.plugins.manager import Plugins
from harness.suites.schema import load
from harness_pose_from_action import CLAIMS

pytest.importorskip("harness_temporal_coherency", reason="suites compare with its triplets")


@pytest.fixture(scope="module")
def plugins():
    return Plugins()


@pytest.fixture(scope="module")
def claims(plugins):
    return load_claims(Path(harness_pose_from_action.__file__).with_name("claims.yaml"), plugins)


@pytest.mark.parametrize("ending", ["", "-mini"])
def test_every_side_is_one_cell_of_its_suite(plugins, claims, ending):
    cells = {}
    for name in CLAIMS:
        suite = load(f"pose-from-action-{name}{ending}", plugins.suites)
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


def test_every_claim_is_made_of_both_ways_to_learn(claims):
    for claim in claims:
        settings = [pair.of.partition(",")[0] for pair in claim.pairs]
        assert settings.count("unbiased") == settings.count("transfer") > 0
        assert set(settings) == {"unbiased", "transfer"}
        for pair in claim.pairs:
            learnt = {side.pretraining.name if side.pretraining else side.suite for side in pair.sides}
            biased = {"mocap-actions", "pose-from-action-claims-transfer"}
            assert (learnt <= biased) is pair.of.startswith("transfer")


def test_the_papers_numbers_are_those_of_its_tables(plugins, claims):
    """Where a claim quotes two numbers, both are in the references of its metric, the better one first."""
    published = plugins.published()[0]["pose_from_action"]
    quoted = [pair for claim in claims for pair in claim.pairs if " > " in pair.paper]
    assert len(quoted) > 20
    for pair in quoted:
        values = {one.value for one in published if one.metric == pair.metric}
        better, worse = map(float, pair.paper.removesuffix(" of all").split(" > "))
        assert better > worse
        assert {better, worse} <= values, pair
