"""Run every path of the GPU, check its answer, time it beside its peers, and record it."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu import table
from benchmarks.gpu.cases import Place, WrongAnswerError, counters, measure
from benchmarks.gpu.cuda_tests import run_cuda_tests
from benchmarks.gpu.rows import ROWS, Row
from benchmarks.results.records import made_with
from harness.errors import HarnessError
from harness.system.files import write_json, write_text

TESTS = "cuda_tests"


def publish(folder: Path, place: Place, *, counting: bool = False, chosen: Sequence[Row] = ROWS) -> bool:
    """Measure what has no record of this commit yet, and write the table after each row.

    Args:
        folder: of the records and of the table, `README.md`.
        place: where the rows run.
        counting: only count.
        chosen: rows.

    Returns:
        False when an answer is wrong, a row failed, or a test did.
    """
    made = {**made_with(str(place.device)), "tiny": place.tiny, "counting": counting}
    rows = [*ROWS, *chosen]
    records = {row.name: record for row in rows if (record := _recorded(folder, row.name, made)) is not None}
    for row in chosen:
        if row.name in records:
            continue
        _say(f"{row.path} ...")
        start = time.perf_counter()
        record = _measured(row, place, counting=counting)
        records[row.name] = {**record, "row": row.path, "goal": row.goal, "made_with": made}
        write_json(folder / f"{row.name}.json", records[row.name])
        _say(f"  {_short(record)} ({time.perf_counter() - start:.0f} s)")
        _write_table(folder, records, counting=counting)
    _write_table(folder, records, counting=counting)
    passed = True
    if place.device.type == "cuda" and not counting:
        tests = _recorded(folder, TESTS, made)
        if tests is None:
            _say("tests that need a GPU ...")
            tests = {**run_cuda_tests(), "made_with": made}
            write_json(folder / f"{TESTS}.json", tests)
        _say(f"  {tests['summary']}")
        passed = tests["passed"]
    return passed and not any("failed" in record for record in records.values())


def _measured(row: Row, place: Place, *, counting: bool) -> dict[str, Any]:
    try:
        case = row.case(place)
        return {"counters": counters(case, place)} if counting else measure(case, place)
    except WrongAnswerError as error:
        return {"failed": f"wrong answer: {error}"}
    except HarnessError as error:
        return {"failed": str(error)}
    except RuntimeError as error:  # of PyTorch, as where memory is short
        return {"failed": str(error).partition("\n")[0]}


def _recorded(folder: Path, name: str, made: Mapping[str, Any]) -> dict[str, Any] | None:
    """The record of a row that was made with the same commit, versions and hardware, and did not fail."""
    path = folder / f"{name}.json"
    if not path.exists():
        return None
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record if record["made_with"] == made and "failed" not in record and record.get("passed", True) else None


def _write_table(folder: Path, records: Mapping[str, Mapping[str, Any]], *, counting: bool) -> None:
    render = table.standing_in if counting else table.speed
    write_text(folder / "README.md", render(ROWS, records))


def _short(record: Mapping[str, Any]) -> str:
    if "failed" in record:
        return f"FAILED: {record['failed']}"
    if "figure" in record:
        ratios = ", ".join(f"{ratio:.2f} x {name}" for name, ratio in record["times_as_fast_as"].items())
        return f"{table.number(record['figure'])} {record['unit']}{', ' if ratios else ''}{ratios}"
    return f"{record['counters'].get('kernels')} kernels"


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit code, 1 when an answer is wrong, 2 without the device."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="of records and table")
    parser.add_argument("--device", default="cuda", help="cuda, or cpu for a rehearsal; cpu with --counters")
    parser.add_argument("--tiny", action="store_true", help="tiny sizes, to see that everything runs")
    parser.add_argument("--counters", action="store_true", help="only count kernels, waits and bytes, on the CPU")
    parser.add_argument("-k", default="", metavar="TEXT", help="only rows whose name has this text")
    given = parser.parse_args(arguments)
    device = torch.device("cpu" if given.counters else given.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error("there is no GPU here; --counters counts what the paths would ask of one")
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    chosen = [row for row in ROWS if given.k in row.name and (row.counted or not given.counters)]
    try:
        right = publish(given.output, Place(device, given.tiny), counting=given.counters, chosen=chosen)
    except KeyboardInterrupt:
        _say("interrupted; the same command goes on from here")
        return 130
    return 0 if right else 1


if __name__ == "__main__":
    raise SystemExit(main())
