"""What all plots share: colours, type, labels of rows, and how a specification becomes an image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt
import cv2
import numpy as np
import vl_convert

from harness.leaderboard.board import Board
from harness.leaderboard.escaping import one_line
from harness.leaderboard.numbers import letter
from harness.leaderboard.table import Row

ROW, REFERENCE, CHANCE = "#0072b2", "#d55e00", "#5f6b7a"
"""Blue and vermilion of Okabe and Ito's palette, told apart by all colour vision; grey."""

INK, SOFT, GRID = "#1c2530", "#4a5563", "#e6e9ee"
FONT = "Liberation Sans, Helvetica Neue, Helvetica, Arial, sans-serif"
CONFIG = alt.Config(
    font=FONT,
    background="white",
    padding=14,
    view=alt.ViewConfig(stroke=None),
    title=alt.TitleConfig(
        anchor="start", frame="group", fontSize=13, color=INK, subtitleFontSize=11, subtitleColor=SOFT, offset=8
    ),
    axis=alt.AxisConfig(labelFontSize=11, labelColor=SOFT, gridColor=GRID),
    axisY=alt.AxisConfig(labelFontSize=12, labelColor=INK),
)
KINDS = ("method", "reference")

PANELS = 4
"""At most as many beside each other, each so wide."""
WIDTH = 190

TOP = ("$schema", "config")
"""What a specification says once."""

Spec = dict[str, Any]
Record = dict[str, str | float | None]
Datasets = dict[str, list[Record]]


def rows(board: Board) -> list[tuple[str, Row]]:
    """Rows from top to bottom with labels that are unique, as an axis needs them."""
    found: dict[str, Row] = {}
    for number, division in enumerate(board.divisions):
        for i in division.rows:
            label = one_line(board.label(board.rows[i]))
            label = f"{label}  [{letter(number)}]" if len(board.divisions) > 1 else label
            while label in found:
                label += "′"
            found[label] = board.rows[i]
    return list(found.items())


def wide(count: int) -> int:
    """How many of `count` panels stand in a line, so that none is left alone.

    >>> [wide(count) for count in (1, 4, 5, 6, 9)]
    [1, 4, 3, 4, 3]
    """
    return PANELS - 1 if count > PANELS and count % PANELS == 1 else min(count, PANELS)


def chart_of(records: list[Record], datasets: Datasets) -> alt.Chart:
    """A chart of `records`, which it only names: Altair copies what charts hold at every step."""
    name = f"data-{len(datasets) + 1}"
    datasets[name] = records
    return alt.Chart(alt.NamedData(name=name))


def beside(panels: Sequence[alt.LayerChart], spacing: int) -> Spec:
    """Panels in a line."""
    # Altair's own concatenation, validation and `configure` copy all charts at every step: two thirds of the time.
    found = [panel.to_dict(validate=False) for panel in panels]
    return {"hconcat": [{k: v for k, v in panel.items() if k not in TOP} for panel in found], "spacing": spacing}


def below(lines: Sequence[Spec], spacing: int) -> Spec:
    """Lines of panels, each with axes of its own."""
    return {"vconcat": list(lines), "spacing": spacing, "resolve": {"scale": {"x": "independent", "y": "independent"}}}


def whole(lines: Spec, title: alt.TitleParams, datasets: Datasets) -> Spec:
    """The specification with its data, and dark text on white, whatever surrounds it."""
    top = {"$schema": alt.SCHEMA_URL, "title": title.to_dict(validate=False), "config": CONFIG.to_dict()}
    return {**top, **lines, "datasets": datasets}


def marks(board: Board, columns: Iterable[int], *, curved: bool = False) -> str:
    """What colours mean, where there is something to say of the cells of these columns."""
    found = []
    if any(row.supervised for row in board.rows):
        found.append(f"orange{' and dashed' if curved else ''}: references, which read labels")
    cells = [row.cells[j] for row in board.rows for j in columns]
    if any(cell.interval and cell.status != "done" for cell in cells):
        found.append("pale: stale or incomplete")
    return f"{'; '.join(found)}.".capitalize() if found else ""


def heading(text: str, *lines: str) -> alt.TitleParams:
    """The title of a whole plot, with lines of explanation under it."""
    return alt.TitleParams(
        one_line(text), subtitle=[line for line in lines if line], fontSize=16, subtitleFontSize=12, offset=14
    )


def png(specification: dict[str, Any]) -> bytes:
    """The plot as an image on white, two pixels a point."""
    content: bytes = vl_convert.vegalite_to_png(specification, scale=2)
    # Written again, because OpenCV's compression makes boards that live in git four times smaller.
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()
