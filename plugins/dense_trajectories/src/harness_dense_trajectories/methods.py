"""Improved dense trajectories as two methods: Fisher vectors and bags of words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import torch

from harness.cards import WholeVideo
from harness.errors import UsageError
from harness.functional.kmeans import kmeans
from harness.system import progress
from harness.values import Promise
from harness_dense_trajectories import IDT_BOW, IDT_FV
from harness_dense_trajectories.em import fit_gmm
from harness_dense_trajectories.encoder import JOINT, TrajectoryEncoder, columns
from harness_dense_trajectories.encodings import Fisher, Words
from harness_dense_trajectories.projections import count_sketch, fit_pca
from harness_dense_trajectories.settings import Detector, Flow, Settings
from harness_dense_trajectories.tables import Tables
from harness_dense_trajectories.trajectories import DESCRIPTORS

if TYPE_CHECKING:
    from harness.cards import MethodCard
    from harness.interfaces import Backbone, Session, Split

ITERATIONS = 50
"""Iterations of k-means."""


@dataclass(kw_only=True)
class _TrajectoryMethod:
    """Options of the trajectories, the same for every encoding of them.

    The backbone is not used. The encoding is fitted on trajectories of videos drawn at random, whose frames the budget
    bounds.

    Raises:
        UsageError: when `videos` or `samples` is below 1.
    """

    videos: int = 3500
    """Largest number of videos to fit the encoding on; the budget bounds it too."""
    samples: int = 500
    """Largest number of trajectories of a video that the encoding is fitted on."""
    flow: Flow = "dis"
    """Optical flow that tracks follow."""
    compensate: bool = True
    """Take the camera's motion out."""
    detector: Detector = "orb"
    """Key points that the camera's motion is estimated from."""
    boxes: str = ""
    """Name of humans' boxes to keep out of the estimate of the camera's motion.

    From any detector: one file a video, as `read_boxes` reads them, where `find_boxes` looks.
    """

    def __post_init__(self) -> None:
        if self.videos < 1 or self.samples < 1:
            msg = f"videos and samples must be at least 1, got {self.videos} and {self.samples}"
            raise UsageError(msg)
        self.settings = Settings(flow=self.flow, compensate=self.compensate, detector=self.detector)

    def promise(self, backbone: Backbone) -> Promise:
        """Vectors of whole videos, whose length the fit decides."""
        return Promise(views=(WholeVideo(),), shape=(None,))

    def load(self, backbone: Backbone, folder: Path) -> TrajectoryEncoder:
        """Load the encoder that `save` wrote.

        Raises:
            DataError: when the content of `folder` is not what was written.
        """
        return TrajectoryEncoder.load(folder)


@dataclass(kw_only=True)
class IdtFv(_TrajectoryMethod):
    """Fisher vectors of videos' trajectories, by PCA and a mixture of Gaussians.

    Source: Wang and Schmid, "Action recognition with improved trajectories", ICCV 2013; the encoding of all
    descriptors together is that of Tokmakov, Hebert and Schmid 2020.
    """

    card: ClassVar[MethodCard] = IDT_FV

    components: int = 256
    """Components of the mixture."""
    variance: float = 0.9
    """Share of the variance that PCA keeps."""
    encoding: Literal["joint", "separate"] = "joint"
    """All descriptors of a trajectory as one vector, or a mixture for each."""
    form: Literal["paper", "released"] = "paper"
    """Form of the Fisher vector; the released one has a balanced sketch."""
    sketch: int = 0
    """Dimensions that the vector is brought to by a count sketch; 0 keeps it."""

    def fit(self, backbone: Backbone, train: Split, session: Session) -> TrajectoryEncoder:
        """Fit PCA and mixture on trajectories of `train`.

        Raises:
            DataError: when a video does not decode or has no boxes, or there are fewer trajectories than components.
        """
        tables = Tables(self.settings, session.device, self.boxes)
        rows = tables.sample(train, session.budget, self.samples, videos=self.videos, least=self.components)
        names = DESCRIPTORS if self.encoding == "separate" else (JOINT,)
        parts = {}
        with progress.bar("mixtures", total=len(names)) as bar:
            for name in names:
                x = torch.from_numpy(rows[:, columns(name)]).to(session.device)
                pca = fit_pca(x, variance=self.variance)
                parts[name] = Fisher(pca, fit_gmm(pca.project(x), self.components, seed=session.budget.seed), self.form)
                bar.advance()
        dim = sum(part.dim for part in parts.values())
        balanced = self.form == "released"
        sketch = count_sketch(dim, self.sketch, seed=session.budget.seed, balanced=balanced) if self.sketch else None
        return TrajectoryEncoder(self.settings, parts, sketch, self.boxes, session.device)


@dataclass(kw_only=True)
class IdtBow(_TrajectoryMethod):
    """Bags of words of videos' trajectories, with a dictionary a descriptor.

    Source: Wang and Schmid, "Action recognition with improved trajectories", ICCV 2013, for its bag of features.
    """

    card: ClassVar[MethodCard] = IDT_BOW

    words: int = 4000
    """Words of each descriptor's dictionary."""

    def fit(self, backbone: Backbone, train: Split, session: Session) -> TrajectoryEncoder:
        """Fit the words on trajectories of `train`.

        Raises:
            DataError: when a video does not decode or has no boxes, or there are fewer trajectories than words.
        """
        tables = Tables(self.settings, session.device, self.boxes)
        rows = tables.sample(train, session.budget, self.samples, videos=self.videos, least=self.words)
        parts = {}
        with progress.bar("dictionaries", total=len(DESCRIPTORS)) as bar:
            for name in DESCRIPTORS:
                x = torch.from_numpy(rows[:, columns(name)]).to(session.device)
                parts[name] = Words(kmeans(x, self.words, [session.budget.seed], iterations=ITERATIONS).centres[0])
                bar.advance()
        return TrajectoryEncoder(self.settings, parts, boxes=self.boxes, device=session.device)
