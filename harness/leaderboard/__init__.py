"""Leaderboards: runs become tables with intervals, ranks with ties, plots and pages."""

from __future__ import annotations

from harness.leaderboard.board import Board, build_board
from harness.leaderboard.published import with_references
from harness.leaderboard.render import render, stale
from harness.leaderboard.results_file import load_results
from harness.leaderboard.sections import with_pictures
from harness.leaderboard.table import Planned, with_runs

__all__ = [
    "Board",
    "Planned",
    "build_board",
    "load_results",
    "render",
    "stale",
    "with_pictures",
    "with_references",
    "with_runs",
]
