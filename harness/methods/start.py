"""Methods whose networks start from the weights of a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.backbones.weights import StartedBackbone

if TYPE_CHECKING:
    from pathlib import Path

    from harness.backbones.start import Start
    from harness.cards import MethodCard
    from harness.interfaces import Backbone, Encoder, Method, Session, Split
    from harness.values import Promise


class WithStart:
    """A method that trains a network from given weights on.

    Args:
        method: trains the networks that a backbone builds.
        start: names the weights.
    """

    def __init__(self, method: Method, start: Start) -> None:
        self._method = method
        self._start = start

    @property
    def card(self) -> MethodCard:
        """Card of the method."""
        return self._method.card

    def promise(self, backbone: Backbone) -> Promise:
        """Properties of the encoder, which are those from random weights."""
        return self._method.promise(backbone)

    def fit(self, backbone: Backbone, train: Split, session: Session) -> Encoder:
        """Fit the method to a backbone that starts from the weights.

        Raises:
            DataError: when the file cannot be read, is not the expected one, or does not fit.
        """
        return self._method.fit(StartedBackbone(backbone, self._start), train, session)

    def load(self, backbone: Backbone, folder: Path) -> Encoder:
        """The encoder that was saved; the weights are not read again."""
        return self._method.load(backbone, folder)
