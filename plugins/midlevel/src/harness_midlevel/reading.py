"""Local samples of videos: trajectories' descriptors, or the volumes around them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from harness_dense_trajectories.extract import VOLUME_FRAMES, extract
from harness_dense_trajectories.settings import Flow, Settings
from harness_dense_trajectories.tables import Tables, grey
from harness_dense_trajectories.trajectories import HISTOGRAMS, span
from harness_dense_trajectories.volumes import PER_VIDEO, Volumes, chosen_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.interfaces import Split

Kind = Literal["descriptors", "volumes"]
"""Local samples: HOG, HOF and MBH of a trajectory, or its grey volume."""
Norm = Literal["concat", "per_descriptor"]
"""Length 1 for the whole descriptor, or the same for each of its histograms."""

DESCRIPTOR = span("hog", "mbh_y")
"""The 396 columns of a descriptor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Recipe of the local samples of a video: which, and how many at most."""

    kind: Kind
    most: int
    """Largest number of samples of a video.

    Which trajectories they are is decided by their number alone.
    """
    norm: Norm = "concat"
    flow: Flow = "dis"
    device: str = "cpu"

    @property
    def settings(self) -> Settings:
        """Settings of the extractor."""
        return Settings(flow=self.flow)

    def load(self, split: Split, chosen: Sequence[int]) -> Iterator[Tensor]:
        """Load samples of the videos at the positions `chosen`, one tensor a video.

        They are (n, 396) float32 or (n, 12, 16, 16) uint8, n from 0 to `most`. What is not on disk is computed first,
        by worker processes.

        Raises:
            DataError: when a video does not decode, naming it.
        """
        if self.kind == "volumes":
            for volumes in Volumes(self.settings, per_video=self._stored).load(split, chosen):
                yield torch.from_numpy(np.array(volumes[chosen_rows(len(volumes), self.most)]))
            return
        for table in Tables(self.settings, self.device).load(split, chosen):
            yield self._described(table)

    def of_frames(self, frames: Tensor) -> Tensor:
        """Compute the samples of a video from its frames (T, H, W, 3) uint8 RGB."""
        trajectories = extract(grey(frames), self.settings, volumes=self.kind == "volumes")
        if trajectories.volumes is not None:
            return torch.from_numpy(trajectories.volumes[self._rows(len(trajectories.volumes))])
        return self._described(trajectories.table)

    def empty(self) -> Tensor:
        """No samples: a tensor of their shape and type, with 0 rows."""
        if self.kind == "volumes":
            side = self.settings.neighbourhood // 2
            return torch.empty(0, VOLUME_FRAMES, side, side, dtype=torch.uint8)
        return torch.empty(0, DESCRIPTOR.stop - DESCRIPTOR.start)

    @property
    def _stored(self) -> int:
        """Volumes of a video on disk: one extraction serves readings of fewer."""
        return max(self.most, PER_VIDEO)

    def _rows(self, count: int) -> NDArray[np.int64]:
        """Rows read of a table of `count`, some of those whose volumes are stored."""
        stored = chosen_rows(count, self._stored)
        return stored[chosen_rows(len(stored), self.most)]

    def _described(self, table: NDArray[np.float32]) -> Tensor:
        rows = table[self._rows(len(table))]
        return normalise_descriptors(torch.from_numpy(np.ascontiguousarray(rows[:, DESCRIPTOR])), self.norm)


def normalise_descriptors(x: Tensor, norm: Norm = "concat") -> Tensor:
    """Bring descriptors (N, 396) to length 1, or each histogram to length 1/2.

    Source: figure 3 of the paper, which normalises the 396 numbers together.

    >>> parts = normalise_descriptors(torch.rand(1, 396), "per_descriptor").split([96, 108, 96, 96], dim=1)
    >>> [round(float(part.norm()), 3) for part in parts]
    [0.5, 0.5, 0.5, 0.5]
    """
    if norm == "concat":
        return F.normalize(x, dim=1)
    widths = [width * x.shape[1] // sum(HISTOGRAMS.values()) for width in HISTOGRAMS.values()]
    parts = [F.normalize(part, dim=1) for part in torch.split(x, widths, dim=1)]
    joined: Tensor = torch.cat(parts, dim=1) / len(parts) ** 0.5
    return joined
