"""Static site of several boards: their numbers in one table, a page a method."""

from __future__ import annotations

from harness.leaderboard.site.folder import Site, earlier_boards, find_board, load_boards, publish_site

__all__ = ["Site", "earlier_boards", "find_board", "load_boards", "publish_site"]
