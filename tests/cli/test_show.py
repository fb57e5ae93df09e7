"""`harness show`: a run that is done, and one that failed."""

from __future__ import annotations

import json

import pytest


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
