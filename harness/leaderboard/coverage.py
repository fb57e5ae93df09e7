"""How much of its data a cell saw, where copies are partial."""

from __future__ import annotations

from typing import Any

from harness.leaderboard.table import Cell


def coverage(cell: Cell) -> str:
    """The share of listed videos in each split that lacks some, and of the data learnt from; empty for whole copies.

    Seeds that differ, as when files were lost between their runs, are each named.
    """
    texts: dict[str, None] = {}
    for seed in cell.seeds:
        if seed.run is not None and seed.values:
            known: dict[str, Any] = dict(seed.run.protocol.get("coverage", {}))
            if learnt := seed.run.provenance.get("pretraining_coverage"):
                known["learnt from"] = learnt
            texts[", ".join(f"{name} {_share(found)}" for name, found in known.items())] = None
    return "; ".join(text for text in texts if text)


def _share(found: dict[str, Any]) -> str:
    videos, listed = found["videos"], found["listed"]
    share = min(99.9, 100 * videos / listed)  # what lacks a video is never 100 %
    return f"{share:.1f} % ({videos:,} of {listed:,})"
