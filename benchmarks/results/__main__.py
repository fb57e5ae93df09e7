"""Measure every row of the speed survey beside its peers, and publish the table."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from benchmarks.results import rows, table, turns
from benchmarks.results.records import ROOT, Records, made_with
from benchmarks.results.rows import Row
from benchmarks.results.turns import FailedError, measure
from harness.gate import noise
from harness.system.files import write_text

SETTINGS = {
    "PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE", "OPENBLAS_THREAD_TIMEOUT": "4"},  # OpenBLAS has a word of its own
    "ACTIVE": {"OMP_WAIT_POLICY": "ACTIVE", "OPENBLAS_THREAD_TIMEOUT": "26"},  # its default
}
"""Environment of a side's process, by policy."""


def publish(output: Path, chosen: Sequence[Row]) -> int:
    """Measure what is not recorded yet, and write the table after each row.

    Args:
        output: of the table; the raw blocks go beside it, with the suffix `.json`.

    Returns:
        how many rows failed.
    """
    raw = output.with_suffix(".json")
    records = Records(raw, made_with())
    todo = [(row, policy) for row in chosen for policy in table.POLICIES if not records.done(row.test, policy)]
    warnings = noise.look().warnings(fresh=records.empty)
    with tempfile.TemporaryDirectory() as footage:
        for number, (row, policy) in enumerate(todo, 1):
            sys.stderr.write(f"[{number}/{len(todo)}] {policy} {row.path}\n")
            about = {"commit": records.made["commit"], "warnings": list(warnings)}
            records.put(row.test, policy, about | _measured(row, policy, Path(footage)))
            write_text(output, table.render(rows.ROWS, records, output=output.name, raw=raw.name))
    write_text(output, table.render(rows.ROWS, records, output=output.name, raw=raw.name))
    return sum(not records.done(row.test, policy) for row in chosen for policy in table.POLICIES)


def _measured(row: Row, policy: str, footage: Path) -> dict[str, Any]:
    """Measure one row: blocks of both sides, or why there are none."""
    about = {"date": datetime.now(timezone.utc).date().isoformat()}
    os.environ.update(SETTINGS[policy])
    try:
        return {**about, **asdict(measure(str(ROOT / "benchmarks" / row.test), footage, budget=turns.BUDGET))}
    except FailedError as error:
        sys.stderr.write(f"  failed: {error}\n")
        return {**about, "failed": str(error)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit code, 1 when a row failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.results", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the table; raw blocks go beside it as .json")
    parser.add_argument("-k", default="", metavar="TEXT", help="measure only rows whose path or test has this text")
    given = parser.parse_args(arguments)
    chosen = [row for row in rows.ROWS if given.k in row.path or given.k in row.test]
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))  # so that no side is left behind
    try:
        failures = publish(given.output, chosen)
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on from here\n")
        return 130
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
