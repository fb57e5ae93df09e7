"""Improved dense trajectories as a method: fit principal components and a mixture, then one Fisher vector a video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import torch

from harness.system import progress
from harness_dense_trajectories import IDT_FV
from harness_dense_trajectories.encoder import DESCRIPTORS, JOINT, TrajectoryEncoder, columns
from harness_dense_trajectories.encodings import Fisher
from harness_dense_trajectories.gmm import fit_gmm
from harness_dense_trajectories.pca import fit_pca
from harness_dense_trajectories.samples import sampled
from harness_dense_trajectories.settings import Detector, Flow, Settings
from harness_dense_trajectories.sketch import count_sketch
from harness_dense_trajectories.tables import Tables

if TYPE_CHECKING:
    from harness.cards import MethodCard
    from harness.interfaces import Backbone, Budget, Split


class IdtFv:
    """Trajectories of all videos, PCA and a mixture of Gaussians on some of them, a Fisher vector of each video.

    The backbone is not used. The budget bounds the frames of the videos, drawn at random, whose trajectories the
    encoding is fitted on.

    Source: Wang and Schmid, "Action recognition with improved trajectories", ICCV 2013; the encoding of all
    descriptors together is that of Tokmakov, Hebert and Schmid 2020.

    Args:
        components: of the mixture.
        variance: share that PCA keeps.
        encoding: `joint`, all descriptors of a trajectory as one vector, or `separate`, a mixture for each of them.
        form: of the Fisher vector.
        sketch: dimensions that the vector is brought to by a count sketch; 0 keeps it.
        samples: trajectories of a video that the encoding is fitted on, at most.
        flow: what tracks follow.
        compensate: take the camera's motion out.
        detector: of the key points that the camera's motion is estimated from.
        boxes: the name of humans' boxes which it is not estimated from, from any detector: one file a video, as
            `read_boxes` reads them, in the folder that `humans_of` names.
    """

    card: ClassVar[MethodCard] = IDT_FV

    def __init__(
        self,
        components: int = 256,
        variance: float = 0.9,
        encoding: Literal["joint", "separate"] = "joint",
        form: Literal["paper", "released"] = "paper",
        sketch: int = 0,
        samples: int = 500,
        flow: Flow = "dis",
        compensate: bool = True,
        detector: Detector = "orb",
        boxes: str = "",
    ) -> None:
        self.components = components
        self.variance = variance
        self.encoding: Literal["joint", "separate"] = encoding
        self.form: Literal["paper", "released"] = form
        self.sketch = sketch
        self.samples = samples
        self.settings = Settings(flow=flow, compensate=compensate, detector=detector)
        self.boxes = boxes

    def fit(self, backbone: Backbone, train: Split, budget: Budget) -> TrajectoryEncoder:
        """Fit PCA and mixture on trajectories of `train`.

        Raises:
            DataError: when a video does not decode or has no boxes, or there are fewer trajectories than components.
        """
        rows = sampled(
            Tables(self.settings, budget.device, self.boxes), train, budget, self.samples, least=self.components
        )
        names = DESCRIPTORS if self.encoding == "separate" else (JOINT,)
        parts = {}
        with progress.bar("mixtures", total=len(names)) as bar:
            for name in names:
                x = torch.from_numpy(rows[:, columns(name)]).to(budget.device)
                pca = fit_pca(x, variance=self.variance)
                parts[name] = Fisher(pca, fit_gmm(pca.project(x), self.components, seed=budget.seed), self.form)
                bar.advance()
        dim = sum(part.dim for part in parts.values())
        sketch = count_sketch(dim, self.sketch, seed=budget.seed) if self.sketch else None
        return TrajectoryEncoder(self.settings, parts, sketch, self.boxes, budget.device)

    def load(self, backbone: Backbone, folder: Path) -> TrajectoryEncoder:
        """The encoder that `save` wrote.

        Raises:
            DataError: when what is in `folder` is not what was written.
        """
        return TrajectoryEncoder.load(folder)
