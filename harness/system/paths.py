"""Folders of data, fits, features and runs."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from harness.errors import UsageError

DATA = "HARNESS_DATA_"
"""Beginning of the variables that say where data sets lie."""


def home() -> Path:
    """Root folder: `$HARNESS_HOME`, or the user's cache folder.

    Raises:
        UsageError: as `ensure_home`.
    """
    ensure_home()
    configured = os.environ.get("HARNESS_HOME")
    folder = expanded(Path(configured)) if configured else platformdirs.user_cache_path("video-harness")
    return folder.absolute()  # processes elsewhere stand in other folders


def ensure_home() -> None:
    """Let `$HARNESS_HOME` be the home folder of a user whom the system knows none of.

    Libraries ask for one, mmengine's when they are imported; jobs run under numbers that no user has.

    Raises:
        UsageError: when `$HARNESS_HOME` is not set either.
    """
    try:
        Path.home()
    except RuntimeError as error:
        configured = os.environ.get("HARNESS_HOME")
        if not configured or configured.startswith("~"):
            msg = "this user has no home folder; set HARNESS_HOME (or HOME) to a folder that may be written to"
            raise UsageError(msg) from error
        os.environ["HOME"] = str(Path(configured).absolute())


def expanded(path: Path) -> Path:
    """Path with the home folder that its `~` or `~user` stands for.

    Raises:
        UsageError: when the system knows no such user.
    """
    try:
        return path.expanduser()
    except RuntimeError as error:
        msg = f"{path}: begins with a home folder of nobody; write the path out"
        raise UsageError(msg) from error


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
    """File of data sets' folders: `$HARNESS_CONFIG`, or in the user's configuration.

    Raises:
        UsageError: as `ensure_home`.
    """
    ensure_home()
    configured = os.environ.get("HARNESS_CONFIG")
    if configured:
        return expanded(Path(configured)).absolute()
    return platformdirs.user_config_path("video-harness") / "datasets.yaml"


def variables() -> dict[str, str]:
    """Environment that says where things are, for processes on other machines."""
    named = {name: value for name, value in os.environ.items() if name.startswith("HARNESS_")}
    named |= {name: _absolute(place) for name, place in named.items() if place and name.startswith(DATA)}
    own = {"HARNESS_CONFIG": str(locations())} if "HARNESS_CONFIG" in named else {}
    return {**named, **own, "HARNESS_HOME": str(home())}


def _absolute(place: str) -> str:
    try:
        return str(Path(place).expanduser().absolute())
    except RuntimeError:  # a home folder of nobody, which is told where it is looked for
        return place
