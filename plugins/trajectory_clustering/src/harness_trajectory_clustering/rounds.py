"""Epochs of local aggregation: their start, and the vectors that are clustered."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.system import progress
from harness_trajectory_clustering.clusterings import between_cluster_share
from harness_trajectory_clustering.objective import LocalAggregation

LEARNT = 0.6
"""Share of ln N below which an epoch's instance loss ends the warm-up."""


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """Work before each epoch of a fit by local aggregation.

    Args:
        loss: of the fit.
        encode: embeds all videos, (N, D).
        share: gives every process the rows of the first one.
        seed: of the fit.
        title: of the method, for messages.
        warm_up: epochs of instance recognition at most.
        by_loss: end the warm-up earlier where the instance loss says so.
        fixed: keep the clusters that there are.
        beside: (N, D') vectors that are clustered beside the bank's.
    """

    loss: LocalAggregation
    encode: Callable[[], Tensor]
    share: Callable[[Tensor], Tensor]
    seed: int
    title: str
    warm_up: float
    by_loss: bool
    fixed: bool = False
    beside: Tensor | None = None

    def __call__(self, epoch: int) -> dict[str, float]:
        """Begin local aggregation when it is time, and cluster anew; give the curves."""
        curves = self.loss.curves()
        if not bool(self.loss.aggregating):
            learnt = self.by_loss and curves.get("instance_loss_over_ln_n", math.inf) < LEARNT
            if epoch < self.warm_up and not learnt:
                return curves
            self.loss.bank.fill(self.encode())
            self.loss.aggregating.fill_(True)
            after = f"where the instance loss is {curves['instance_loss_over_ln_n']:.2f} ln N" if curves else "at once"
            progress.say(f"{self.title}: local aggregation begins in epoch {epoch}, {after}")
        return curves | (self._old() if self.fixed else self._anew())

    def _old(self) -> dict[str, float]:
        return self.loss.clusterings.curves()

    def _anew(self) -> dict[str, float]:
        bank, clusterings = self.loss.bank.vectors, self.loss.clusterings
        points = bank if self.beside is None else torch.cat([bank, self.beside], dim=1)
        clusterings.fit(points, self.seed, self.share)
        if self.beside is None:
            return clusterings.curves()
        network, _ = between_cluster_share([bank, self.beside], clusterings.labels)
        return {**clusterings.curves(), "between_cluster_share_of_network": network}
