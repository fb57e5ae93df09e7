"""Cells of a grid for places on a plane, so that no thumbnail hides another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def on_grid(places: NDArray[np.float32], cells: int) -> NDArray[np.int64]:
    """A cell of its own for each place: (N, 2) int64 column and row, the row counted from above.

    The places are scaled to fill the square grid, up being up, their proportions kept. Each takes the free cell nearest
    to it, those with the nearest cell first.

    Args:
        places: (N, 2).
        cells: of a row and of a column; `cells ** 2 >= N`.

    >>> on_grid(np.array([[0, 0], [4, 4], [4, 4]], dtype=np.float32), 3).tolist()
    [[0, 2], [2, 0], [1, 0]]
    """
    low, high = places.min(0), places.max(0)
    centred = (places - (low + high) / 2) / max(float((high - low).max()), np.finfo(np.float32).tiny)
    wanted = (centred * [1, -1] + 0.5) * (cells - 1)
    axis = np.arange(cells)
    full = np.zeros((cells, cells))
    taken = np.empty((len(places), 2), dtype=np.int64)
    for point in np.argsort(((wanted - wanted.round()) ** 2).sum(1), kind="stable"):
        across, down = (axis - wanted[point][:, None]) ** 2
        row, column = divmod(int((full + across + down[:, None]).argmin()), cells)
        full[row, column], taken[point] = np.inf, (column, row)
    return taken
