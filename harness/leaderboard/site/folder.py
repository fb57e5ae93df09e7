"""Folder of a site: pages, and a copy of every board."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.cards import MethodCard
from harness.errors import DataError, UsageError, unknown
from harness.leaderboard.board_folder import replace_files
from harness.leaderboard.render import FILES, OURS
from harness.leaderboard.results_file import NAME
from harness.leaderboard.site.changes import compare
from harness.leaderboard.site.pages import changes_page, index_page, method_pages
from harness.leaderboard.site.recorded import RecordedBoard, load_recorded
from harness.system import files

MARK = "site.json"
"""File that tells a site from another folder, and lists what is the site's own."""
BOARDS = "boards"
"""Folder of the boards in a site."""


@dataclass(frozen=True, slots=True)
class Site:
    """Boards to show together, and what is known of their methods."""

    boards: tuple[RecordedBoard, ...]
    cards: Mapping[str, MethodCard]
    before: tuple[RecordedBoard, ...] | None = field(default=None)
    """An earlier version of the boards, which the page of changes compares them with."""


def find_board(source: str | Path, home: Path) -> Path:
    """Find the folder of a board.

    Args:
        source: the folder, or the name of its suite.
        home: folder of the boards that are named by their suites.

    Raises:
        UsageError: when there is no such folder.
    """
    for folder in (Path(source), home / source):
        if folder.is_dir():
            return folder
    known = [path.parent.name for path in home.glob(f"*/{NAME}")]
    if not known:
        msg = f"unknown board {str(source)!r}; {home}/ has none: `harness run SUITE` writes one there"
        raise UsageError(msg)
    raise unknown("board", str(source), known)


def load_boards(folders: Sequence[Path]) -> tuple[RecordedBoard, ...]:
    """Read the boards of a site.

    Raises:
        UsageError: when two folders have the same name, which would be one place in the site.
        DataError: when a board cannot be read.
    """
    places: dict[str, Path] = {}
    for folder in folders:
        other = places.setdefault(folder.resolve().name.casefold(), folder)
        if other is not folder:
            msg = f"{other} and {folder} would be one folder in the site; leave one out, or rename it"
            raise UsageError(msg)
    return tuple(map(load_recorded, folders))


def earlier_boards(folder: Path) -> tuple[RecordedBoard, ...]:
    """Read the boards of a site, or those in a folder of boards.

    Raises:
        UsageError: when there is no board.
        DataError: when a board cannot be read.
    """
    home = folder / BOARDS if (folder / MARK).is_file() else folder
    found = sorted(path.parent for path in home.glob(f"*/{NAME}"))
    if not found:
        msg = f"{folder}: expected a site, or a folder of boards, got none with a {NAME}; give another"
        raise UsageError(msg)
    return load_boards(found)


def site_files(site: Site) -> dict[str, bytes | Path]:
    """Make the files of a site by their place in it; of copies the source.

    Raises:
        DataError: when a board lacks one of its files.
    """
    content: dict[str, bytes | Path] = {
        "index.html": index_page(site.boards, site.cards, compared=site.before is not None).encode()
    }
    for name, page in method_pages(site.boards, site.cards):
        content[f"methods/{name}"] = page.encode()
    if site.before is not None:
        content["changes.html"] = changes_page(compare(site.before, site.boards)).encode()
    for board in site.boards:
        content |= {f"{BOARDS}/{board.name}/{path.name}": path for path in _board_files(board.folder)}
    content[MARK] = files.json_text({"format": 1, "files": sorted([*content, MARK])}).encode()
    return content


def _board_files(folder: Path) -> list[Path]:
    for name in FILES:
        if not (folder / name).is_file():
            msg = f"{folder / name} is missing; `harness leaderboard {folder}` writes it"
            raise DataError(msg)
    return sorted(path for path in folder.iterdir() if path.name in FILES or OURS.fullmatch(path.name))


def publish_site(site: Site, folder: Path) -> tuple[Path, ...]:
    """Write a site, whole or not at all; returns the files.

    Raises:
        UsageError: when the folder is neither new nor empty nor a site.
        DataError: when a board lacks one of its files.
    """
    own = _own(folder)
    content = site_files(site)
    replace_files(folder, content, lambda name: name in own)
    return tuple(folder / name for name in content)


def _own(folder: Path) -> frozenset[str]:
    """Names of an earlier version's files and folders, which may go.

    Raises:
        UsageError: when the folder has files and is no site.
    """
    try:
        written = {str(name) for name in json.loads((folder / MARK).read_text(encoding="utf-8"))["files"]}
    except FileNotFoundError:
        if folder.is_dir() and any(folder.iterdir()):
            msg = f"{folder}: expected a new or empty folder, or a site to write again; give another"
            raise UsageError(msg) from None
        return frozenset()
    except (ValueError, LookupError, TypeError) as error:
        msg = f"{folder / MARK}: not the list of a site's files; give another folder"
        raise UsageError(msg) from error
    own = frozenset(name.partition("/")[0] for name in written)
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if "/" in name and name.partition("/")[0] in own and not path.is_dir() and name not in written:
            msg = f"{path}: no file of the site, and would be lost with its folder; move it elsewhere"
            raise UsageError(msg)
    return own
