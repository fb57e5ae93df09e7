"""Versions of the harness with a known fault each, in a clone of this repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
SLOWER = """

import time as _time

_fast = {name}


def {name}(*arguments, **options):
    start = _time.perf_counter()
    found = _fast(*arguments, **options)
    end = start + {factor} * (_time.perf_counter() - start)
    while _time.perf_counter() < end:
        pass
    return found
"""
MORE = """

_without = {name}


def {name}(*arguments, **options):
    {work}
    return _without(*arguments, **options)
"""
KNN, KMEANS, LOGISTIC, DECODE = (
    "harness/functional/knn.py",
    "harness/functional/kmeans.py",
    "harness/functional/logistic.py",
    "harness/video/decode.py",
)
FAULTS: dict[str, dict[str, str]] = {
    "alike": {KNN: "\n# Nothing has changed.\n"},
    "slower": {
        KNN: SLOWER.format(name="nearest", factor=1.10),
        DECODE: SLOWER.format(name="decode", factor=1.05),
    },
    "one more of each": {
        DECODE: MORE.format(name="decode", work="_without(arguments[0], [0])"),
        KNN: MORE.format(name="nearest", work="arguments[0].clone()"),
        LOGISTIC: MORE.format(name="fit_logistic", work="arguments[0] + 0"),
        KMEANS: MORE.format(name="kmeans", work="arguments[0].sum().item()"),
    },
}
"""Text that is added to files of the harness, by the fault that it makes."""
BASE = "base"


def clone_with_faults(folder: Path) -> None:
    """Clone this repository's last commit, with a tag for each fault; a folder that is there is kept.

    Args:
        folder: of the clone.
    """
    if (folder / "made").is_file():
        return
    _git(ROOT, "clone", "--quiet", "--shared", "--no-tags", str(ROOT), str(folder))
    _git(folder, "tag", BASE)
    for fault, changes in FAULTS.items():
        _git(folder, "checkout", "--quiet", "--detach", BASE)
        for name, text in changes.items():
            with (folder / name).open("a", encoding="utf-8") as file:
                file.write(text)
        identity = ["-c", "user.name=experiment", "-c", "user.email=experiment@example.org"]
        _git(folder, *identity, "commit", "--quiet", "--all", "-m", fault)
        _git(folder, "tag", tag(fault))
    (folder / "made").touch()


def tag(fault: str) -> str:
    """Name of the tag of a fault.

    >>> tag("one more of each")
    'one-more-of-each'
    """
    return fault.replace(" ", "-")


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True)
