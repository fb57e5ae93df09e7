from __future__ import annotations

import time

import psutil

from harness.gate import gate, noise
from harness.gate.checkouts import Checkout
from harness.gate.comparison import Version
from harness.gate.noise import Quiet, busy_seconds, look
from harness.gate.settings import GateSettings


def test_a_gate_does_not_take_its_own_installations_for_noise(tmp_path, monkeypatch):
    done = []
    sides = tuple(Checkout(Version(name, name * 40), tmp_path) for name in "ab")
    monkeypatch.setattr(gate.noise, "look", lambda: done.append("look") or Quiet(0.0, 0.0, {}))
    monkeypatch.setattr(gate, "environment", lambda *_: done.append("install") or tmp_path)
    monkeypatch.setattr(gate, "measure", lambda *_, **__: done.append("measure") or [])
    (tmp_path / "benchmarks").mkdir()
    gate.run_gate(sides, GateSettings(), cache=tmp_path)
    assert done == ["look", "install", "install", "measure"]


def test_a_quiet_machine_has_no_warnings():
    assert Quiet(0.1, 0.01, {}).warnings() == []


def test_every_kind_of_noise_is_named():
    first, second, third = Quiet(7.5, 0.8, {noise.GOVERNOR: "powersave"}).warnings()
    assert "load average 7.50" in first
    assert "80%" in second
    assert "powersave" in third


def test_the_load_of_what_was_measured_just_before_is_not_held_against_it():
    assert Quiet(7.5, 0.0, {}).warnings(fresh=False) == []


def test_settings_are_read_where_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(psutil, "getloadavg", lambda: (0.25, 0, 0))
    path = tmp_path / noise.SETTINGS[noise.GOVERNOR]
    path.parent.mkdir(parents=True)
    path.write_text("powersave\n")
    found = look(0.01, tmp_path)
    assert (found.load, found.settings) == (0.25, {noise.GOVERNOR: "powersave"})


def test_work_of_this_process_is_seen():
    before, end = busy_seconds(), time.perf_counter() + 0.3
    while time.perf_counter() < end:
        pass
    assert busy_seconds() - before > 0.1
