"""`harness doctor`: every check is reported, whatever is wrong."""

from __future__ import annotations

import json

from harness.system import paths


def test_doctor(harness_process, broken):
    done = harness_process("doctor", "--json")
    assert done.returncode == 1
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert not checks["plugin raises"]["ok"]
    others = [check for name, check in checks.items() if name.removeprefix("plugin ") not in broken]
    assert all(check["ok"] for check in others), others
    assert "PyAV" in checks["video decoder"]["found"]


def test_a_sound_environment_is_said_to_be(harness):
    done = harness("doctor")
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["check", "found"]
    assert {line.split()[0] for line in lines[1:]} == {"ok"}
    assert any(line.split()[1:3] == ["plugin", "toy"] for line in lines)


def test_a_broken_run_is_found(harness):
    path = paths.store() / "runs" / "abc.json"
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    done = harness("doctor")
    assert done.returncode == 1
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("WRONG")]
    assert f"{path}: not a run" in line
