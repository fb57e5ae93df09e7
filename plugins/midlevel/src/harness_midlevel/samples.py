"""Local samples that a fit learns from, and their subsets by video."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from harness.errors import DataError
from harness.system.seeding import derive_seed
from harness_midlevel.reading import Reading

if TYPE_CHECKING:
    from harness.interfaces import Session, Split
    from harness.values import Budget


@dataclass(frozen=True, slots=True)
class Samples:
    """Local samples of several videos, one video after another."""

    rows: Tensor
    """(N, 396) float32 or (N, 12, 16, 16) uint8, on the device."""
    videos: Tensor
    """(N,) int64: number of the video that each is from, counted among those read."""

    def subsets(self, count: int, seed: int) -> list[Tensor]:
        """Split the samples into subsets of whole videos, each the numbers of its rows.

        Videos are dealt out at random, so that subsets have equally many of them, give or take one.

        Raises:
            ValueError: when there are fewer videos than subsets.

        Source: section "Iterative algorithm", whose subsets do not overlap.
        """
        videos = int(self.videos.max()) + 1 if len(self.videos) else 0
        if not 1 <= count <= videos:
            msg = f"expected at least as many videos with samples as subsets, {count}, got {videos}"
            raise ValueError(msg)
        generator = torch.Generator().manual_seed(derive_seed(seed, *b"subsets"))
        dealt = torch.empty(videos, dtype=torch.int64)
        dealt[torch.randperm(videos, generator=generator)] = torch.arange(videos) % count
        belongs = dealt.to(self.videos.device)[self.videos]
        return [(belongs == number).nonzero().squeeze(1) for number in range(count)]


def draw(train: Split, reading: Reading, session: Session, *, videos: int) -> Samples:
    """Read the local samples of random videos, as many as the budget has frames for.

    Videos without samples do not count. Where several processes fit together, each computes the trajectories of its
    share of the videos, and all read all of them.

    Args:
        train: whose videos.
        reading: of the samples.
        session: whose budget bounds the frames of the videos, and draws them.
        videos: largest number of them.

    Raises:
        DataError: when a video does not decode, or none has a sample.
    """
    chosen = paid_videos(train, session.budget, videos)
    if session.world > 1:
        for _ in reading.load(train, chosen[session.rank :: session.world]):
            pass
        session.gather(torch.zeros(1, device=session.device))  # waits for the others' trajectories
    rows = reading.empty().new_empty(len(chosen) * reading.most, *reading.empty().shape[1:])
    counts: list[int] = []
    end = 0
    for part in reading.load(train, chosen):
        if len(part):
            rows[end : end + len(part)] = part
            counts.append(len(part))
            end += len(part)
    if not counts:
        msg = f"split {train.name!r} gave no trajectories: learn from videos of 16 frames or more in which things move"
        raise DataError(msg)
    owners = torch.repeat_interleave(torch.tensor(counts))
    return Samples(rows[:end].to(session.device), owners.to(session.device))


def paid_videos(train: Split, budget: Budget, most: int) -> list[int]:
    """Positions of random videos that the budget pays, one to `most`."""
    order = np.random.default_rng(budget.seed).permutation(len(train))
    read = np.cumsum([train.videos[index].frames for index in order])
    paid = int(np.searchsorted(read, budget.frames, side="right"))
    return [int(index) for index in order[: max(1, min(paid, most))]]
