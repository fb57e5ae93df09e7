"""Draw an embedding as a scatter plot of frames."""

from __future__ import annotations

import io
import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image, ImageDraw

from harness.pictures.lettering import Lettering
from harness.system import progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.interfaces import Split
    from harness.pictures.sheet import Frame


def assign_cells(places: NDArray[np.float32], cells: int) -> NDArray[np.int64]:
    """Assign a grid cell of its own to each place: (N, 2) int64 column and row.

    Rows are counted from above.

    The places are scaled to fill the square grid, up being up, their proportions kept. Each takes the free cell nearest
    to it, those with the nearest cell first.

    Args:
        places: (N, 2).
        cells: of a row and of a column; `cells ** 2 >= N`.

    >>> assign_cells(np.array([[0, 0], [4, 4], [4, 4]], dtype=np.float32), 3).tolist()
    [[0, 2], [2, 0], [1, 0]]
    """
    low, high = places.min(0), places.max(0)
    centred = (places - (low + high) / 2) / max(float(np.max(high - low)), np.finfo(np.float32).tiny)
    wanted = (centred * [1, -1] + 0.5) * (cells - 1)
    axis = np.arange(cells)
    full = np.zeros((cells, cells))
    taken = np.empty((len(places), 2), dtype=np.int64)
    for point in np.argsort(((wanted - wanted.round()) ** 2).sum(1), kind="stable"):
        across, down = (axis - wanted[point][:, None]) ** 2
        row, column = divmod(int((full + across + down[:, None]).argmin()), cells)
        full[row, column], taken[point] = np.inf, (column, row)
    return taken


SIDE = 96
"""Side of a thumbnail, in pixels."""


def thumbnails(split: Split, frames: Sequence[int]) -> Frame:
    """Read the central squares of frames: (N, 96, 96, 3) uint8 RGB.

    Args:
        split: of N points, each a video; a video that is several points is read once where they stand together.
        frames: the number of the frame that shows each.

    Raises:
        DataError: when a video does not decode.
    """
    squares = np.empty((len(split), SIDE, SIDE, 3), dtype=np.uint8)
    with progress.bar("thumbnails", total=len(split)) as bar:
        for _, same in itertools.groupby(range(len(split)), lambda point: split.videos[point].id):
            points = list(same)
            read = split.read(points[0], [frames[point] for point in points], short_side=SIDE).numpy()
            for point, frame in zip(points, read, strict=True):
                squares[point] = _middle(frame)
            bar.advance(len(points))
    return squares


def _middle(frame: Frame) -> Frame:
    """Crop the central square of (H, W, 3), 96 pixels high and wide."""
    side = min(frame.shape[:2])
    top, left = ((length - side) // 2 for length in frame.shape[:2])
    return scaled(frame[top : top + side, left : left + side], SIDE)


def scaled(square: Frame, side: int) -> Frame:
    """Scale a square picture to `side` pixels."""
    if len(square) == side:
        return square
    return np.asarray(Image.fromarray(square).resize((side, side), Image.Resampling.LANCZOS))


WIDTH = 2000
"""Width of the map, in pixels; the legend stands on its right."""

MARGIN, GAP = 20, 2
"""Pixels around the map, and between thumbnails."""

TITLE, LINE = 48, 32
"""Height of the title, and of a line of the legend."""

FILLED = 0.4
"""Share of the cells that thumbnails take, so that gaps between groups are seen."""


def cell_side(count: int) -> int:
    """Side of a cell in pixels, so that `count` thumbnails fill 40 % of the map.

    They fill less where they would be larger than 96.

    >>> cell_side(1000), cell_side(10)
    (40, 96)
    """
    return min(SIDE, int(WIDTH * math.sqrt(FILLED / count)))


def colours(count: int) -> list[tuple[int, int, int]]:
    """Choose RGB colours for classes, each as unlike those before it as possible.

    None is dark, pale or grey.
    """
    levels = np.linspace(0, 255, 18).round()
    rgb = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(-1, 3).astype(np.float32)
    lab = cv2.cvtColor(rgb[None] / 255, cv2.COLOR_RGB2Lab)[0]  # where distance is how unlike two colours look
    bright = (np.abs(lab[:, 0] - 65) < 20) & (np.hypot(lab[:, 1], lab[:, 2]) > 40)
    rgb, lab = rgb[bright], lab[bright]
    chosen: list[int] = []
    nearest = lab[:, 1].astype(np.float64)  # the first is the least green
    for _ in range(count):
        chosen.append(int(nearest.argmax()))
        to_last = np.linalg.norm(lab - lab[chosen[-1]], axis=1)
        nearest = to_last if len(chosen) == 1 else np.minimum(nearest, to_last)
    return [(int(red), int(green), int(blue)) for red, green, blue in rgb[chosen]]


def scatter_plot(
    thumbnails: Frame, places: NDArray[np.float32], labels: Sequence[int], classes: Sequence[str], title: str
) -> bytes:
    """Draw the map as a PNG, 2000 x 2000 pixels, with title and legend.

    The legend has the classes that are there.

    Args:
        thumbnails: (N, S, S, 3) uint8 RGB.
        places: (N, 2).
        labels: N indices into `classes`.
        classes: names.
        title: one line.
    """
    side = cell_side(len(places))
    cells = WIDTH // side
    border = max(2, side // 12)
    colour = colours(len(classes))
    shown = {label: list(labels).count(label) for label in sorted(set(labels))}
    legend = _legend([(f"{classes[label]} ({count})", colour[label]) for label, count in shown.items()])
    canvas = Image.new("RGB", (WIDTH + legend.width + 3 * MARGIN, WIDTH + TITLE + 2 * MARGIN), "white")
    draw = ImageDraw.Draw(canvas)
    Lettering(28).write(draw, (MARGIN, MARGIN + TITLE / 4), title)
    start = MARGIN + (WIDTH - cells * side) // 2
    for point, (column, row) in enumerate(assign_cells(places, cells).tolist()):
        left, top = start + column * side, start + TITLE + row * side
        draw.rectangle((left, top, left + side - 1 - GAP, top + side - 1 - GAP), fill=colour[labels[point]])
        inside = Image.fromarray(scaled(thumbnails[point], side - GAP - 2 * border))
        canvas.paste(inside, (left + border, top + border))
    canvas.paste(legend, (WIDTH + 2 * MARGIN, TITLE + MARGIN))
    png = io.BytesIO()
    canvas.save(png, "PNG")
    return png.getvalue()


def _legend(entries: Sequence[tuple[str, tuple[int, int, int]]]) -> Image.Image:
    lettering = Lettering(22)
    rows = WIDTH // LINE
    width = LINE + MARGIN + math.ceil(max(lettering.width(text) for text, _ in entries))
    legend = Image.new("RGB", (width * math.ceil(len(entries) / rows), WIDTH), "white")
    draw = ImageDraw.Draw(legend)
    for index, (text, colour) in enumerate(entries):
        left, top = index // rows * width, index % rows * LINE
        draw.rectangle((left, top + 4, left + LINE - 8, top + LINE - 4), fill=colour)
        lettering.write(draw, (left + LINE, top + LINE / 2), text)
    return legend
