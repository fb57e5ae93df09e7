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


def index() -> Path:
    """The folder of what is known of the files of data sets, so that none is decoded twice to know it."""
    return home() / "index"


def flow() -> Path:
    """The folder of computed optical flow."""
    return home() / "flow"


def locations() -> Path:
    """The file that says where data sets lie: `$HARNESS_CONFIG`, or one in the user's configuration folder."""
    configured = os.environ.get("HARNESS_CONFIG")
    folder = platformdirs.user_config_path("video-harness")
    return Path(configured).expanduser() if configured else folder / "datasets.yaml"
