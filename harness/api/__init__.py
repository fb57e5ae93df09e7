"""Python interface of the harness, on which the command line is built."""

from harness.api.boards import BOARDS, MeasuredClaims, claims, leaderboard, publish, site
from harness.api.stored import Records, compare, fuse, garbage, merge, pack, results
from harness.api.suites import PlannedCell, SuiteResult, plan, run, verify

__all__ = [
    "BOARDS",
    "MeasuredClaims",
    "PlannedCell",
    "Records",
    "SuiteResult",
    "claims",
    "compare",
    "fuse",
    "garbage",
    "leaderboard",
    "merge",
    "pack",
    "plan",
    "publish",
    "results",
    "run",
    "site",
    "verify",
]
