"""Several frozen encoders as one, by concatenation or as blocks."""

from __future__ import annotations

from torch import Tensor, nn

from harness.errors import UsageError
from harness.interfaces import Features, FrozenEncoder, Split, Trainable
from harness.values import Encoding, Join, Promise, VideoBatch, joined_promise


class CompositeEncoder:
    """A frozen encoder made of others.

    Args:
        parts: in order, two or more.
        by: `concat` gives their vectors beside each other; `blocks` also says that evaluators of kernels may tell the
            blocks apart.
        key: names the composite in the store.

    Raises:
        ValueError: when there are fewer than two parts, or one gives no vectors.
    """

    def __init__(self, parts: tuple[FrozenEncoder, ...], *, by: Join, key: str) -> None:
        self._parts = parts
        self._by: Join = by
        self.key = key
        self.promise: Promise = joined_promise(tuple(part.promise for part in parts), by)

    @property
    def device(self) -> str:
        """Device that the parts encode on."""
        return self._parts[0].device

    def features(self, split: Split, encoding: Encoding = Encoding()) -> Features:  # noqa: B008 - frozen
        """A block for each part; `Features.vectors` puts them beside each other."""
        parts = [part.features(split, encoding) for part in self._parts]
        blocks = tuple(block for part in parts for block in part.blocks)
        return Features(blocks, split, self.device, parts[0].aggregate)

    def asking(self, asked: Encoding) -> FrozenEncoder:
        """Each part, with `asked` for what an encoding leaves open."""
        parts = tuple(part.asking(asked) for part in self._parts)
        return CompositeEncoder(parts, by=self._by, key=self.key)

    def encode(self, batch: VideoBatch) -> Tensor:
        """Always raise: the parts may see different clips of a video.

        Raises:
            UsageError: always.
        """
        msg = f"a composite of {len(self._parts)} encoders has no clips of its own; measure its parts"
        raise UsageError(msg)

    def network(self) -> Trainable | None:
        """None: a composite is no network."""
        return None

    def pretext(self) -> nn.Module | None:
        """None: a composite learnt no task."""
        return None
