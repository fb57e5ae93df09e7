"""Raw blocks of every row in a JSON file, from which an interrupted run goes on."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness.system.environment import provenance
from harness.system.files import write_json

ROOT = Path(__file__).parents[2]
PEERS = ("scikit-image", "decord", "torchcodec")
"""Peers whose versions are recorded beside those of the harness's own libraries."""


def made_with(device: str = "cpu") -> dict[str, Any]:
    """Say what measurements depend on beside the code: hardware and versions; no names of machines or users."""
    known = provenance({}, device)
    for name in PEERS:
        try:
            known["libraries"][name] = version(name)
        except PackageNotFoundError:
            continue
    return known


class Records:
    """Records of rows by policy, written after each: `records[test, policy] = record`.

    Args:
        path: of the file. What it has of other versions or hardware is dropped; of other code it is kept, as each row
            names its commit.
    """

    def __init__(self, path: Path, made: dict[str, Any]) -> None:
        self.made, self._path = made, path
        self._rows: dict[str, dict[str, dict[str, Any]]] = {}
        if path.exists():
            kept = json.loads(path.read_text(encoding="utf-8"))
            if {**kept["made_with"], "commit": ""} == {**made, "commit": ""}:
                self._rows = kept["rows"]

    @property
    def empty(self) -> bool:
        """True when nothing is recorded yet."""
        return not self._rows

    def get(self, test: str, policy: str) -> dict[str, Any] | None:
        """Give a record, if there is one."""
        return self._rows.get(test, {}).get(policy)

    def done(self, test: str, policy: str) -> bool:
        """Say whether a row needs no further measurement; one that failed does."""
        return "failed" not in (self.get(test, policy) or {"failed": ""})

    def put(self, test: str, policy: str, record: dict[str, Any]) -> None:
        """Keep a record."""
        self._rows.setdefault(test, {})[policy] = record
        write_json(self._path, {"made_with": self.made, "rows": self._rows})
