"""Versions, hardware and threads that the rows of a board were made with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.leaderboard.table import Row
from harness.store.records import Run
from harness.system.environment import decisive


@dataclass(frozen=True, slots=True)
class MadeWith:
    """Settings that all rows share, and those of each row that they do not."""

    shared: dict[str, str]
    names: tuple[str, ...] = ()
    """Settings that differ, within a row or between rows."""
    rows: tuple[tuple[Row, tuple[str, ...]], ...] = ()
    """Each row's values of them; several are separated by semicolons."""

    @property
    def sentence(self) -> str:
        """The shared settings in words; empty where nothing was measured."""
        settings = ", ".join(f"{name} {value}" for name, value in self.shared.items())
        threads = self.shared.get("threads")
        advice = f" Training depends on the number of threads: OMP_NUM_THREADS={threads} sets it." if threads else ""
        return f"Made with {settings}.{advice}" if settings else ""

    @property
    def warning(self) -> str:
        """Note that rows differ; empty where they do not."""
        if not self.names:
            return ""
        return (
            f"Rows were made with different {', '.join(self.names)}: small differences between them may come from "
            "there. `harness verify` measures how much."
        )


def made_with(rows: Sequence[Row]) -> MadeWith:
    """Compare what the rows were made with, their fits and features included."""
    settings = [(row, recorded) for row in rows if (recorded := _settings(row))]
    names = list(dict.fromkeys(name for _, recorded in settings for name in recorded))
    values = {name: {recorded.get(name, ()) for _, recorded in settings} for name in names}
    shared = {name: next(iter(one))[0] for name, one in values.items() if len(one) == 1 and len(next(iter(one))) == 1}
    differing = tuple(name for name in names if name not in shared)
    table = tuple((row, tuple("; ".join(recorded.get(name, ())) for name in differing)) for row, recorded in settings)
    return MadeWith(shared, differing, table if differing else ())


def _settings(row: Row) -> dict[str, tuple[str, ...]]:
    """Values of each setting in the runs of a row, and in what they were made of."""
    values: dict[str, set[str]] = {}
    for run in (seed.measured for cell in row.cells for seed in cell.seeds):
        if run is not None:
            for name, value in {**decisive(run.provenance), **_library(run)}.items():
                values.setdefault(name, set()).update({value, *run.provenance.get("parts", {}).get(name, ())})
    return {name: tuple(sorted(one)) for name, one in values.items()}


def _library(run: Run) -> dict[str, str]:
    """Version of the library that the backbone of a run is a model of."""
    backbone = run.identity.backbone
    name = backbone.name.partition(":")[0] if backbone and ":" in backbone.name else ""
    libraries = run.provenance.get("libraries", {})
    return {name: libraries[name]} if name in libraries else {}
