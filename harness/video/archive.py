"""Files inside tar archives, named `shard.tar/member.mp4` and read in place."""

from __future__ import annotations

import functools
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from harness.errors import DataError
from harness.system.presence import is_file


@dataclass(frozen=True, slots=True)
class Member:
    """Place of a file inside an archive, in bytes."""

    archive: Path
    start: int
    size: int


class FileState(NamedTuple):
    """Size, times and place of a file, equal while nobody writes to it.

    The time of change and the inode tell of a file that was overwritten by one of equal size, and given back its time
    of modification.
    """

    size: int
    modified: int
    changed: int
    inode: int


def state(path: Path) -> FileState:
    """State of a file.

    Raises:
        OSError: when there is no such file.
    """
    status = path.stat()
    return FileState(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def member(path: Path) -> Member | None:
    """Find the member that `path` names; None when no parent is a tar archive with it.

    Raises:
        DataError: when the archive is no tar archive, or is compressed or cut short.
    """
    for parent in path.parents:
        if parent.suffix == ".tar" and is_file(parent):
            return members(parent).get(path.relative_to(parent).as_posix())
    return None


def members(archive: Path) -> dict[str, Member]:
    """List the regular files of an archive by name, in its order.

    `./a.mp4` is `a.mp4`.

    Links, devices and folders are left out. Nothing is unpacked, so that names with `..` or from the root lead nowhere.

    Raises:
        DataError: when it is no tar archive, is compressed, cut short or broken in the middle, has a file with holes,
            or two files of one name.
    """
    return _members(archive, state(archive))


@functools.lru_cache(maxsize=4096)
def _members(archive: Path, state: FileState) -> dict[str, Member]:
    files: dict[str, Member] = {}
    try:
        with tarfile.open(archive, "r:") as file:
            for entry in file:
                if not entry.isreg():
                    continue
                name = PurePosixPath(entry.name).as_posix()
                if not 0 <= entry.size <= state.size - entry.offset_data:
                    raise _broken(archive, f"cut short inside {entry.name!r}")
                if entry.issparse():
                    raise _broken(archive, f"{name!r} has holes")
                if name in files:
                    raise _broken(archive, f"{name!r} is in it twice")
                files[name] = Member(archive, entry.offset_data, entry.size)
            with archive.open("rb") as end:  # tarfile stops at a header that it cannot read as if it were the end
                end.seek(file.offset)
                rest = end.read(2**20)
            if len(rest) < tarfile.BLOCKSIZE:
                raise _broken(archive, "cut short")
            if rest.strip(b"\0"):
                raise _broken(archive, f"broken after {next(reversed(files), 'its start')!r}")
    except (tarfile.TarError, ValueError, OverflowError, MemoryError) as error:  # the last three: sizes beyond reason
        msg = (
            f"{archive}: not an uncompressed tar archive ({error}); fetch it again, or unpack and pack it with `tar cf`"
        )
        raise DataError(msg, reason="not-video") from error
    return files


def _broken(archive: Path, what: str) -> DataError:
    return DataError(f"{archive}: {what}; fetch the archive again, or pack it anew with `tar cf`", reason="truncated")
