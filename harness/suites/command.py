"""Shell command of a suite, as boards show it: without private paths."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path, PurePath, PureWindowsPath
from typing import Any

from harness.system import plain_yaml


def run_command(suite: str | Path, changes: Sequence[str] = ()) -> str:
    """Shell command that computes the runs of a suite.

    Folders of data sets (`paths`) are each user's own and left out. Other paths are relative to the folder one stands
    in, or the bare name.

    >>> run_command("quickstart", ["seeds=[0]", "paths.ucf101=/data/ucf"])
    "harness run quickstart --set 'seeds=[0]'"
    >>> run_command("/home/me/suites/mine.yaml", ["data.0.file=/my data/list.csv"])
    'harness run mine.yaml --set data.0.file=list.csv'
    """
    source = _portable(str(suite)) if Path(suite).suffix in {".yaml", ".yml"} else str(suite)
    shown = [_shown(change) for change in changes if not _locates(change)]
    return shlex.join(["harness", "run", source, *(part for change in shown for part in ("--set", change))])


def _locates(change: str) -> bool:
    """True for a setting that says where data lie on this machine."""
    return re.split(r"[.=]", change, maxsplit=1)[0] == "paths"


def _shown(change: str) -> str:
    key, _, text = change.partition("=")
    try:
        value = plain_yaml.parse(text)
    except plain_yaml.NotPlainError:
        return change  # which is refused, with the reason, once the suite is loaded
    shown = _portable(value)
    if shown == value:
        return change
    return f"{key}={shown if isinstance(shown, str) else json.dumps(shown, ensure_ascii=False)}"  # YAML as well


def _portable(value: Any) -> Any:
    """A setting whose paths are relative to the current folder, or bare names."""
    if isinstance(value, dict):
        return {name: _portable(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_portable(inner) for inner in value]
    if not isinstance(value, str):
        return value
    path, here = Path(value), Path.cwd()
    if path.is_absolute() and path.is_relative_to(here):
        return path.relative_to(here).as_posix()
    if PureWindowsPath(value).is_absolute():
        return PureWindowsPath(value).name
    private = path.is_absolute() or (value.startswith("~") and "/" in value) or ".." in PurePath(value).parts
    return path.name if private else value
