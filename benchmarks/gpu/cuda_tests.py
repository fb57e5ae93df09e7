"""Tests that need a GPU, in a process of their own."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from benchmarks.results.records import ROOT

FOLDERS = ("tests", "plugins")
MARK = "mark.gpu"
SECONDS = 120
"""After which they are ended."""


def files() -> list[Path]:
    """Test files with tests that need a GPU."""
    found = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("test_*.py"))]
    return [path for path in found if MARK in path.read_text(encoding="utf-8")]


def run_cuda_tests() -> dict[str, Any]:
    """Run them, and give how many passed, and the names of those that did not."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", f"--junitxml={report}"]
        try:
            subprocess.run([*command, *map(str, files())], cwd=ROOT, check=False, timeout=SECONDS, stdout=sys.stderr)
        except subprocess.TimeoutExpired:
            return {"passed": False, "summary": f"the tests took more than {SECONDS} s", "not_passed": []}
        if not report.exists():
            return {"passed": False, "summary": "pytest did not start; its words are above", "not_passed": []}
        return _read(ElementTree.parse(report).getroot())  # written by our own pytest


def _read(root: ElementTree.Element) -> dict[str, Any]:
    cases = list(root.iter("testcase"))
    bad = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = [case for case in cases if case.find("skipped") is not None]
    names = [f"{case.get('classname')}::{case.get('name')}" for case in bad]
    right = len(cases) - len(bad) - len(skipped)
    summary = f"{right} tests passed, {len(bad)} failed, {len(skipped)} skipped"
    return {"passed": not bad and right > 0, "summary": summary, "not_passed": names}
