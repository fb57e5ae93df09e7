"""Where data sets lie on this machine: a suite says so, or an environment variable, or `harness dataset add`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import filelock
import yaml

from harness.errors import DataError, UsageError
from harness.system import files, paths


def variable(name: str) -> str:
    """The environment variable that says where the data set `name` lies.

    >>> variable("voc-action2012")
    'HARNESS_DATA_VOC_ACTION2012'
    """
    return "HARNESS_DATA_" + re.sub(r"[^A-Z0-9]", "_", name.upper())


def located(name: str) -> Path:
    """The folder (or file) of the data set `name`.

    Raises:
        UsageError: when nothing says where it lies.
        DataError: when nothing is there, or the configuration file is broken.
    """
    told = os.environ.get(variable(name))
    source = f"${variable(name)}"
    if not told:
        told, source = remembered().get(name), str(paths.locations())
    if not told:
        msg = (
            f"data set {name!r}: nothing says where it lies; run `harness dataset add {name} /path`, "
            f"set ${variable(name)}, or write `paths: {{{name}: /path}}` into the suite"
        )
        raise UsageError(msg)
    path = Path(told).expanduser()
    if not path.exists():
        msg = (
            f"data set {name!r}: {source} says that it lies at {path}, where nothing is; mount it, or correct the path"
        )
        raise DataError(msg)
    return path.absolute()


def holding(name: str, part: str, places: Sequence[str], remedy: str) -> Path:
    """The folder that holds `part`: the first of some places beside where the data set `name` is told to lie.

    Args:
        name: of the data set.
        part: a file, or folder with a `/` behind it, that is published with it.
        places: below the folder told (`""` is that itself, `..` the one around it), in this order.
        remedy: what to do when none of them holds it.

    Raises:
        UsageError: when nothing says where the data set lies.
        DataError: when none holds it.
    """
    told = located(name)
    for place in places:
        folder = told.parent if place == ".." else told / place
        if (folder / part).exists():
            return folder
    words = {"": "", "..": " or beside it"}
    others = "".join(words.get(place, f" or in {place} below it") for place in places)
    msg = f"data set {name!r}: no {part} in {told}{others}; {remedy}"
    raise DataError(msg)


def prefer(places: Mapping[str, str]) -> None:
    """Take these places in this process and those it starts, whatever else says."""
    for name, path in places.items():
        os.environ[variable(name)] = str(path)


def remember(name: str, path: Path) -> None:
    """Write into the user's configuration where the data set `name` lies."""
    file = paths.locations()
    file.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(file.with_name(f".{file.name}.lock")):
        places = {**remembered(), name: str(path.absolute())}
        files.write_text(file, yaml.safe_dump({"datasets": places}, sort_keys=True, allow_unicode=True))


def remembered() -> dict[str, str]:
    """What the user's configuration says.

    Raises:
        DataError: when it is not `datasets: {name: path}`.
    """
    file = paths.locations()
    if not file.exists():
        return {}
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        places = content["datasets"]
        if not isinstance(places, dict) or not all(isinstance(text, str) for pair in places.items() for text in pair):
            raise TypeError
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError) as error:
        msg = f"{file}: should hold `datasets: {{name: /path}}` and nothing else; correct or delete it"
        raise DataError(msg) from error
    return dict(places)
