"""Folders of data, fits, features and runs."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def home() -> Path:
    """Root folder: `$HARNESS_HOME`, or the user's cache folder."""
    configured = os.environ.get("HARNESS_HOME")
    return Path(configured).expanduser() if configured else platformdirs.user_cache_path("video-harness")


def datasets() -> Path:
    """Folder of drawn data sets."""
    return home() / "datasets"


def store() -> Path:
    """Folder of fits, features and runs."""
    return home() / "store"


def index() -> Path:
    """Folder of probed records of data sets' files, so that none is probed twice."""
    return home() / "index"


def flow() -> Path:
    """Folder of computed optical flow."""
    return home() / "flow"


def locations() -> Path:
    """File of data sets' folders: `$HARNESS_CONFIG`, or in the user's configuration."""
    configured = os.environ.get("HARNESS_CONFIG")
    folder = platformdirs.user_config_path("video-harness")
    return Path(configured).expanduser() if configured else folder / "datasets.yaml"
