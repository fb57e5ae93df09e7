"""Check of a board's folder against its own results, as data.

Pixels of plots, and the script that draws them on the page, are the libraries' and differ between installations.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

from harness.leaderboard import results_file
from harness.leaderboard.page import page
from harness.leaderboard.readme import readme
from harness.leaderboard.render import leftover, picture_names, specifications
from harness.leaderboard.table_csv import table_csv

EXACT = 1e-9
"""Relative difference of numbers up to which they are the same.

Processors differ in the last digits of sums.
"""
_PAGE = re.compile(
    r'(.*<script type="application/json" id="island">)(.*?)</script>\n<script>.*</script>\n(<script>.*)', re.DOTALL
)
"""Page in parts: elements, data, the drawing library, and the page's own script."""
_OF_LIBRARIES = re.compile(r'data:image/png;base64,[\w+/=]*|http-equiv="Content-Security-Policy" content="[^"]*"')
"""Pictures, and the hashes of scripts."""


def stale(folder: Path) -> tuple[str, ...]:
    """Name the files that are missing, left over, or not what `results.json` gives.

    Records, table, README and the page with its plots' specifications are compared as data, whatever the line ends;
    plots have to be there. Pictures of the data and of runs are those that `results.json` names by hash.

    Raises:
        DataError: when `results.json` or a picture is missing or broken.
    """
    board = results_file.load_results(folder / results_file.NAME)
    specification, own = specifications(board)
    wanted = {
        results_file.NAME: json.loads(results_file.dump(board)),
        "README.md": readme(board),
        "table.csv": table_csv(board),
        "index.html": _page_content(page(board, specification, b"", own)),
    }
    differing = [name for name, content in wanted.items() if not same(_content(folder / name), content)]
    missing = [name for name in picture_names(board) if not (folder / name).is_file()]
    return (*differing, *missing, *leftover(board, folder))


def same(one: Any, other: Any) -> bool:
    """Compare JSON-like values, numbers up to their last digits.

    >>> same({"mean": 0.1 + 0.2, "n": [3]}, {"mean": 0.3, "n": [3]}), same([0.3], [0.31]), same(1, True)
    (True, False, False)
    """
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if type(one) in (int, float) and type(other) in (int, float):
        return math.isclose(one, other, rel_tol=EXACT, abs_tol=EXACT)
    return type(one) is type(other) and bool(one == other)


def _content(path: Path) -> Any:
    """Read a board's file as data; None where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8").replace("\r\n", "\n")
        if path.suffix == ".html":
            return _page_content(text)
        return json.loads(text) if path.suffix == ".json" else text
    except (OSError, ValueError, LookupError, TypeError, AttributeError):  # also of a page whose data are others
        return None


def _page_content(html: str) -> dict[str, Any] | None:
    """Take a page apart into text and data; None where it is no such page."""
    parts = _PAGE.fullmatch(html)
    if parts is None:
        return None
    island = json.loads(parts[2])
    for specification in (island["plot"], *island["plots"].values()):
        specification.pop("$schema", None)  # names the version of the library that wrote it
    return {"island": island, "page": _OF_LIBRARIES.sub("", parts[1]), "script": parts[3]}
