from __future__ import annotations

import json
import math
import subprocess
import sys
from xml.etree import ElementTree as Xml

import pytest

from harness.gate.comparison import Bounds, Comparison, CounterPair, GateReport, Version
from harness.gate.decision import Ratio
from harness.gate.history import KEPT, NAME, remember
from harness.gate.machine_readable import gate_document, github_action_document, junit, pytest_benchmark_document
from harness.gate.report_folder import write_reports
from harness.gate.summary import HEADER, counters, headline, markdown, rows

SECONDS = (0.010, 0.012, 0.011)
PASSED = Comparison(
    name="b/test_x.py::test_decode",
    time=Ratio(1.0, 0.99, 1.01, 3),
    seconds_base=SECONDS,
    seconds_head=SECONDS,
    counters=(CounterPair("kernels", 10, 10, 0.0), CounterPair("allocations", 100, 101, 0.02)),
)
SLOWER = Comparison(
    name="b/test_x.py::test_k<means>|", time=Ratio(1.1, 1.05, 1.2, 3), seconds_base=SECONDS, seconds_head=(0.02,)
)
NOISY = Comparison(
    name="b/test_x.py::test_noisy", time=Ratio(1.0, 0.9, 1.1, 10), seconds_base=(1.0,), seconds_head=(1.0,)
)
GREW = Comparison(name="b/test_x.py::test_copies", counters=(CounterPair("copies", 1, 2, 0.0),))
NEW = Comparison(name="b/test_x.py::test_new", note="new", compared=False)
BROKEN = Comparison(name="b/test_x.py::test_broken", note="base failed: ImportError", compared=False)


def report(*comparisons, started="2030-01-02T03:04:05+00:00"):
    return GateReport(
        base=Version("origin/main", "a" * 40),
        head=Version("working tree", "b" * 40 + "+0123456789ab"),
        comparisons=comparisons,
        made_with={"hardware": "A processor", "python": "3.12.1", "system": "Linux"},
        started=started,
        seconds=61.5,
        noise=("other work runs here: load 2.0 on 2 processors",),
    )


@pytest.mark.parametrize(
    ("comparisons", "outcome"),
    [
        ((PASSED, NEW), "passed"),
        ((PASSED, NOISY), "inconclusive"),
        ((NOISY, SLOWER), "failed"),
        ((NOISY, GREW), "failed"),
        ((), "passed"),
        ((NEW,), "passed"),
        ((BROKEN, BROKEN), "inconclusive"),
        ((BROKEN, NEW), "inconclusive"),
        ((BROKEN, PASSED), "passed"),
        ((BROKEN, GREW), "failed"),
    ],
)
def test_the_worst_benchmark_decides(comparisons, outcome):
    assert report(*comparisons).outcome == outcome


def test_bounds_of_counters_are_none_unless_given():
    assert Bounds().of("kernels") == 0
    assert Bounds({"kernels": 0.1}).of("kernels") == 0.1
    assert Bounds({"kernels": 0.1}).of("time") == 0.02


def test_table_and_markdown_say_the_same():
    made = report(PASSED, SLOWER, NOISY, GREW)
    table = rows(made)
    assert table[0] == (PASSED.name, "passed", "11 ms", "11 ms", "1.000 (0.990 to 1.010)", "3", "not slower")
    assert table[2][-1].startswith("too noisy: ")
    assert table[3][-1] == "copies 1 -> 2"
    text = markdown(made)
    rows_of_counters = [*counters(PASSED), *counters(GREW)]
    assert text.count("\n|") == 2 + len(table) + 2 + len(rows_of_counters)
    assert "| allocations | 100 | 101 | within its bound |" in text
    assert "test_k&lt;means>\\|" in text  # neither HTML nor another column
    assert headline(made) == "working tree against origin/main: failed (1 passed, 2 failed, 1 inconclusive)"
    assert all(len(row) == len(HEADER) for row in table)
    assert counters(PASSED) == [("allocations", "100", "101", "within its bound")]


def test_what_was_not_compared_is_not_said_to_have_passed():
    assert headline(report(PASSED, BROKEN)).endswith(": passed (1 passed, 1 not compared)")
    made = report(BROKEN, BROKEN)
    assert headline(made).endswith(": inconclusive (2 not compared; nothing was compared)")
    assert headline(report(NEW)).endswith(": passed (1 not compared; nothing was compared)")
    suite = Xml.fromstring(junit(made)).find("testsuite")
    assert (suite.get("failures"), suite.get("skipped")) == ("0", "2")
    (message, _) = [case.find("skipped").get("message") for case in suite]
    assert message == "not compared: base failed: ImportError"


def test_pytest_benchmark_reads_its_file(tmp_path):
    path = tmp_path / "0001_gate.json"
    path.write_text(json.dumps(pytest_benchmark_document(report(PASSED, SLOWER, NEW))))
    command = [sys.executable, "-m", "pytest_benchmark", "compare", str(path), "--columns=median,rounds"]
    pytest.importorskip("pytest_benchmark")
    shown = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert "test_decode" in shown.stdout, shown.stderr
    assert "11.0000" in shown.stdout
    assert "test_new" not in shown.stdout


def test_github_action_benchmark_gets_what_it_asks_for():
    first, second = github_action_document(report(PASSED, SLOWER, NEW))
    assert {"name", "unit", "value"} <= {*first}
    assert first["value"] == pytest.approx(0.011)
    assert second["name"] == SLOWER.name


def test_junit_counts_failures_and_skips():
    suite = Xml.fromstring(junit(report(PASSED, SLOWER, NOISY, GREW))).find("testsuite")
    assert {name: suite.get(name) for name in ("tests", "failures", "skipped")} == {
        "tests": "4",
        "failures": "2",
        "skipped": "1",
    }
    assert [case.get("name") for case in suite if case.find("failure") is not None] == ["test_k<means>|", "test_copies"]


def test_control_characters_of_a_message_leave_junit_readable():
    broken = Comparison(name="b.py::test\x1b[31m", fault="failed: \x00\x08 odd \ufffe")
    assert Xml.fromstring(junit(report(broken))).find(".//failure").text == "failed:  odd "


def test_numbers_that_are_not_finite_are_null():
    early = Comparison(name="x", time=Ratio(1.0, 0.0, math.inf, 2), seconds_base=(1.0,), seconds_head=(1.0,))
    document = gate_document(report(early))
    assert document["comparisons"][0]["time"]["high"] is None
    assert document["comparisons"][0]["reason"] == "2 blocks are too few for an interval"
    json.dumps(document, allow_nan=False)


def test_history_grows_by_one_and_leaves_out_what_is_spoilt(tmp_path):
    remember(tmp_path, report(PASSED))
    with (tmp_path / NAME).open("a") as file:
        file.write('{"half of a li\n[1]\n')
    entries = remember(tmp_path, report(SLOWER, started="2030-01-03T00:00:00+00:00"))
    assert [entry["outcome"] for entry in entries] == ["passed", "failed"]
    assert len((tmp_path / NAME).read_text().splitlines()) == 2


ENTRY = {"outcome": "passed", "ratio": 1.0, "low": None, "high": 1.1}


@pytest.mark.parametrize(
    "line",
    [
        b'{"head": "a\xff", "benchmarks": \xff}',
        b'{"benchmarks": {}}',
        b'{"head": "a", "benchmarks": []}',
        b'{"head": "a", "benchmarks": {"x": 3}}',
        *(
            json.dumps({"head": "a", "benchmarks": {PASSED.name: {**ENTRY, **changed}}}).encode()
            for changed in ({"outcome": None}, {"outcome": []}, {"ratio": "1"}, {"low": {}}, {"high": math.nan})
        ),
        json.dumps({"head": "a", "benchmarks": {PASSED.name: {"ratio": 1.0}}}).encode(),
    ],
)
def test_a_line_of_the_history_that_is_spoilt_costs_no_report(tmp_path, line):
    (tmp_path / NAME).write_bytes(line + b"\n")
    write_reports(tmp_path, report(PASSED))
    assert "test_decode" in (tmp_path / "index.html").read_text()
    assert len((tmp_path / NAME).read_text().splitlines()) == 1


def test_history_forgets_the_oldest(tmp_path):
    line = json.dumps({"head": "", "benchmarks": {PASSED.name: ENTRY}}) + "\n"
    (tmp_path / NAME).write_text(line * (KEPT + 5))
    assert len(remember(tmp_path, report(PASSED))) == KEPT


def test_folder_has_every_format_and_a_page_without_scripts(tmp_path):
    for day in range(1, 4):
        write_reports(tmp_path, report(PASSED, SLOWER, NOISY, started=f"2030-01-0{day}T00:00:00+00:00"))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {
        "gate.json",
        "github-action-benchmark.json",
        "history.jsonl",
        "index.html",
        "junit.xml",
        "pytest-benchmark.json",
        "summary.md",
    }
    page = (tmp_path / "index.html").read_text()
    assert "<script" not in page
    assert "test_k&lt;means&gt;|" in page
    assert page.count("<svg") == 3
    assert "3 gates remembered" in page
