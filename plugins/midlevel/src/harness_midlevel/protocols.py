"""Protocol of detectors, which rounds train and ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor

from harness.interfaces import Stage
from harness_midlevel.firing import Members


class Detectors(Protocol):
    """K detectors of clusters, which learn from members and fire on other samples."""

    @property
    def count(self) -> int:
        """K."""
        ...

    def begin(self, count: int, seed: int) -> None:
        """Begin anew with `count` detectors that have learnt nothing."""
        ...

    def learn(
        self,
        samples: Tensor,
        members: Members,
        stage: Stage,
        *,
        subset: Tensor,
        everything: tuple[Tensor, Tensor] | None,
        seed: int,
    ) -> None:
        """Learn to tell the members of each cluster from the rest.

        Args:
            samples: (N, ...), all there are.
            members: of the K clusters.
            stage: trains.
            subset: (S,) int64 rows that the members are from.
            everything: rows and clusters, (R,) int64 both, to learn from before; None when there are none.
            seed: of the round.
        """
        ...

    def detect(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Score (N,) and cluster (N,) of samples; the score is 0 where none fires."""
        ...

    def codes(self, samples: Tensor) -> Tensor:
        """Codes (N, D) of samples, which are clustered and averaged."""
        ...

    def keep(self, kept: Tensor) -> None:
        """Keep only the detectors of these numbers (K',), in this order."""
        ...

    def curves(self, samples: Tensor, members: Members) -> dict[str, float]:
        """Numbers by name about the training, for the log of a round."""
        ...

    def linear(self) -> dict[str, Tensor]:
        """Linear maps from codes to outputs: `weight` (K, D) and `bias` (K,)."""
        ...

    def state_dict(self) -> Mapping[str, Any]:
        """Everything learnt, tensors by name; K may differ from call to call."""
        ...

    def load_state_dict(self, state: Mapping[str, Any], /) -> object:
        """Put back what `state_dict` gave."""
        ...
