"""State of the processes of units, before anything is fitted."""

from __future__ import annotations

import os

from harness.execution import work
from harness.execution.units import Workplace


def test_models_that_look_for_a_gpu_themselves_follow_the_workplace(tmp_path, monkeypatch):
    chosen = []
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setattr("torch.cuda.set_device", chosen.append)
    state = work._state(Workplace(store=tmp_path, device="cuda:1"))
    work._settle(state, 0, "cuda:1")
    assert chosen == ["cuda:1"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "0,1"
    state = work._state(Workplace(store=tmp_path, device="cpu"))
    work._settle(state, 0, "cpu")
    assert chosen == ["cuda:1"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
