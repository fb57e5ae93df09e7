"""Weights that were learnt elsewhere, as an encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from harness.backbones.start import Start
from harness.backbones.weights import StartedBackbone
from harness.encoders.network import NetworkEncoder, NetworkMethod
from harness.methods.cards import PRETRAINED

if TYPE_CHECKING:
    from harness.cards import MethodCard
    from harness.interfaces import Backbone, Encoder, Session, Split


@dataclass(frozen=True, kw_only=True)
class Pretrained(Start, NetworkMethod):
    """Backbone's network with the weights of a file.

    No frame of the training split is looked at. What a file that is not `strict` leaves out is random, the same for
    all seeds.
    """

    card: ClassVar[MethodCard] = PRETRAINED

    def fit(self, backbone: Backbone, train: Split, session: Session) -> Encoder:
        """Build the network and load the weights.

        Raises:
            DataError: when the file cannot be read, is not the expected one, or does not fit.
        """
        return NetworkEncoder.of(StartedBackbone(backbone, self.start).build(seed=0), backbone)
