"""The command line as a user runs it: another process."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.fixture
def harness(toy, tmp_path):
    """Run `harness` with the toy plugin installed, in an empty folder."""
    folder = tmp_path / "cwd"
    folder.mkdir()

    def harness(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "harness", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, **options)

    harness.folder = folder
    return harness
