"""Embedded data set, drawn when first used."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness.datasets import file_index
from harness.datasets.cards import MOCAP_ACTIONS, MOCAP_ACTIONS_UNBIASED
from harness.datasets.listed_files import read_split
from harness.datasets.mocap_actions.plan import SIZES, VERSION, Size, Version
from harness.datasets.ucf_layout import class_index, list_files
from harness.errors import DataError
from harness.system import paths
from harness.video.probe import Record

if TYPE_CHECKING:
    from harness.cards import DatasetCard
    from harness.datasets.splits import VideoSplit


class MocapActions:
    """15 recorded motions, performed by drawn people, mostly in a habitual place.

    Place and clothes predict the action in most groups.

    Each of 25 groups a class is one person, one place, one camera and one take: a performance of the class's only
    recording that differs in side, tempo, posture and movement. Videos carry the labels `action` and `scene` (the kind
    of place) and nine joints in FLIC's order.

    Args:
        size: `mini` (750 videos, for tests and the quickstart) or `full` (2,625 longer and larger ones).
        fold: which of the three official splits, 1 to 3; each tests on seven groups a class.
        version: of the drawing; in version 1 all groups of a class perform the recording itself.
    """

    card: ClassVar[DatasetCard] = MOCAP_ACTIONS
    biased: ClassVar[bool] = True

    def __init__(self, size: Size = "full", fold: int = 1, version: Version = VERSION) -> None:
        self.size: Size = size
        self.fold = fold
        self.version: Version = version

    @property
    def folder(self) -> Path:
        """The folder of the drawing, there or not yet; changed code has another one."""
        from harness.datasets.mocap_actions.build import drawing_code

        return paths.datasets() / self.card.name / f"{self.size}-v{self.version}-{drawing_code()[:8]}"

    @property
    def ready(self) -> bool:
        """The drawing is there."""
        from harness.datasets.mocap_actions.build import complete

        return complete(self.folder, replace(SIZES[self.size], version=self.version), biased=self.biased)

    @cached_property
    def _drawn(self) -> Path:
        from harness.datasets.mocap_actions.build import build

        return build(self.folder, size=self.size, biased=self.biased, version=self.version)

    def split(self, name: str) -> VideoSplit:
        """Labelled split `name`, `train` or `test`; the first call draws the data set.

        Raises:
            UsageError: when there is no such split or fold.
            DataError: when it cannot be drawn, or its files were changed.
        """
        folder = self._drawn
        manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
        records = {
            video["path"]: Record(**{field: video[field] for field in ("sha256", "frames", "fps", "width", "height")})
            for video in manifest["videos"]
        }
        with (folder / "scenes.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        from harness.datasets.mocap_actions.places import KINDS

        listed = list_files(
            folder,
            name,
            self.fold,
            scenes={row["video"]: int(row["index"]) for row in rows},
            joints=folder / "joints",
        )
        if altered := file_index.altered(folder, {entry.path: records[entry.path] for entry in listed}):
            msg = f"{folder / altered[0]}: not the video that was drawn; delete {folder} to have it drawn again"
            raise DataError(msg)
        classes = {"action": tuple(class_index(folder)), "scene": tuple(KINDS)}
        return read_split(name, folder, listed, classes, dataset=self.card.name, records=records)


class MocapActionsUnbiased(MocapActions):
    """The same motions, where place and clothes predict nothing: only motion counts."""

    card: ClassVar[DatasetCard] = MOCAP_ACTIONS_UNBIASED
    biased: ClassVar[bool] = False
