"""Improved dense trajectories as a method: fit a dictionary for each descriptor, then one bag of words a video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import torch

from harness.functional.kmeans import kmeans
from harness.system import progress
from harness_dense_trajectories import IDT_BOW
from harness_dense_trajectories.encoder import DESCRIPTORS, TrajectoryEncoder, columns
from harness_dense_trajectories.encodings import Words
from harness_dense_trajectories.samples import sampled
from harness_dense_trajectories.settings import Detector, Flow, Settings
from harness_dense_trajectories.tables import Tables

if TYPE_CHECKING:
    from harness.cards import MethodCard
    from harness.interfaces import Backbone, Budget, Split

ITERATIONS = 50
"""Of k-means."""


class IdtBow:
    """Trajectories of all videos, a dictionary of words for each descriptor, how often each word is in each video.

    The backbone is not used. The budget bounds the frames of the videos, drawn at random, whose trajectories the words
    are fitted on.

    Source: Wang and Schmid, "Action recognition with improved trajectories", ICCV 2013, for its bag of features.

    Args:
        words: of each descriptor's dictionary.
        samples: trajectories of a video that the words are fitted on, at most.
        flow: what tracks follow.
        compensate: take the camera's motion out.
        detector: of the key points that the camera's motion is estimated from.
        boxes: the name of humans' boxes which it is not estimated from, as for `idt_fv`.
    """

    card: ClassVar[MethodCard] = IDT_BOW

    def __init__(
        self,
        words: int = 4000,
        samples: int = 500,
        flow: Flow = "dis",
        compensate: bool = True,
        detector: Detector = "orb",
        boxes: str = "",
    ) -> None:
        self.words = words
        self.samples = samples
        self.settings = Settings(flow=flow, compensate=compensate, detector=detector)
        self.boxes = boxes

    def fit(self, backbone: Backbone, train: Split, budget: Budget) -> TrajectoryEncoder:
        """Fit the words on trajectories of `train`.

        Raises:
            DataError: when a video does not decode or has no boxes, or there are fewer trajectories than words.
        """
        rows = sampled(Tables(self.settings, budget.device, self.boxes), train, budget, self.samples, least=self.words)
        parts = {}
        with progress.bar("dictionaries", total=len(DESCRIPTORS)) as bar:
            for name in DESCRIPTORS:
                x = torch.from_numpy(rows[:, columns(name)]).to(budget.device)
                parts[name] = Words(kmeans(x, self.words, [budget.seed], iterations=ITERATIONS).centres[0])
                bar.advance()
        return TrajectoryEncoder(self.settings, parts, boxes=self.boxes, device=budget.device)

    def load(self, backbone: Backbone, folder: Path) -> TrajectoryEncoder:
        """The encoder that `save` wrote.

        Raises:
            DataError: when what is in `folder` is not what was written.
        """
        return TrajectoryEncoder.load(folder)
