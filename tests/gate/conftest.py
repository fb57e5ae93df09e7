"""A repository with a package of one function, and interpreters that see one of its versions."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from harness.gate.measuring import Pair
from harness.gate.side import Selection

WORK = """
def work(rounds=40_000):
    total = 0
    for number in range(rounds):
        total += number
    return total
"""
BENCHMARK = """
from toy import work

def test_work(benchmark):
    assert benchmark(work) == sum(range(40_000))
"""


class Repository:
    """A Git repository whose files a test writes and commits."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> str:
        identity = ["-c", "user.name=Toy", "-c", "user.email=toy@example.org", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(self.folder), *identity, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def write(self, **files: str) -> None:
        for name, text in files.items():
            path = self.folder / name.replace("__", "/")
            path = path.with_name(path.name + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def commit(self, **files: str) -> str:
        self.write(**files)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "toy")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    return Repository(folder)


def interpreter(folder: Path, sources: Path, *, bare: bool = False) -> Path:
    """Make a Python to which the modules in `sources` are importable, as if they were installed.

    A bare one has neither PyTorch nor plugins of pytest, whose imports take most of a short comparison.
    """
    folder.mkdir(parents=True)
    path, hidden = folder / "python", folder / "hidden"
    if bare:
        hidden.mkdir()
        (hidden / "torch.py").write_text("raise ImportError\n")
        variables = f'PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 PYTHONPATH="{hidden}:{sources}"'
    else:
        variables = f'PYTHONPATH="{sources}"'
    path.write_text(f'#!/bin/sh\n{variables} exec "{sys.executable}" "$@"\n')
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def toy_pair(tmp_path):
    """Build both sides from sources of the module `toy` and of a file of benchmarks.

    They have PyTorch, which counts, where something names it or is to be `counted`.
    """
    if os.name == "nt":
        pytest.skip("a shell script stands for an interpreter")

    def build(
        base: str = WORK, head: str = WORK, benchmark: str = BENCHMARK, keyword: str = "", *, counted: bool = False
    ) -> Pair:
        sides = []
        bare = not (counted or "torch" in base + head + benchmark)
        for name, source in (("base", base), ("head", head)):
            sources = tmp_path / name / "sources"
            sources.mkdir(parents=True)
            (sources / "toy.py").write_text(source)
            sides.append(interpreter(tmp_path / name / "environment", sources, bare=bare))
        folder = tmp_path / "benchmarks"
        folder.mkdir()
        (folder / "test_toy.py").write_text(benchmark)
        (folder / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n")
        return Pair(*sides, Selection(folder, ("test_toy.py",), keyword))

    return build
