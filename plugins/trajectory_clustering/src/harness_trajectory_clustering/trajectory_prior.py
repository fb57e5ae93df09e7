"""Trajectories of the videos as vectors: the prior of the clusters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from harness.system import progress
from harness_dense_trajectories.methods import IdtFv
from harness_dense_trajectories.tables import Tables

if TYPE_CHECKING:
    from harness.interfaces import Backbone, Session, Split


class TrajectoryPrior(nn.Module):
    """Sketched Fisher vectors of the trajectories of N videos, constant in a fit.

    A video without trajectories has the zero vector.

    Args:
        count: N.
        dim: length of the sketches.

    Source: Tokmakov, Hebert and Schmid 2020, section 3.3, p(psi).
    """

    vectors: Tensor
    """(N, dim) float32."""

    def __init__(self, count: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("vectors", torch.zeros(count, dim))

    @property
    def still(self) -> Tensor:
        """Videos without trajectories, (N,) bool."""
        return ~self.vectors.any(1)

    def fill(self, method: IdtFv, backbone: Backbone, train: Split, session: Session) -> None:
        """Fit the encoding of trajectories on `train`, and encode all its videos.

        Each process computes trajectories of its share of the videos; the first one does the rest, and all get the
        vectors.

        Raises:
            DataError: when a video does not decode or has no boxes, or there are fewer trajectories than components.
        """
        vectors = self.vectors.new_zeros(0, self.vectors.shape[1])
        if session.world > 1:
            share = range(session.rank, len(train), session.world)
            Tables(method.settings, session.device, method.boxes).load(train, share)
            session.gather(vectors.to(session.device))  # waits for the others' trajectories
        if session.rank == 0:
            encoder = method.fit(backbone, train, session)
            encoded = dict(encoder.encode_videos(train, ()))
            vectors = torch.stack([encoded[position] for position in range(len(train))])
        self.vectors = session.gather(vectors.to(session.device))
        still = int(self.still.sum())
        if still and session.rank == 0:
            count = f"{still} of {len(train)} videos"
            progress.say(f"{session.name}: {count} have no trajectories; each is a cluster of its own")
