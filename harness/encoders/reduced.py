"""Frozen encoders whose clips and crops become one vector before parts are joined."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.interfaces import Features, FrozenEncoder, Split, Trainable
from harness.values import Encoding, Promise, VideoBatch, as_tokens

if TYPE_CHECKING:
    from torch import Tensor, nn

    from harness.store.reduction import Reduction


class ReducedEncoder:
    """A frozen encoder with clips, crops and an aggregate of its own.

    Args:
        encoder: whose features are reduced.
        by: clips, crops and aggregate, in place of those that an evaluator asks for.
        key: names the reduced encoder in the store.
        asked: what an evaluator asks for.
    """

    def __init__(
        self,
        encoder: FrozenEncoder,
        *,
        by: Reduction,
        key: str,
        asked: Encoding = Encoding(),  # noqa: B008 - frozen
    ) -> None:
        self._encoder = encoder.asking(by.asked(asked))
        self._by = by
        self._asked = asked
        self.key = key
        self.promise: Promise = by.promise(encoder.promise)

    @property
    def device(self) -> str:
        """Device that it encodes on."""
        return self._encoder.device

    def features(self, split: Split, encoding: Encoding = Encoding()) -> Features:  # noqa: B008 - frozen
        """One block (N, 1, D) float32: a vector a video.

        Raises:
            UsageError: when the call itself wants several clips or crops, which `asking` leaves to the encoder.
        """
        if (encoding.clips or 1) * (encoding.crops or 1) > 1:
            msg = (
                f"expected an encoder with clips of its own, got {self._by}, which is one vector a video; "
                "leave clips and crops of samples out"
            )
            raise UsageError(msg)
        vectors = self._encoder.features(split, self._by.asked(encoding)).vectors
        # Says how parts beside it are aggregated; one vector is its own mean and maximum.
        aggregate = self._asked.aggregate if encoding.aggregate == "mean" else encoding.aggregate
        return Features((vectors[:, None].cpu().numpy(),), split, self.device, aggregate)

    def asking(self, asked: Encoding) -> ReducedEncoder:
        """The same encoder, with `asked` for what neither it nor an encoding says."""
        return ReducedEncoder(self._encoder, by=self._by, key=self.key, asked=asked)

    def encode(self, batch: VideoBatch) -> Tensor:
        """Encode clips that are no part of a split; (B, D) float32 on the device."""
        return as_tokens(self._encoder.encode(batch)).mean(1)

    def network(self) -> Trainable | None:
        """None: reduced vectors are no network's."""
        return None

    def pretext(self) -> nn.Module | None:
        """None: reduced vectors learnt no task."""
        return None
