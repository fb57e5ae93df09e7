"""Leaderboards: tables with intervals, ranks with ties, plots and pages from runs."""

from __future__ import annotations

from harness.leaderboard.board import Board, build_board, with_pictures
from harness.leaderboard.planned import PlannedCell
from harness.leaderboard.published import with_references
from harness.leaderboard.render import render
from harness.leaderboard.results_file import load_results
from harness.leaderboard.staleness import stale
from harness.leaderboard.stored_cells import PlannedSuite, plan_readable, with_runs

__all__ = [
    "Board",
    "PlannedCell",
    "PlannedSuite",
    "build_board",
    "load_results",
    "plan_readable",
    "render",
    "stale",
    "with_pictures",
    "with_references",
    "with_runs",
]
