"""Epochs of local aggregation: their start, and the vectors that are clustered."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.errors import DivergedError
from harness.system import progress
from harness_trajectory_clustering.clusterings import between_cluster_share
from harness_trajectory_clustering.objective import LocalAggregation
from harness_trajectory_clustering.trajectory_prior import TrajectoryPrior

LEARNT = 0.6
"""Share of ln N below which an epoch's instance loss ends the warm-up."""


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """Work before each epoch of a fit by local aggregation.

    Args:
        loss: of the fit.
        encode: embeds all videos, (N, D).
        share: gives every process the rows of the first one.
        speaks: say on stderr when local aggregation begins; one process does.
        seed: of the fit.
        title: of the method, for messages.
        warm_up: epochs of instance recognition at most.
        by_loss: end the warm-up earlier where the instance loss says so.
        fixed: keep the clusters that there are.
        beside: trajectories that are clustered beside the bank's vectors.
    """

    loss: LocalAggregation
    encode: Callable[[], Tensor]
    share: Callable[[Tensor], Tensor]
    speaks: bool
    seed: int
    title: str
    warm_up: float
    by_loss: bool
    fixed: bool = False
    beside: TrajectoryPrior | None = None

    def __call__(self, epoch: int) -> dict[str, float]:
        """Begin local aggregation when it is time, and cluster anew; give the curves.

        Raises:
            DivergedError: when the bank is NaN or infinite.
        """
        curves = self.loss.curves()
        if not bool(self.loss.aggregating):
            learnt = self.by_loss and curves.get("instance_loss_over_ln_n", math.inf) < LEARNT
            if epoch < self.warm_up and not learnt:
                return curves
            self.loss.bank.fill(self.encode())
            self.loss.aggregating.fill_(True)
            after = f"where the instance loss is {curves['instance_loss_over_ln_n']:.2f} ln N" if curves else "at once"
            if self.speaks:
                progress.say(f"{self.title}: local aggregation begins in epoch {epoch}, {after}")
        if not self.fixed:
            self._cluster()
        network = {} if self.beside is None else {"between_cluster_share_of_network": self._share_of_network()}
        return curves | self.loss.clusterings.curves() | network

    def _cluster(self) -> None:
        bank = self.loss.bank.vectors
        if not bool(bank.isfinite().all()):
            msg = f"method {self.title!r} diverged: its memory bank became NaN or infinite; lower its lr"
            raise DivergedError(msg)
        if self.beside is None:
            self.loss.clusterings.fit(bank, self.seed, share=self.share)
        else:
            joint = torch.cat([bank, self.beside.vectors], dim=1)
            self.loss.clusterings.fit(joint, self.seed, alone=self.beside.still, share=self.share)

    def _share_of_network(self) -> float:
        assert self.beside is not None
        parts = [self.loss.bank.vectors, self.beside.vectors]
        return between_cluster_share(parts, self.loss.clusterings.labels)[0]
