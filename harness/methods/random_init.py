"""The lower reference: a network that has learnt nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness.encoders.network import NetworkEncoder, NetworkMethod
from harness.methods.cards import RANDOM_INIT

if TYPE_CHECKING:
    from harness.cards import MethodCard
    from harness.interfaces import Backbone, Encoder, Session, Split


class RandomInit(NetworkMethod):
    """Backbone's network as it is built, with BN statistics of mean 0 and variance 1.

    No frame of the training split is looked at.
    """

    card: ClassVar[MethodCard] = RANDOM_INIT

    def fit(self, backbone: Backbone, train: Split, session: Session) -> Encoder:
        """Build the untrained network of the budget's seed."""
        return NetworkEncoder.of(backbone.build(seed=session.budget.seed), backbone)
