"""Faults of data that stand beside every score: shared videos, absent classes."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

import filelock

from harness.datasets.overlap import absent_classes, overlap
from harness.system import files, paths
from harness.system.code import code_hash
from harness.system.hashing import digest

if TYPE_CHECKING:
    from harness.execution.sources import DataSources
    from harness.interfaces import Split
    from harness.store.records import CellSpec


def data_faults(cell: CellSpec, sources: DataSources) -> dict[str, Any]:
    """Describe what is wrong with the data of a cell's score; empty where nothing is.

    Returns:
        `shared`: for `train`, `pretraining`, and by its label each data set that a part or a fit to start from learnt
        from, numbers of test videos (`videos`) and of those that are in it, `equal` and `similar` ones; `absent`: for
        train and test and each kind of label, classes that the other one has.

    Raises:
        DataError: when a video does not decode.
    """
    names = [name for name in ("train", "test") if name in sources.dataset(cell.data).card.splits]
    splits: dict[str, Split] = {name: sources.split(cell.data, name) for name in names}
    if len(splits) < 2:
        return {}
    learnt = {"train": splits["train"]}
    if cell.pretraining is not None and cell.pretraining != cell.data:
        learnt["pretraining"] = sources.split(cell.pretraining, "train")
    learnt |= {one.label: sources.split(one, "train") for one in cell.further_data if one != cell.data}
    shared = {name: count for name, split in learnt.items() if (count := shared_videos(split, splits["test"]))}
    absent = absent_classes(splits)
    return {**({"shared": shared} if shared else {}), **({"absent": absent} if absent else {})}


@functools.cache
def code() -> str:
    """Hash the code that counts shared videos."""
    return code_hash("harness.datasets.overlap")


def shared_videos(first: Split, second: Split) -> dict[str, int]:
    """Count the videos of `second` that are in `first`; empty where none is.

    Counted once for the content of both, and remembered.

    Raises:
        DataError: when a video does not decode.
    """
    key = digest({"splits": [first.manifest, second.manifest], "code": code()})
    file = paths.home() / "overlaps" / f"{key}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(file.with_suffix(".lock")):
        try:
            count: dict[str, int] = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            shared = overlap(first, second)
            count = {"videos": len(second), "equal": len(shared.equal), "similar": len(shared.similar)}
            files.write_json(file, count)
    return count if count["equal"] or count["similar"] else {}
