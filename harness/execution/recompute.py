"""Process that computes given cells from nothing, in a store of its own.

`python -m harness.execution.recompute JOB.json`; a process, because thread counts are read when libraries are loaded.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pydantic

from harness.store.records import CellSpec
from harness.system import files, paths

LINKED = ("datasets", "index")
"""Folders of a home that are no results: drawn data, and records of files."""


class Job(pydantic.BaseModel):
    """Cells of one row, and where they are computed."""

    cells: tuple[CellSpec, ...]
    store: Path
    device: str
    locations: dict[str, Path]
    """Places of data sets that the suite names."""
    block: tuple[str, ...]
    """Plugins that are not loaded."""


def compute(job: Job, home: Path, *, threads: int) -> int:
    """Compute a job in another process; its exit code.

    Args:
        job: what is computed.
        home: an empty folder, `$HARNESS_HOME` of the process, with the drawn data of this one.
        threads: that libraries compute with.
    """
    for name in LINKED:
        own = paths.home() / name
        own.mkdir(parents=True, exist_ok=True)
        (home / name).symlink_to(own, target_is_directory=True)
    file = home / "job.json"
    files.write_text(file, job.model_dump_json())
    counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"), str(threads))
    environment = {**os.environ, **counts, "HARNESS_HOME": str(home)}
    command = [sys.executable, "-m", "harness.execution.recompute", str(file)]
    return subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False).returncode  # noqa: S603


def main(file: Path) -> None:
    """Compute the job in `file`, and store its runs."""
    from harness.execution import units
    from harness.execution.plan import plan_cell
    from harness.store.runs import Store

    job = Job.model_validate_json(file.read_text(encoding="utf-8"))
    place = units.Workplace(store=job.store, device=job.device, locations=job.locations, block=job.block)
    workshop, store = units.Workshop(place), Store(job.store)
    cells = [plan_cell(cell, workshop.plugins, workshop.sources) for cell in job.cells]
    failure = units.attempt_fits(cells[0].row, workshop)
    for cell in cells:
        store.write(units.attempt(cell, workshop, failure).run)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
