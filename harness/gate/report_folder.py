"""Folder of a gate's reports in all formats."""

from __future__ import annotations

from pathlib import Path

from harness.gate.comparison import GateReport
from harness.gate.history import history_page, remember
from harness.gate.machine_readable import gate_document, github_action_document, junit, pytest_benchmark_document
from harness.gate.summary import markdown
from harness.system import files


def write_reports(folder: Path, report: GateReport) -> None:
    """Write every report of a gate; the history in the folder grows by one.

    `gate.json` has everything, `summary.md` is for people, `index.html` plots the history in `history.jsonl`,
    `junit.xml`, `pytest-benchmark.json` and `github-action-benchmark.json` are for other programs.
    """
    files.write_json(folder / "gate.json", gate_document(report))
    files.write_json(folder / "pytest-benchmark.json", pytest_benchmark_document(report))
    files.write_json(folder / "github-action-benchmark.json", github_action_document(report))
    files.write_text(folder / "junit.xml", junit(report))
    files.write_text(folder / "summary.md", markdown(report))
    files.write_text(folder / "index.html", history_page(report, remember(folder, report)))
