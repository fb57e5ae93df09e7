"""Trajectories that an encoding is fitted on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.interfaces import Budget, Split
    from harness_dense_trajectories.tables import Tables


def sampled(tables: Tables, train: Split, budget: Budget, samples: int, least: int) -> NDArray[np.float32]:
    """(n, 436): up to `samples` trajectories of each of as many random videos as the budget has frames for.

    Raises:
        DataError: when a video does not decode or has no boxes, or there are fewer trajectories than `least`.
    """
    random = np.random.default_rng(budget.seed)
    order = random.permutation(len(train))
    read = np.cumsum([train.videos[index].frames for index in order])
    chosen = order[: max(1, int(np.searchsorted(read, budget.frames, side="right")))]
    found = tables.of(train, chosen.tolist())
    kept = [np.sort(random.permutation(len(table))[:samples]) for table in found]
    rows = np.concatenate([table[rows] for table, rows in zip(found, kept, strict=True)])
    if len(rows) < least:
        msg = (
            f"split {train.name!r} gave {len(rows)} trajectories, fewer than the {least} components or words: ask for "
            "fewer, or learn from longer or larger videos"
        )
        raise DataError(msg)
    return rows
