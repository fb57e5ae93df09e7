"""Confusion matrix accumulated over the official folds of a data set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from harness.evaluators.pictures import confusion_picture
from harness.leaderboard.table import BoardCell
from harness.store.records import Run

CONFUSION = "confusion"
"""Name of the picture of one fold."""


def confused_folds(cell: BoardCell, seed: int) -> tuple[Run, ...]:
    """Find the runs of one seed, one a fold, whose confusion can be accumulated.

    Empty where the cell averages no folds, a fold is still to do, or the notes of the runs have not the same `classes`:
    names in the order of the numbers in labels and predictions, which are not there where clusters were predicted.
    """
    runs = [result.measured for result in cell.seeds if result.seed == seed]
    names = [_classes(run) for run in runs if run is not None]
    if len(runs) < 2 or len(names) < len(runs) or not names[0] or any(other != names[0] for other in names):
        return ()
    return tuple(run for run in runs if run is not None)


def accumulated_name(folds: Sequence[Run]) -> str:
    """Name of the picture of several folds, such as `confusion, 3 folds`."""
    return f"{CONFUSION}, {len(folds)} folds"


def accumulated_picture(folds: Sequence[Run]) -> bytes:
    """Draw the confusion matrix of the runs that `confused_folds` found as a PNG.

    The counts of all folds are summed, so that a row has as many videos as the class in all test splits together; a
    video that several folds test on counts in each.
    """
    labels, predicted = accumulated_predictions(folds)
    return confusion_picture(torch.tensor(labels), torch.tensor(predicted), _classes(folds[0]))


def accumulated_predictions(folds: Sequence[Run]) -> tuple[list[int], list[int]]:
    """List true and predicted classes of the first repeat of all folds."""
    known = [run.predictions for run in folds if run.predictions is not None]
    labels = [label for one in known for label in one.labels]
    return labels, [number for one in known for number in one.predicted[0]]


def _classes(run: Run) -> tuple[str, ...]:
    """Names of the classes that a run confused; empty where it tells none."""
    names: Any = run.notes.get("classes")
    known = isinstance(names, list) and all(isinstance(name, str) for name in names)
    if not known or CONFUSION not in run.pictures or run.predictions is None or not run.predictions.predicted:
        return ()
    numbers = {*run.predictions.labels, *run.predictions.predicted[0]}
    return tuple(names) if all(0 <= number < len(names) for number in numbers) else ()
