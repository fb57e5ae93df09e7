"""Files of stored fits, with checksums beside them."""

from __future__ import annotations

import json
import re
from pathlib import Path, PurePath, PurePosixPath

from harness.store.faults import storing
from harness.system import progress
from harness.system.checksums import file_checksum
from harness.system.damage import FOLDER, set_aside

FIT = "fit.json"
"""Written last, so that it marks a fit as complete."""
CHECKSUMS = "checksums"
"""Name in it of the checksums of the files that the encoder saved."""
TRAINING = "training"
"""Folder of a fit with its logs and checkpoints, which nobody loads."""
OF = "of"
"""Name in `FIT` of the key of the whole fit; of an encoder after a share of it."""
_LEFT = re.compile(r"\..*\.tmp|\.nfs.*", re.DOTALL)
"""Names of files that a killed process left, or NFS keeps while they are open."""


def saved_checksums(folder: Path) -> dict[str, str]:
    """Checksums of the files that an encoder saved into the folder of a fit, by name."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    names = {path.relative_to(folder).as_posix(): path for path in files}
    own = {name: path for name, path in names.items() if name != FIT and not name.startswith(f"{TRAINING}/")}
    own = {name: path for name, path in own.items() if not _LEFT.fullmatch(path.name)}
    return {name: file_checksum(path) for name, path in own.items()}


def damage(folder: Path) -> str:
    """Say how the files of a fit differ from those saved; empty when they do not.

    Raises:
        FileNotFoundError: when no complete fit is there.
        StoreError: when a file cannot be read.
    """
    with storing(folder.parent.parent):
        return _damage(folder)


def _damage(folder: Path) -> str:
    text = (folder / FIT).read_bytes()
    try:
        about = json.loads(text)
        expected = dict(about.get(CHECKSUMS, {}))
    except (ValueError, TypeError, AttributeError) as error:
        return f"{FIT} is no record of a fit: {error}"
    for name, value in expected.items():
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            return f"{FIT} names a file outside of it"
        if _LEFT.fullmatch(PurePosixPath(name).name):  # older versions took them for files of the fit
            continue
        try:
            found = file_checksum(folder / name)
        except FileNotFoundError:
            return f"{name} is missing"
        if found != value:
            return f"{name} is not as it was saved"
    return ""


def is_checked(folder: Path) -> bool:
    """True for a complete fit that has checksums; those of older versions have none."""
    return CHECKSUMS in json.loads((folder / FIT).read_bytes())


def along_lock(whole: str) -> str:
    """Name of the lock under which shares of a fit are kept.

    Args:
        whole: key of the whole fit.
    """
    return f"along-{whole}"


def whole_of(folder: Path) -> str:
    """Key of the whole fit that a stored one is a share of; empty for others."""
    try:
        whole = json.loads((folder / FIT).read_bytes()).get(OF)
    except (OSError, ValueError, AttributeError):
        return ""
    return whole if isinstance(whole, str) and PurePath(whole).name == whole else ""


def is_stored(folder: Path) -> bool:
    """True for a complete fit whose files are as they were saved.

    A damaged one is named and set aside.

    Raises:
        StoreError: when a file cannot be read.
    """
    try:
        problem = damage(folder)
    except FileNotFoundError:
        return False
    if problem:
        progress.say(f"{put_aside(folder, problem)}; it is fitted again")
    return not problem


def put_aside(folder: Path, problem: str) -> str:
    """Set the folder of a damaged fit aside; one line that says so."""
    return set_aside(folder, folder.parent.parent / FOLDER / folder.parent.name, problem)


def curves(folder: Path) -> Path | None:
    """Folder of a fit's TensorBoard log; None for a fit that wrote none."""
    log = folder / TRAINING / "tensorboard"
    return log if log.is_dir() else None
