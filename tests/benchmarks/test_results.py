"""Both sides of a benchmark in processes of their own, and the table of what was measured."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import groupby, pairwise
from pathlib import Path

import pytest

from benchmarks.results import __main__ as command
from benchmarks.results import rows, table, turns
from benchmarks.results.records import Records, made_with
from benchmarks.results.rows import Row

ROOT = Path(__file__).parents[2]
FAKE = """
import os, time, threading
from benchmarks.conftest import beside
from pathlib import Path

LOG = Path({log!r})

def note(name):
    def forever():
        while True:
            with LOG.open("a") as file:
                file.write(name + "\\n")
            time.sleep(0.002)
    threading.Thread(target=forever, daemon=True).start()

def side(name, seconds):
    def work():
        if not hasattr(work, "started"):
            work.started = note(name)
        time.sleep(seconds)
        return os.getpid(), os.environ["OMP_WAIT_POLICY"]
    return work

def absent():
    import no_such_module

def test_row(beside):
    def check(ours, theirs):
        assert set(theirs) == {{"slow"}}
        assert ours[0] != theirs["slow"][0]
        assert ours[1] == theirs["slow"][1]
    beside(side("ours", 0.05), {{"slow": side("slow", 0.15), "absent": absent}}, clips=7, check=check)

def test_wrong(beside):
    def check(ours, theirs):
        assert ours == theirs["other"], "answers differ"
    beside(lambda: 1, {{"other": lambda: 2}}, clips=1, check=check)

def test_dies(beside):
    beside(lambda: 1, {{"other": lambda: os._exit(3)}}, clips=1)
"""


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A file of benchmarks, of which one is a row and the others fail."""
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    monkeypatch.setattr(turns, "SHORTEST", 0.05)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    path = tmp_path / "test_fake.py"
    path.write_text(FAKE.format(log=str(tmp_path / "turns.log")))
    return path


def test_each_side_has_a_process_of_its_own_that_waits_for_its_turn(fake, tmp_path):
    found = turns.measure(f"{fake}::test_row", tmp_path, budget=0.6)
    assert set(found.blocks) == {"ours", "slow"}
    assert found.missing == {"absent": "no_such_module"}
    assert found.items == 7
    assert turns.ROUNDS[0] <= len(found.blocks["ours"]) == len(found.blocks["slow"]) <= turns.ROUNDS[1]
    ratio, low, high = table.interval(found.blocks["ours"], found.blocks["slow"])
    assert low <= ratio <= high
    assert 2 < ratio < 3.5
    noted = [name for name, _ in groupby((tmp_path / "turns.log").read_text().split())]
    assert {"ours", "slow"} == set(noted)
    # Threads that go on for ever are seen in their side's turns only: two sides, and the check at the end.
    assert len(noted) <= 2 * (len(found.blocks["ours"]) + 2)
    assert all(one != other for one, other in pairwise(noted))


@pytest.mark.parametrize(("name", "reason"), [("test_wrong", "answers differ"), ("test_dies", "other: ")])
def test_a_row_whose_answers_differ_or_that_breaks_fails(fake, tmp_path, name, reason):
    with pytest.raises(turns.FailedError, match=reason):
        turns.measure(f"{fake}::{name}", tmp_path, budget=0.1)


def test_the_command_goes_on_and_publishes(fake, tmp_path, monkeypatch, capsys):
    chosen = (
        Row("a fake", f"{fake}::test_row", "things", 2.0, "slow"),
        Row("a wrong one", f"{fake}::test_wrong", "things"),
    )
    monkeypatch.setattr(rows, "ROWS", chosen)
    monkeypatch.setattr(turns, "BUDGET", 0.3)
    output = tmp_path / "board" / "RESULTS.md"
    assert command.main(["-o", str(output), "-k", "a fake"]) == 0
    assert command.main(["-o", str(output)]) == 1
    told = capsys.readouterr().err
    assert told.count("a fake\n") == 2  # once for each policy, and not again
    assert "a wrong one\n  failed: ours: " in told
    text = output.read_text()
    (slow,) = [line for line in text.splitlines() if line.startswith("| a fake") and "| slow |" in line]
    assert slow.endswith("| 2 | holds |")
    (absent,) = [line for line in text.splitlines() if "| absent |" in line]
    assert absent.count("not installed") == 2
    assert "answers differ" in next(line for line in text.splitlines() if line.startswith("| a wrong one"))
    raw = json.loads(output.with_suffix(".json").read_text())
    policies = raw["rows"][f"{fake}::test_row"]
    assert set(policies) == {"PASSIVE", "ACTIVE"}
    assert str(tmp_path) not in text
    # Measured with other versions, nothing counts any more.
    raw["made_with"]["python"] = "another"
    output.with_suffix(".json").write_text(json.dumps(raw))
    monkeypatch.setattr(command, "measure", lambda *_args, **_kwargs: turns.Measured(1, 1, {"ours": [1.0]}, {}, 0.5))
    assert command.main(["-o", str(output)]) == 0
    assert "| a fake (not quiet: others took 50% of a processor) | nothing |" in output.read_text()


def test_a_goal_is_held_only_where_the_whole_interval_lies_above_it():
    ours, peer = [1.0, 1.01, 0.99, 1.0, 1.0], [2.0, 2.1, 1.9, 2.0, 2.0]
    found = table.interval(ours, peer)
    assert found[0] == 2.0
    assert 1.9 / 1.01 <= found[1] <= found[2] <= 2.1 / 0.99
    assert table.verdict([found], 1.5) == "holds"
    assert table.verdict([found], 2.5) == "below"
    assert table.verdict([found], 2.0) == "open"
    assert table.verdict([found, (1.0, 0.9, 1.1)], 1.5) == "below"


def test_a_row_below_its_goal_says_what_its_products_alone_allow(tmp_path):
    blocks = {"ours": [1.0] * 5, "slow": [2.0] * 5, rows.PRODUCTS: [0.8] * 5}
    about = {"items": 1, "missing": {}, "others": 0.0, "warnings": [], "commit": "a", "date": "2026-01-01"}
    for goal, said in ((5, "below; its matrix products alone would be 2.5 times as fast"), (1.5, "holds")):
        records = Records(tmp_path / "none.json", made_with())
        records.put("a", "PASSIVE", {**about, "blocks": blocks})
        text = table.render([Row("a row", "a", "things", goal)], records, output="a.md", raw="a.json")
        read = Records(tmp_path / "none.json", made_with())
        assert table.render([Row("a row", "a", "things", goal)], read, output="a.md", raw="a.json") == text
        slow, products = (line for line in text.splitlines() if line.startswith("| a row"))
        assert slow.endswith(f"| {goal:g} | {said} |")
        assert products.endswith("| 0.80 (0.80–0.80) |  |  |  |")


def test_every_row_names_a_benchmark():
    names = [f"benchmarks/{row.test}" for row in rows.ROWS]
    command_line = [sys.executable, "-m", "pytest", "-q", "--collect-only", "--benchmark-disable", *names]
    done = subprocess.run(command_line, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
