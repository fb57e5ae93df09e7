"""Pages of a site: the index, one a method, and the changes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from harness.cards import NAME, MethodCard
from harness.leaderboard import text
from harness.leaderboard.html import LATER, policy, source, templates
from harness.leaderboard.site.changes import Changes
from harness.leaderboard.site.numbers import method_names, numbers_table
from harness.leaderboard.site.recorded import Number, RecordedBoard
from harness.leaderboard.table import method_in_words, setting
from harness.system.hashing import digest

_EARLY = 'document.body.classList.add("scripted-page");'
"""Script before the table, so that rows that are drawn later are never laid out."""


def method_file(name: str) -> str:
    """Name of a method's page; one that is no short name gets a hash.

    >>> method_file("sfa"), method_file("</script>")
    ('sfa.html', '_script-c70d95fe3f.html')
    """
    if NAME.fullmatch(name):
        return f"{name}.html"
    return f"_{text.file_name(name)}-{digest({'name': name})[:10]}.html"


def index_page(boards: Sequence[RecordedBoard], cards: Mapping[str, MethodCard], *, compared: bool) -> str:
    """Write the page of all boards: the metric that ranks of every cell.

    Args:
        boards: in their order.
        cards: of the methods that are known, by name.
        compared: whether there is a page of changes.
    """
    methods = {
        name: sum(row.identity.method.name == name for board in boards for row in board.rows)
        for name in _method_order(boards)
    }
    numbers = [(board, number) for board in boards for number in board.numbers if number.primary]
    return _page("site_index.html", numbers, cards, "", boards=boards, methods=methods, compared=compared)


def method_page(name: str, boards: Sequence[RecordedBoard], cards: Mapping[str, MethodCard]) -> str:
    """Write the page of a method: every metric on every board."""
    numbers = [
        (board, number) for board in boards for number in board.numbers if number.row.identity.method.name == name
    ]
    rows = [row for board in boards for row in board.rows if row.identity.method.name == name]
    parts = list(dict.fromkeys(part for row in rows for part in method_names(row)[1:]))
    own = [board for board in boards if any(row.identity.method.name == name for row in board.rows)]
    values = {"rows": rows, "parts": parts, "paged": set(_method_order(boards)), "boards": own}
    return _page("site_method.html", numbers, cards, "../", name=name, card=cards.get(name), **values)


def changes_page(changes: Changes) -> str:
    """Write the page of what changed since another version."""
    return _page("site_changes.html", (), {}, "", changes=changes)


def method_pages(boards: Sequence[RecordedBoard], cards: Mapping[str, MethodCard]) -> Iterator[tuple[str, str]]:
    """Write the pages of all methods, by file name."""
    for name in _method_order(boards):
        yield method_file(name), method_page(name, boards, cards)


def _method_order(boards: Sequence[RecordedBoard]) -> list[str]:
    """Names of all methods in alphabetical order."""
    return sorted({row.identity.method.name for board in boards for row in board.rows})


def _page(
    template: str,
    numbers: Sequence[tuple[RecordedBoard, Number]],
    cards: Mapping[str, MethodCard],
    root: str,
    **values: Any,
) -> str:
    environment = templates()
    style = "".join(source(environment, name) for name in ("page.css", "site.css")) + LATER
    script = "".join(source(environment, name) for name in ("later.js", "site.js", "boxes.js"))
    table = numbers_table(numbers, cards)
    return environment.get_template(template).render(
        **values,
        table=table,
        cards=cards,
        root=root,
        text=text,
        setting=setting,
        method_in_words=method_in_words,
        method_link=lambda name: f"{root}methods/{quote(method_file(name))}",
        board_link=lambda board: f"{root}boards/{quote(os.fsencode(board.name))}/index.html",
        style=style,
        script=script,
        early=_EARLY,
        policy=policy([style], [_EARLY, script]),
        island={"facets": table.facets},
    )
