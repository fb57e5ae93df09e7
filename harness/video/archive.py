"""Files inside uncompressed tar archives, named `shard.tar/member.mp4` and read in place."""

from __future__ import annotations

import functools
import tarfile
from dataclasses import dataclass
from pathlib import Path

from harness.errors import DataError


@dataclass(frozen=True, slots=True)
class Member:
    """Where a file lies inside an archive."""

    archive: Path
    start: int
    """Bytes before it."""
    size: int
    """Bytes."""


def member(path: Path) -> Member | None:
    """The member that `path` names, when one of its parents is a tar archive that has it; else None.

    Raises:
        DataError: when the archive is no tar archive, or is compressed or cut short.
    """
    for parent in path.parents:
        if parent.suffix == ".tar" and parent.is_file():
            return members(parent).get(path.relative_to(parent).as_posix())
    return None


def members(archive: Path) -> dict[str, Member]:
    """The regular files of an archive by name, in its order; links, devices and folders are left out.

    Nothing is unpacked, so that names with `..` or from the root lead nowhere.

    Raises:
        DataError: when it is no tar archive, or is compressed or cut short.
    """
    status = archive.stat()
    return _members(archive, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=4096)
def _members(archive: Path, size: int, changed: int) -> dict[str, Member]:
    found: dict[str, Member] = {}
    try:
        with tarfile.open(archive, "r:") as file:
            for entry in file:
                if not entry.isreg():
                    continue
                if entry.offset_data + entry.size > size:
                    msg = f"{archive}: cut short inside {entry.name!r}; fetch it again"
                    raise DataError(msg, reason="truncated")
                found[entry.name] = Member(archive, entry.offset_data, entry.size)
    except tarfile.TarError as error:
        msg = (
            f"{archive}: not an uncompressed tar archive ({error}); fetch it again, or unpack and pack it with `tar cf`"
        )
        raise DataError(msg, reason="not-video") from error
    return found
