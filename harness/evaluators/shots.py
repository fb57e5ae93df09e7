"""A few labelled videos of each class."""

from __future__ import annotations

from harness.errors import DataError
from harness.evaluators.labelled import Labelled
from harness.evaluators.part import Part
from harness.functional.draws import draw_ranks


def drawn(train: Labelled, shots: int, draws: int, seed: int, data: str) -> list[Labelled]:
    """`shots` videos of each class of `train`, `draws` times; they depend on the seed and not on the encoder.

    Raises:
        DataError: when a class has fewer, naming it and the data set.
    """
    counts = train.labels.bincount(minlength=len(train.classes)).tolist()
    fewest, name = min((count, name) for count, name in zip(counts, train.classes, strict=True) if count)
    if fewest < shots:
        msg = f"class {name!r} of data set {data!r} has {fewest} training videos, {shots} are to be drawn; lower shots"
        raise DataError(msg)
    found = []
    for ranks in draw_ranks(train.labels, train.groups, draws, seed):
        chosen = (ranks < shots).nonzero().flatten()
        part = Part(train.split, chosen.tolist())
        found.append(Labelled(train.vectors[chosen], train.labels[chosen], train.classes, part))
    return found
