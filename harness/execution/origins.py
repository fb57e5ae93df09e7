"""Origins of stored fits and features: versions, hardware and threads."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.system import files
from harness.system.environment import decisive

FIELD = "made_with"


def origin(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Record for a file of JSON that lies beside what was made."""
    return {FIELD: decisive(provenance)}


def write_origin(path: Path, provenance: Mapping[str, Any]) -> None:
    """Write where a result came from, unless it is written already."""
    if not path.exists():
        files.write_json(path, origin(provenance))


def read_record(path: Path) -> dict[str, Any]:
    """Read a record that lies beside what was made; empty where none can be read."""
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record


def other_origins(provenance: Mapping[str, Any], paths: Iterable[Path]) -> dict[str, list[str]]:
    """Collect settings of earlier results that differ from a provenance.

    Args:
        provenance: of the process that uses the results.
        paths: files beside them; missing ones say nothing.

    Returns:
        By name of the setting, the other values.
    """
    own, others = decisive(provenance), dict[str, set[str]]()
    for path in paths:
        for name, value in read_record(path).get(FIELD, {}).items():
            if own.get(name) != value:
                others.setdefault(name, set()).add(value)
    return {name: sorted(values) for name, values in sorted(others.items())}
