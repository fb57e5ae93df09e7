"""Composites in a suite: rows made of other rows, measured as one."""

from __future__ import annotations

import pytest

from harness import api
from harness.errors import UsageError

SUITE = """
name: fused
title: Fused
frames: 512
methods: [random_init]
composites:
  - {name: both, of: [random_init, {name: counted, scale: 2.0}]}
backbones: [small_2d]
pretraining: [blobs]
evaluators: [{name: knn, k: 5}, {name: finetune, frames: 512, lrs: [0.001]}]
seeds: [0]
"""


@pytest.fixture
def suite(toy, tmp_path):
    path = tmp_path / "fused.yaml"
    path.write_text(SUITE)
    return path


def test_a_composite_is_a_row_whose_parts_are_fitted_once(suite, toy):
    result = api.run(suite)
    assert {run.status for run in result.runs} == {"done"}
    labels = [(run.identity.method.label, run.identity.evaluator.name) for run in result.runs]
    fused = "both(by=concat, of=random_init + counted(scale=2.0))"
    assert labels == [("random_init", "knn"), ("random_init", "finetune"), (fused, "knn")]
    assert toy.read_text().splitlines() == ["counted 0"]
    assert fused in [row.identity.method.label for row in result.board.rows]
    alone, _, both = result.runs
    assert both.fit_key != alone.fit_key
    assert both.scores[0].value >= 0.25
    again = api.run(suite)
    assert again.runs == result.runs


def test_a_composite_has_no_network_to_train(suite):
    states = {(cell.identity.method.name, cell.identity.evaluator.name): cell.state for cell in api.plan(suite)}
    assert states["both", "finetune"] == "not applicable: its encoders offer no trainable"


def test_a_composite_with_a_method_s_name_is_refused(suite):
    suite.write_text(SUITE.replace("name: both", "name: counted"))
    with pytest.raises(UsageError, match="composite 'counted' has the name of a method"):
        api.plan(suite)


def test_a_part_that_nobody_registered_is_refused(suite):
    suite.write_text(SUITE.replace("{name: counted, scale: 2.0}", "countd"))
    with pytest.raises(UsageError, match="did you mean 'counted'"):
        api.plan(suite)
