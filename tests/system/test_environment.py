"""What is recorded of the environment of a run."""

from __future__ import annotations

import json

import torch

from harness.system.environment import LIBRARIES, provenance


def test_versions_and_hardware_are_recorded_and_nothing_else():
    recorded = provenance({"harness-toy": "0.2"}, "cpu")
    assert set(recorded) == {"python", "libraries", "plugins", "hardware", "threads", "commit"}
    assert recorded["plugins"] == {"harness-toy": "0.2"}
    assert set(recorded["libraries"]) == set(LIBRARIES)
    assert recorded["libraries"]["torch"] == torch.__version__
    assert recorded["hardware"]
    assert json.loads(json.dumps(recorded)) == recorded
