"""Where the harness keeps what it draws, fits and measures."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def home() -> Path:
    """The folder of everything the harness keeps: `$HARNESS_HOME`, or the user's cache folder."""
    configured = os.environ.get("HARNESS_HOME")
    return Path(configured).expanduser() if configured else platformdirs.user_cache_path("video-harness")


def datasets() -> Path:
    """The folder of drawn or downloaded data sets."""
    return home() / "datasets"


def store() -> Path:
    """The folder of fits, features and runs."""
    return home() / "store"
