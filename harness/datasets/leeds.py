"""Leeds Sports Pose as it is published: pictures beside `joints.mat`."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from harness import datasets
from harness.datasets import index, locations
from harness.datasets.entries import Bad, Entry, read_split
from harness.datasets.still_joints import inside, matlab, stored
from harness.errors import DataError, unknown
from harness.functional.pose import JOINTS

if TYPE_CHECKING:
    from harness.cards import DatasetCard
    from harness.datasets.split import VideoSplit

ANNOTATIONS = "joints.mat"
COUNT = 2000
SIDES = {"train": range(1000), "test": range(1000, COUNT)}

PUBLISHED = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
    *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head_top"),
)
"""The 14 joints in their order; left is the person's own left."""


class LeedsSports:
    """2,000 pictures of people at sports, about 150 pixels tall, with their joints; there are no labels.

    The first 1,000 are to train on, the others to test on. Of the 14 joints published, eight are among our nine; the
    nose is not, so that it is unknown everywhere. Its third row says of each joint whether it is hidden (1) or seen
    (0); in the extended set (`lspet`, which is not read) the same row means the opposite. A hidden joint keeps its
    place, which was guessed, but is not visible, so that it is not scored. MATLAB counts pixels from 1.

    Source: Johnson and Everingham, "Clustered pose and nonlinear appearance models for human pose estimation", 2010.

    On disk: `joints.mat` (3 x 14 x 2000) beside `images/im0001.jpg` to `im2000.jpg`; the place told may be that folder
    or the one that holds it as `lsp_dataset`.

    Args:
        bad: what becomes of pictures that cannot be used.
    """

    card: ClassVar[DatasetCard] = datasets.LEEDS_SPORTS

    def __init__(self, bad: Bad = "error") -> None:
        self.bad: Bad = bad

    @cached_property
    def folder(self) -> Path:
        """The folder that holds `joints.mat`.

        Raises:
            UsageError: when nothing says where the data set lies.
            DataError: when it is not there.
        """
        return locations.holding(self.card.name, ANNOTATIONS, ("", "lsp_dataset"), "unpack the data set there")

    def split(self, name: str) -> VideoSplit:
        """The split `name`, `train` or `test`; the first call decodes every picture once.

        Raises:
            UsageError: when there is no such split, or nothing says where the data set lies.
            DataError: when annotations or pictures are missing, or wrong.
        """
        if name not in SIDES:
            raise unknown("split", name, SIDES)
        path = self.folder / ANNOTATIONS
        published = matlab(path, "joints")
        if published.shape != (3, len(PUBLISHED), COUNT) or published.dtype.kind not in "fiu":
            msg = f"{path}: should hold joints (3, {len(PUBLISHED)}, {COUNT}), it holds {published.shape}"
            raise DataError(f"{msg}; get the original set (`lsp_dataset`), not the extended one")
        numbers = SIDES[name]
        images = [f"images/im{number + 1:04d}.jpg" for number in numbers]
        records = index.records(self.folder, images, title=f"looking at {self.card.name} {name}")
        sizes = np.array([(records[image].width, records[image].height) for image in images])
        joints = np.full((len(images), len(JOINTS), 2), np.nan, np.float32)
        hidden = np.ones(joints.shape[:2], bool)
        for place, joint in enumerate(JOINTS):
            if joint in PUBLISHED:
                x, y, flags = published[:, PUBLISHED.index(joint), numbers.start : numbers.stop]
                joints[:, place] = np.stack([x, y], axis=-1) - 1
                hidden[:, place] = flags != 0
        files = stored(self.card.name, joints, inside(joints, sizes) & ~hidden)
        entries = [Entry(path=image, joints=file) for image, file in zip(images, files, strict=True)]
        return read_split(name, self.folder, entries, {}, dataset=self.card.name, bad=self.bad, records=records)
