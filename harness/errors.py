"""What can go wrong, each with the exit code a user's script sees."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HarnessError(Exception):
    """An expected failure: its message is one line naming the thing, what is wrong and the way out."""

    exit_code = 1


class UsageError(HarnessError):
    """A wrong command, name, option or suite file."""

    exit_code = 2


class PluginError(HarnessError):
    """A plugin that cannot be loaded, clashes with another, or does not keep its contract."""

    exit_code = 3


class DataError(HarnessError):
    """A data set, video, checkpoint or result file that is missing, corrupt or not what it claims.

    Args:
        message: one line.
        reason: for a video file, the key of `harness.video.probe.REASONS` that says what is wrong with it.
    """

    exit_code = 4

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class DivergedError(HarnessError):
    """A training whose loss became NaN or infinite."""


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """The error for a name that nobody registered, with the nearest names that somebody did.

    >>> print(unknown("method", "supervisd", ["random_init", "supervised"]))
    unknown method 'supervisd'; did you mean 'supervised'?
    >>> print(unknown("evaluator", "zzz", ["knn", "linear_probe"]))
    unknown evaluator 'zzz'; known: knn, linear_probe
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=2, cutoff=0.6)
    if near:
        return UsageError(f"unknown {kind} {name!r}; did you mean {' or '.join(map(repr, near))}?")
    return UsageError(f"unknown {kind} {name!r}; known: {', '.join(names) or 'none'}")
