"""Rounds of detectors that learn from clusters, and clusters of what fires."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from harness.errors import DivergedError, UsageError
from harness.functional.agreement import adjusted_rand_index
from harness.functional.effective_rank import effective_rank
from harness.functional.kmeans import kmeans
from harness.interfaces import Session, Stage
from harness.system import progress
from harness.system.seeding import derive_seed
from harness_midlevel.firing import Members, top_members, without_small
from harness_midlevel.protocols import Detectors

CONVERGED = 0.99
"""Share of what fires in a subset and keeps its cluster, above which rounds end."""
RANKED = 2000
"""Samples whose codes' effective rank is measured."""

Log = list[dict[str, float | None]]
"""Numbers of each round by name; None where there is nothing to measure yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """Sizes of a discovery.

    Raises:
        UsageError: when a number is below 1, or `least` is above `members`.
    """

    clusters: int
    """Clusters of k-means at the start, K0."""
    members: int
    """Members of a cluster at most, p."""
    least: int
    """Members without which a cluster leaves."""
    cycles: int
    """Rounds over all subsets at most."""
    hinge_first: Literal["once", "every_round"] = "once"
    """Rounds that learn from the whole subset first.

    The first one alone, with the clusters of k-means, or every one, later with what fired.
    """

    def __post_init__(self) -> None:
        if min(self.clusters, self.members, self.least, self.cycles) < 1 or self.least > self.members:
            msg = (
                f"expected clusters, members, least and cycles of at least 1, and least up to members, got "
                f"{self.clusters}, {self.members}, {self.least} and {self.cycles}"
            )
            raise UsageError(msg)


def discover(
    detectors: Detectors, samples: Tensor, subsets: Sequence[Tensor], session: Session, rounds: Rounds, *, seed: int
) -> tuple[Members, Log]:
    """Find clusters that detectors tell apart, in rounds over subsets of the samples.

    K-means of the first subset's codes makes the first clusters, whose members are those nearest to the centres. In
    each round the detectors learn from the members in one subset and fire on the next one; there the samples of highest
    score become the members, and clusters of few leave. Rounds end when the clusters of a subset stay as they were. All
    subsets give the members that come back. Each round is a stage of the session.

    Args:
        detectors: trained in place; those that stay are of the clusters that come back.
        samples: (N, ...) on the session's device.
        subsets: rows of each, (S,) int64 on the same device; at least two, without common rows.
        session: of the fit.
        rounds: sizes.
        seed: of k-means and of all training.

    Returns:
        members of the K clusters that stay; the log.

        Its numbers are: round; subset fired on; clusters that stay; fired: share of the subset; change: share of
        members that are new since the last visit of the subset; agreement: share, of samples that fired at either
        visit, with the same cluster at both; ari: adjusted Rand index of those that fired at both; effective_rank of
        codes; and `Detectors.curves`.

    Raises:
        DivergedError: when under half of a round's clusters stay, or a loss becomes NaN or infinite.
        UsageError: when the first subset has too few samples for so many clusters.
        ValueError: when there are fewer than two subsets.

    Source: Hou et al. 2018, algorithm 1.
    """
    if len(subsets) < 2:
        msg = f"expected at least two subsets, got {len(subsets)}"
        raise ValueError(msg)
    course = _Course(detectors, samples, subsets, session, rounds, seed)
    for number in range(rounds.cycles * len(subsets)):
        session.stage(f"round-{number}", partial(course.round, number), course)
        if (course.log[-1]["agreement"] or 0.0) > CONVERGED:
            break
    fired = [course.fired(rows) for rows in subsets]
    rows, clusters, scores = (torch.cat(parts) for parts in zip(*fired, strict=True))
    return top_members(rows, clusters, scores, most=rounds.members), course.log


class _Course:
    """State of a discovery, as a stage stores it.

    Args:
        detectors: of the clusters.
        samples: all.
        subsets: rows of each.
        session: of the fit.
        rounds: sizes.
        seed: of everything.
    """

    def __init__(
        self,
        detectors: Detectors,
        samples: Tensor,
        subsets: Sequence[Tensor],
        session: Session,
        rounds: Rounds,
        seed: int,
    ) -> None:
        self.detectors, self.samples, self.subsets = detectors, samples, subsets
        self.session, self.rounds, self.seed = session, rounds, seed
        nothing = torch.zeros(0, dtype=torch.int64, device=samples.device)
        self.members = Members(nothing, nothing, nothing.float())
        self.names = nothing
        """Numbers (K,) that the clusters had at the start, which name them."""
        self.labels: dict[int, Tensor] = {}
        """Names (S,) of clusters of a subset's samples at its last visit.

        -1 where a sample did not fire.
        """
        self.chosen: dict[int, Tensor] = {}
        """Members in a subset at its last visit."""
        self.log: Log = []

    def state_dict(self) -> dict[str, Any]:
        """State as plain tensors and numbers."""
        return {
            "detectors": self.detectors.state_dict(),
            "members": [self.members.samples, self.members.clusters, self.members.scores],
            "names": self.names,
            "labels": self.labels,
            "chosen": self.chosen,
            "log": self.log,
        }

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Put back what `state_dict` gave."""
        self.detectors.load_state_dict(state["detectors"])
        self.members = Members(*state["members"])
        self.names, self.labels, self.chosen = state["names"], state["labels"], state["chosen"]
        self.log = state["log"]

    def round(self, number: int, stage: Stage) -> None:
        """Learn from one subset, and choose members in the next one."""
        learnt, next_one = number % len(self.subsets), (number + 1) % len(self.subsets)
        everything = None
        if number == 0:
            everything = self._start()
        elif self.rounds.hinge_first == "every_round":
            everything = self._fired_before(learnt)
        self.detectors.learn(
            self.samples,
            self.members,
            stage,
            subset=self.subsets[learnt],
            everything=everything,
            seed=derive_seed(self.seed, number),
        )
        curves = self.detectors.curves(self.samples, self.members)
        self._choose(number, next_one)
        self.log[-1] |= curves

    def fired(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rows that fire, with their clusters and scores."""
        scores, clusters = (self._of_first(one) for one in self.detectors.detect(self.samples[rows]))
        mask = scores > 0
        return rows[mask], clusters[mask], scores[mask]

    def _start(self) -> tuple[Tensor, Tensor]:
        """Cluster the first subset; rows of clusters that are large enough, and those."""
        rows, wanted = self.subsets[0], self.rounds
        if wanted.clusters > len(rows):
            msg = (
                f"expected at most as many clusters as the first subset has samples, {len(rows)}, got {wanted.clusters}"
            )
            raise UsageError(msg)
        codes = self.detectors.codes(self.samples[rows])
        found = kmeans(codes, wanted.clusters, [derive_seed(self.seed, *b"start")])
        labels = self._of_first(found.assignments[0])
        scores = self._of_first(-(codes - found.centres[0][labels]).square().sum(1).float())
        nearest = top_members(rows, labels, scores, most=wanted.members)
        self.members, kept = without_small(nearest, wanted.clusters, wanted.least)
        if len(kept) < 2:
            msg = (
                f"expected two clusters of k-means with {wanted.least} samples or more, got {len(kept)}; ask for fewer"
            )
            raise UsageError(msg)
        self.names = torch.arange(len(kept), device=rows.device)
        self.detectors.begin(len(kept), derive_seed(self.seed, *b"detectors"))
        known = torch.isin(labels, kept)
        return rows[known], torch.searchsorted(kept, labels[known])

    def _fired_before(self, subset: int) -> tuple[Tensor, Tensor]:
        """Rows of a subset that fired on clusters that there still are, and those."""
        known = torch.isin(self.labels[subset], self.names)
        return self.subsets[subset][known], torch.searchsorted(self.names, self.labels[subset][known])

    def _choose(self, number: int, subset: int) -> None:
        """Choose members among what fires in a subset, drop clusters of few, and log."""
        rows, before = self.subsets[subset], self.detectors.count
        fired, clusters, scores = self.fired(rows)
        best = top_members(fired, clusters, scores, most=self.rounds.members)
        self.members, kept = without_small(best, before, self.rounds.least)
        if len(kept) < 2 or 2 * len(kept) < before:
            msg = (
                f"method {self.session.name!r}, round {number}: expected at least half of {before} clusters to fire on "
                f"{self.rounds.least} samples or more, got {len(kept)}; train longer or ask for fewer clusters"
            )
            raise DivergedError(msg)
        labels = torch.full_like(rows, -1)
        labels[torch.isin(rows, fired)] = self.names[clusters]
        some = torch.linspace(0, len(rows) - 1, min(len(rows), RANKED), device=rows.device).long()
        self.log.append(
            {
                "round": number,
                "subset": subset,
                "clusters": len(kept),
                "fired": len(fired) / len(rows),
                **self._since(subset, labels),
                "effective_rank": effective_rank(self.detectors.codes(self.samples[rows[some]])),
            }
        )
        self.labels[subset], self.chosen[subset] = labels, self.members.samples
        self.names = self.names[kept]
        self.detectors.keep(kept)
        if self.session.rank == 0:
            share = self.log[-1]["fired"] or 0.0
            progress.say(f"{self.session.name}: round {number}, {len(kept)} clusters, {share:.0%} of samples fire")

    def _since(self, subset: int, labels: Tensor) -> dict[str, float | None]:
        """Changes since the last visit of a subset."""
        if subset not in self.labels:
            return {"change": None, "agreement": None, "ari": None}
        last = self.labels[subset]
        both, either = (last >= 0) & (labels >= 0), (last >= 0) | (labels >= 0)
        return {
            "change": float((~torch.isin(self.members.samples, self.chosen[subset])).double().mean()),
            "agreement": float((last == labels)[either].double().mean()) if either.any() else None,
            "ari": float(adjusted_rand_index(last[both], labels[both])) if both.any() else None,
        }

    def _of_first(self, tensor: Tensor) -> Tensor:
        """Rows that the first process has, so that rounding differs nowhere."""
        return tensor if self.session.world == 1 else self.session.gather(tensor)[: len(tensor)]
