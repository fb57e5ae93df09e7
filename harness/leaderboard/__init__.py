"""Leaderboards: tables with intervals, ranks with ties, plots and pages from runs."""

from __future__ import annotations

from harness.leaderboard.board import Board, build_board, with_pictures
from harness.leaderboard.planned import PlannedCell, with_runs
from harness.leaderboard.published import with_references
from harness.leaderboard.render import render
from harness.leaderboard.results_file import load_results
from harness.leaderboard.staleness import stale

__all__ = [
    "Board",
    "PlannedCell",
    "build_board",
    "load_results",
    "render",
    "stale",
    "with_pictures",
    "with_references",
    "with_runs",
]
