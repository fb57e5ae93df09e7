"""Folders of data sets, from a suite, the environment or `harness dataset add`."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import filelock

from harness.errors import DataError, UsageError
from harness.system import files, paths, plain_yaml
from harness.system.presence import status


def variable(name: str) -> str:
    """Environment variable with the location of the data set `name`.

    >>> variable("voc-action2012")
    'HARNESS_DATA_VOC_ACTION2012'
    """
    return paths.DATA + re.sub(r"[^A-Z0-9]", "_", name.upper())


def located(name: str, told: Path | None = None) -> Path:
    """Find the folder (or file) of the data set `name`.

    Args:
        name: of the data set.
        told: its location; None takes that of the environment, or else of the user's configuration.

    Raises:
        UsageError: when nothing says where it lies.
        DataError: when nothing is there, it cannot be reached, or the configuration file is broken.
    """
    text, source = os.environ.get(variable(name)), f"${variable(name)}"
    if told is not None:
        text, source = str(told), "`paths` of the suite"
    elif not text:
        text, source = remembered().get(name), str(paths.locations())
    if not text:
        msg = (
            f"data set {name!r}: nothing says where it lies; run `harness dataset add {name} /path`, "
            f"set ${variable(name)}, or write `paths: {{{name}: /path}}` into the suite"
        )
        raise UsageError(msg)
    try:
        path = Path(text).expanduser()
    except RuntimeError as error:
        msg = f"data set {name!r}: {source} says that it lies at {text}, a home folder of nobody; write the path out"
        raise DataError(msg) from error
    if not _there(path):
        msg = (
            f"data set {name!r}: {source} says that it lies at {path}, where nothing is; mount it, or correct the path"
        )
        raise DataError(msg)
    return path.absolute()


def holding(name: str, location: Path, part: str, places: Sequence[str], remedy: str) -> Path:
    """Find the folder that holds `part` among places at a data set's location.

    Args:
        name: of the data set.
        location: where it lies.
        part: a file, or folder with a `/` behind it, that is published with it.
        places: below the location (`""` is that itself, `..` the folder around it); the first that fits is taken.
        remedy: what to do when none of them holds it.

    Raises:
        DataError: when none holds it, or one before cannot be reached.
    """
    for place in places:
        folder = location.parent if place == ".." else location / place
        if _there(folder / part):
            return folder
    words = {"": "", "..": " or beside it"}
    others = "".join(words.get(place, f" or in {place} below it") for place in places)
    msg = f"data set {name!r}: no {part} in {location}{others}; {remedy}"
    raise DataError(msg)


def remember(name: str, path: Path) -> Path | None:
    """Write a data set's location into the user's configuration; gives the old one.

    Raises:
        UsageError: when the path is not UTF-8, as the configuration is.
        DataError: as `remembered`.
    """
    try:
        text = str(path.absolute())
        text.encode()
    except UnicodeEncodeError as error:
        msg = f"{path}: the configuration holds names in UTF-8 alone; set ${variable(name)}, or rename the folder"
        raise UsageError(msg) from error
    file = paths.locations()
    file.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(file.with_name(f".{file.name}.lock")):
        places = remembered()
        before = places.get(name)
        files.write_text(file, plain_yaml.dump({"datasets": {**places, name: text}}))
    return None if before is None else Path(before)


def remembered() -> dict[str, str]:
    """Locations of data sets in the user's configuration.

    Raises:
        DataError: when it is not `datasets: {name: path}`, or cannot be reached.
    """
    file = paths.locations()
    if not _there(file):
        return {}
    try:
        content = plain_yaml.read(file) or {}
        places = content["datasets"]
        if not isinstance(places, dict) or not all(isinstance(text, str) for pair in places.items() for text in pair):
            raise TypeError
    except (plain_yaml.NotPlainError, KeyError, TypeError) as error:
        why = f"{error}; it" if isinstance(error, plain_yaml.NotPlainError) else "it"
        msg = f"{file}: {why} should hold `datasets: {{name: /path}}` and nothing else; correct or delete it"
        raise DataError(msg) from error
    return dict(places)


def _there(path: Path) -> bool:
    """Tell if a file or folder is there.

    Raises:
        DataError: when the system does not tell.
    """
    try:
        return status(path) is not None
    except OSError as error:
        msg = f"{path}: cannot be reached ({error.strerror}); check its permissions and the disk"
        raise DataError(msg, reason="unreadable") from error
