"""Names of files: as lists spell them, and as they lie on disk."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from harness.errors import DataError


def plain(name: str) -> str:
    r"""Spell a name the same on every file system.

    Accents are one with their letters, as most systems but Apple's write them; bytes that are no UTF-8 are spelt out.

    >>> plain("e\u0301") == "\u00e9"
    True
    >>> print(plain("caf\udce9.mp4"))
    caf\udce9.mp4
    """
    return unicodedata.normalize("NFC", name).encode("utf-8", "backslashreplace").decode()


def read_lines(path: Path, remedy: str) -> dict[int, str]:
    """Read the lines of a list by their numbers.

    Spaces around them and empty ones are left out; a byte order mark at its start is no part of the first name.

    Raises:
        DataError: when it cannot be read, with the remedy.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read ({error}); {remedy}"
        raise DataError(msg) from error
    return {number: line.strip() for number, line in enumerate(text.splitlines(), start=1) if line.strip()}


def respelt(folder: Path, paths: Iterable[str]) -> dict[str, str]:
    """Find files whose names differ from the lists' only in how accents are written.

    Args:
        folder: where the files lie.
        paths: below it, which are not there.

    Returns:
        The path on disk for each that is there after all.
    """
    places: dict[Path, dict[str, str]] = {}
    found = {}
    for path in paths:
        if path.isascii():
            continue
        place, parts = folder, []
        for part in PurePosixPath(path).parts:
            if place not in places:
                places[place] = {plain(name): name for name in _names(place)}
            parts.append(places[place].get(plain(part), part))
            place /= parts[-1]
        if place.exists():
            found[path] = "/".join(parts)
    return found


def lookalike(folder: Path, path: str) -> str:
    """Name a file whose name looks like that of `path`; empty for none.

    It differs in case, spaces, invisible characters or the suffix.
    """
    parts = PurePosixPath(path).parts
    for depth, part in enumerate(parts):
        place = folder.joinpath(*parts[:depth])
        if not (place / part).exists():
            near = [name for name in _names(place) if _bare(name) == _bare(part)]
            return "/".join([*parts[:depth], min(near)]) if near else ""
    return ""


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []


def _bare(name: str) -> str:
    """Name without case, spaces, invisible characters and suffix."""
    letters = unicodedata.normalize("NFKC", PurePosixPath(name).stem).casefold()
    return "".join(letter for letter in letters if unicodedata.category(letter) not in {"Cc", "Cf", "Zs"})
