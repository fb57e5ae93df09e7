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
    """Where a claim quotes two numbers, both are in the references of its metric, and of the data set it names."""
    published = plugins.published()[0]["pose_from_action"]
    quoted = [pair for claim in claims for pair in claim.pairs if " > " in pair.paper]
    assert len(quoted) > 20
    for pair in quoted:
        for part in pair.paper.removesuffix(" of all").split(", "):
            numbers, _, data = part.partition(" on ")
            of_data = [number for number in published if not data or number.data.name == data.lower()]
            values = {number.value for number in of_data if number.metric == pair.metric}
            one, sign, other = numbers.split()
            assert (float(one) > float(other)) is (sign == ">")
            assert {float(one), float(other)} <= values, pair


def test_the_last_two_layers_alone_are_better_on_one_of_two_data_sets(claims):
    """Table 3: above the whole network from random weights on HMDB51, below it on UCF101."""
    (claim,) = [claim for claim in claims if claim.claim.startswith("Its last two layers alone")]
    assert claim.claim.endswith("on HMDB51")
    assert {pair.paper for pair in claim.pairs} == {"19.1 > 15.1 on HMDB51, 41.4 < 42.5 on UCF101"}
