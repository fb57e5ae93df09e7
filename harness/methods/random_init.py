"""The lower reference: a network that has learnt nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from harness.encoders.network import NetworkEncoder
from harness.methods.cards import RANDOM_INIT

if TYPE_CHECKING:
    from harness.cards import MethodCard
    from harness.interfaces import Backbone, Budget, Encoder, Split


class RandomInit:
    """The backbone's network as it is built: random weights, and BN statistics of mean 0 and variance 1.

    No frame of the training split is looked at.
    """

    card: ClassVar[MethodCard] = RANDOM_INIT

    def fit(self, backbone: Backbone, train: Split, budget: Budget) -> Encoder:
        """The untrained network of the budget's seed."""
        return NetworkEncoder(backbone.build(seed=budget.seed), backbone.card)
