from __future__ import annotations

import os
import stat

import pytest

from harness.gate import scores
from harness.gate.checkouts import Checkout
from harness.gate.comparison import GateReport, Version
from harness.gate.scores import SuiteError, compare_boards, compare_scores
from tests.leaderboard.conftest import COLUMNS, FakeRow, board_of, fake_run, planned_of

ROW, OTHER = FakeRow("random_init", 0.24), FakeRow("sfa", 0.41)
DONE, OTHER_DONE = fake_run(ROW, COLUMNS[1], 0), fake_run(OTHER, COLUMNS[1], 0)
FAILED = fake_run(ROW, COLUMNS[1], 0, status="data", reason="no videos")


def outcome(comparisons):
    version = Version("main", "c" * 40)
    made = {"hardware": "", "python": "", "system": ""}
    return GateReport(
        base=version, head=version, comparisons=tuple(comparisons), made_with=made, started="", seconds=0.0
    ).outcome


@pytest.mark.parametrize(
    ("base", "head", "expected", "reason"),
    [
        (DONE, DONE, "passed", "equal"),
        (DONE, FAILED, "failed", "data: no videos"),
        (FAILED, DONE, "inconclusive", "base data: no videos"),
        (FAILED, FAILED, "inconclusive", "base data: no videos"),
    ],
)
def test_a_cell_that_the_base_has_no_scores_of_is_not_compared(base, head, expected, reason):
    (one,) = found = compare_boards(board_of(planned_of([base])), board_of(planned_of([head])))
    assert (outcome(found), one.reason) == (expected, reason)
    assert one.compared == (base is DONE)


def test_other_cells_decide_beside_one_that_failed_in_the_base():
    found = compare_boards(board_of(planned_of([FAILED, OTHER_DONE])), board_of(planned_of([DONE, OTHER_DONE])))
    assert [(one.outcome, one.compared) for one in found] == [("passed", False), ("passed", True)]
    assert outcome(found) == "passed"


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for an interpreter")
@pytest.mark.parametrize(("broken", "code"), [(("base",), 5), (("head",), 1), (("base", "head"), 1)])
def test_a_suite_that_the_base_alone_does_not_run_decides_nothing(tmp_path, monkeypatch, broken, code):
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(scores, "load_results", lambda path: board_of(planned_of([DONE])))
    sides, interpreters = [], []
    for name in ("base", "head"):
        python = tmp_path / name
        answer = "echo unknown method >&2" if name in broken else 'mkdir "$6" && touch "$6/results.json"'
        python.write_text(f"#!/bin/sh\n{answer}\n")
        python.chmod(python.stat().st_mode | stat.S_IXUSR)
        sides.append(Checkout(Version(name, "c" * 40), tmp_path))
        interpreters.append(python)
    with pytest.raises(SuiteError, match="does not run toy: unknown method") as caught:
        compare_scores(tuple(sides), tuple(interpreters), "toy")
    assert caught.value.exit_code == code
