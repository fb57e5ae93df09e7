"""`harness show`: a run that is done, and one that failed."""

from __future__ import annotations

import json

import pytest
import torch

from harness.backbones.small_2d import Small2D


@pytest.fixture
def key(harness):
    """Run one cell of the toy suite with a method; gives the key of its run."""

    def run(method: str) -> str:
        arguments = ("run", "toy", "--set", f"methods=[{method}]", "--set", "evaluators=[knn]", "--set", "seeds=[0]")
        harness(*arguments)
        (cell,) = json.loads(harness(*arguments, "--dry-run", "--json").stdout)
        return cell["key"]

    return run


def test_a_run_as_text_and_as_json(harness, key):
    key = key("counted")
    document = json.loads(harness("show", key, "--json").stdout)
    lines = harness("show", key[:8]).stdout.splitlines()
    assert lines[:2] == [f"run {key}", "  status: done"]
    assert "  method: counted" in lines
    (score, *_) = document["scores"]
    assert f"  {score['metric']}: {score['value']:.4f} (baseline {score['baseline']:.4f})" in lines
    assert f"  protocol id: {document['protocol_id']}" in lines
    assert f"  python: {document['provenance']['python']}" in lines


def test_a_failed_run_says_why(harness, key):
    lines = harness("show", key("diverges")).stdout.splitlines()
    assert lines[1].startswith("  status: diverged ")
    assert "loss became nan at step 3" in lines[1]
    assert lines[lines.index("scores") + 1] == "pictures"  # there is none of either


def test_what_a_run_started_from(harness, key, tmp_path):
    name, *_ = state = Small2D().build(seed=1).state_dict()
    torch.save({name: state[name]}, tmp_path / "a.pth")
    parts = f"weights: {tmp_path}/a.pth, learnt_from: kinetics400, labels: true, strict: false"
    lines = harness("show", key(f"{{name: pretrained, {parts}}}")).stdout.splitlines()
    assert "  starts from: a.pth, learnt from kinetics400 with labels" in lines
    place = lines.index("    a.pth")
    assert lines[place - 1] == "  weights"
    count, total = state[name].numel(), sum(parameter.numel() for parameter in Small2D().build(seed=1).parameters())
    assert lines[place + 1] == f"      loaded: {100 * count / total:.1f} % of {total:,} parameters"
    assert lines[place + 2].startswith("      missing: ")
