"""Encoders as they were after shares of a fit, kept while it trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, cast

import torch

from harness.encoders.network import NetworkEncoder
from harness.errors import PluginError
from harness.training.gradient_method import GradientMethod

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from harness.cards import BackboneCard, MethodCard
    from harness.interfaces import Backbone, Encoder, Method, Session, Split
    from harness.values import Batch, Inputs, Promise


class Keep(Protocol):
    """Receiver of the encoder after a share of the steps."""

    def __call__(self, share: int, encoder: Encoder, *, step: int, steps: int) -> None:
        """Take the encoder after `step` of `steps`, which are `share` per cent."""
        ...


def has_shares(method: type) -> bool:
    """Tell whether the network of one training is the encoder, whenever it stops.

    So it is where a method has the `fit` of `GradientMethod`.
    """
    return issubclass(method, GradientMethod) and method.fit is GradientMethod.fit


def step_of(share: int, steps: int) -> int:
    """First step after which a share of all steps is done, in per cent.

    >>> [step_of(share, 7) for share in (10, 50, 99)], step_of(25, 100)
    ([1, 4, 7], 25)
    """
    return -(-steps * share // 100)


class _Delegating:
    """A method that is another, its fit aside."""

    def __init__(self, method: Method) -> None:
        self._method = method

    @property
    def card(self) -> MethodCard:
        """Card of the method."""
        return self._method.card

    def promise(self, backbone: Backbone) -> Promise:
        """Properties of the encoder, which no share of the fit changes."""
        return self._method.promise(backbone)

    def load(self, backbone: Backbone, folder: Path) -> Encoder:
        """The encoder that was saved."""
        return self._method.load(backbone, folder)


class AtShare(_Delegating):
    """A method as it is after a share of its fit: it loads, and never fits."""

    def fit(self, backbone: Backbone, train: Split, session: Session) -> Encoder:
        """Refuse to fit.

        Raises:
            PluginError: always.
        """
        msg = f"method {self.card.name!r}: the encoder after a share of a fit is kept by the whole fit alone"
        raise PluginError(msg)


class KeepingShares(_Delegating):
    """A gradient method that hands over its encoder after shares of its steps.

    What it learns is not changed by that. Of several processes the first one hands over.

    Args:
        method: for which `has_shares` says so.
        shares: of the steps, in per cent.
        keep: given the encoders, once for each share.
    """

    def __init__(self, method: Method, shares: Sequence[int], keep: Keep) -> None:
        super().__init__(method)
        self._shares = tuple(shares)
        self._keep = keep

    def fit(self, backbone: Backbone, train: Split, session: Session) -> Encoder:
        """Fit the method; an interrupted fit goes on before the first share that it lacks.

        Raises:
            PluginError: when the method trains otherwise than once with the session.
        """
        built = _Built(backbone)
        kept: list[int] = []

        def reached(share: int, step: int, steps: int) -> None:
            network = backbone.build(seed=0)
            network.load_state_dict(built.network.state_dict())
            self._keep(share, NetworkEncoder.of(network, backbone), step=step, steps=steps)
            kept.append(share)

        watched = _WatchedSession(session, self._shares, reached)
        encoder = self._method.fit(built, train, cast("Session", watched))
        if session.rank == 0 and sorted(kept) != sorted(self._shares):
            msg = (
                f"method {session.name!r}: expected one training with the session, from which encoders after "
                f"{_percent(self._shares)} can be kept, got those after {_percent(kept)}"
            )
            raise PluginError(msg)
        return encoder


def _percent(shares: Sequence[int]) -> str:
    return f"{', '.join(map(str, sorted(shares)))} %" if shares else "none"


class _Built:
    """A backbone that remembers the network which it built last."""

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self.network: nn.Module

    @property
    def card(self) -> BackboneCard:
        return self._backbone.card

    @property
    def inputs(self) -> Inputs | Mapping[str, Inputs]:
        return self._backbone.inputs

    def build(self, *, seed: int) -> nn.Module:
        self.network = self._backbone.build(seed=seed)
        return self.network


class _WatchedSession:
    """A session whose training tells of the steps after which shares of it are done."""

    def __init__(self, session: Session, shares: Sequence[int], reached: Callable[[int, int, int], None]) -> None:
        self._session = session
        self._shares = shares
        self._reached = reached

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def train(
        self,
        loss: nn.Module,
        inputs: Inputs | Mapping[str, Inputs],
        batches: Callable[[int], Batch],
        *,
        steps: int,
        optimizer: torch.optim.Optimizer,
        **others: Any,
    ) -> None:
        places = {share: step_of(share, steps) for share in self._shares}
        if places:
            self._go_back(min(places.values()))
        begun, done = steps, 0

        def read(step: int) -> Batch:
            nonlocal begun
            begun = min(begun, step)  # the first is where an interrupted training goes on
            return batches(step)

        def stepped(*_: object) -> None:
            nonlocal done
            done += 1
            for share, step in places.items():
                if step == begun + done:
                    self._reached(share, step, steps)

        hook = optimizer.register_step_post_hook(stepped) if self._session.rank == 0 else None
        try:
            self._session.train(loss, inputs, read, steps=steps, optimizer=optimizer, **others)
        finally:
            if hook is not None:
                hook.remove()

    def _go_back(self, step: int) -> None:
        """Remove checkpoints behind which a step lies that has to be passed again.

        There are such where a fit was interrupted that was to keep other shares.
        """
        session = self._session
        if session.folder is not None and session.rank == 0:
            for path in (session.folder / "checkpoints").glob("*-*-*.pt"):
                if int(path.stem.split("-")[-2]) >= step:
                    path.unlink(missing_ok=True)
        session.gather(torch.zeros(1, device=session.device))  # all wait for the first
