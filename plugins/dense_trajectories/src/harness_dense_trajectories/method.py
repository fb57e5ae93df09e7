"""Improved dense trajectories as a method: fit the encoding, then one Fisher vector a video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np
import torch

from harness import progress
from harness.errors import DataError
from harness_dense_trajectories import IDT_FV
from harness_dense_trajectories.encoder import DESCRIPTORS, JOINT, TrajectoryEncoder, columns
from harness_dense_trajectories.gmm import fit_gmm
from harness_dense_trajectories.pca import fit_pca
from harness_dense_trajectories.settings import Detector, Flow, Settings
from harness_dense_trajectories.sketch import count_sketch
from harness_dense_trajectories.tables import Tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    ) -> None:
        self.components = components
        self.variance = variance
        self.encoding: Literal["joint", "separate"] = encoding
        self.form: Literal["paper", "released"] = form
        self.sketch = sketch
        self.samples = samples
        self.settings = Settings(flow=flow, compensate=compensate, detector=detector)

    def fit(self, backbone: Backbone, train: Split, budget: Budget) -> TrajectoryEncoder:
        """Fit PCA and mixture on trajectories of `train`.

        Raises:
            DataError: when a video does not decode, or there are fewer trajectories than components.
        """
        rows = self._sampled(train, budget)
        if len(rows) < self.components:
            msg = (
                f"split {train.name!r} gave {len(rows)} trajectories, too few for a mixture of {self.components}: ask "
                "for fewer components, or learn from longer or larger videos"
            )
            raise DataError(msg)
        names = DESCRIPTORS if self.encoding == "separate" else (JOINT,)
        parts = {}
        with progress.bar("mixtures", total=len(names)) as bar:
            for name in names:
                x = torch.from_numpy(rows[:, columns(name)]).to(budget.device)
                pca = fit_pca(x, variance=self.variance)
                parts[name] = pca, fit_gmm(pca.project(x), self.components, seed=budget.seed)
                bar.advance()
        whole = TrajectoryEncoder(self.settings, parts, self.form, device=budget.device)
        if not self.sketch:
            return whole
        sketch = count_sketch(whole.fisher_dim, self.sketch, seed=budget.seed)
        return TrajectoryEncoder(self.settings, parts, self.form, sketch, budget.device)

    def load(self, backbone: Backbone, folder: Path) -> TrajectoryEncoder:
        """The encoder that `save` wrote.

        Raises:
            DataError: when what is in `folder` is not what was written.
        """
        return TrajectoryEncoder.load(folder)

    def _sampled(self, train: Split, budget: Budget) -> NDArray[np.float32]:
        """(n, 436): up to `samples` trajectories of each of as many random videos as the budget has frames for."""
        random = np.random.default_rng(budget.seed)
        order = random.permutation(len(train))
        read = np.cumsum([train.videos[index].frames for index in order])
        chosen = order[: max(1, int(np.searchsorted(read, budget.frames, side="right")))]
        tables = Tables(self.settings, budget.device).of(train, chosen.tolist())
        kept = [np.sort(random.permutation(len(table))[: self.samples]) for table in tables]
        return np.concatenate([table[rows] for table, rows in zip(tables, kept, strict=True)])
