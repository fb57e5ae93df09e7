"""Kinetics-700 in its editions of 2019 and 2020, laid out as Kinetics-400."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from harness.datasets import cards
from harness.datasets.kinetics import LISTS, Kinetics400, Row, read_list
from harness.errors import DataError

if TYPE_CHECKING:
    from harness.cards import DatasetCard
    from harness.datasets.listed_files import ListedFile


class Kinetics700(Kinetics400):
    """650,000 clips of ten seconds of 700 actions, laid out as Kinetics-400.

    Source: Carreira, Noland, Hillier and Zisserman, "A short note on the Kinetics-700 human action dataset", 2019.

    Expected: as `Kinetics400`, with the lists of `kinetics700.tar.gz`: `train.csv` and `validate.csv`.

    The clips of an action are of different videos, but a video may have clips of several actions, by the paper. The
    lists are kept as they are: a video that both of them name becomes two groups, `train/<video>` and `test/<video>`.
    """

    card: ClassVar[DatasetCard] = cards.KINETICS700

    def listed(self, name: str) -> tuple[list[ListedFile], dict[str, tuple[str, ...]]]:
        """Read `train.csv` or `validate.csv`, and look for the clips."""
        files, classes = super().listed(name)
        train, test = ({row.youtube_id for row in rows} for rows in self._rows.values())
        both = train & test
        files = [
            dataclasses.replace(file, group=f"{name}/{file.group}") if file.group in both else file for file in files
        ]
        return files, classes

    @cached_property
    def _rows(self) -> dict[str, list[Row]]:
        """Rows of both lists, by split."""
        lists = {split: self._list(split) for split in LISTS}
        train, test = (read_list(lists[split], words) for split, words in LISTS.items())
        labels = {row.label for row in train.values()}
        clips = {row.clip for row in train.values()}
        for line, row in test.items():
            problem = ""
            if row.label not in labels:
                problem = f"no clip of {lists['train'].name} has the label {row.label!r}"
            elif row.clip in clips:
                problem = f"{row.clip} is in {lists['train'].name} too"
            if problem:
                msg = f"{lists['test']}, line {line}: {problem}; get the lists of one data set"
                raise DataError(msg)
        return {"train": list(train.values()), "test": list(test.values())}


class Kinetics700In2020(Kinetics700):
    """Kinetics-700 with clips for those that were gone, laid out as Kinetics-400.

    Source: Smaira, Carreira, Noland, Clancy, Wu and Zisserman, "A short note on the Kinetics-700-2020 human action
    dataset", 2020.

    Expected: as `Kinetics700`, with the lists of `kinetics700_2020.tar.gz`, or the same as the CVD Foundation has them
    beside the clips: `annotations/train.csv` and `annotations/val.csv`. The lists alone tell the two editions apart,
    and many of their clips are the same.
    """

    card: ClassVar[DatasetCard] = cards.KINETICS700_2020
