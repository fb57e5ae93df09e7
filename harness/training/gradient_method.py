"""Base class of methods that minimise one loss by gradient descent."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import nn

from harness.cards import MethodCard, View, WholeVideo
from harness.encoders.network import NetworkEncoder, NetworkMethod
from harness.errors import PluginError, UsageError
from harness.system.seeding import derive_seed, seeded
from harness.values import Inputs

if TYPE_CHECKING:
    from harness.interfaces import Backbone, Encoder, Session, Split, Stage
    from harness.values import Batch


@dataclass(kw_only=True)
class GradientMethod(NetworkMethod, ABC):
    """Method that minimises a loss over batches, by `Session.train`.

    A convenience, no obligation.

    A subclass is a dataclass whose fields are its hyper-parameters. It says what one training example is
    (`frames_per_example`, `draw`, or `batch` where examples depend on the step), gives the module with its loss
    (`build_loss`), and may do something between epochs (`start_epoch`).

    Fits are resumable: the batch of a step depends on the seed and the step alone, and everything a
    fit learns lies in the parameters and buffers of its loss.
    """

    card: ClassVar[MethodCard]

    batch_size: int = 64
    """Examples in a step, over all processes."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr: float = 0.05
    momentum: float = 0.9
    """Momentum of SGD; AdamW keeps its own."""
    weight_decay: float = 1e-4
    """Decay of weights; biases and normalisation have none."""
    schedule: Literal["cosine", "step"] | tuple[float, ...] = "cosine"
    """Schedule of the learning rate.

    `cosine` falls to zero over the fit; `step` divides by ten after one and two thirds of it; numbers in (0, 1) are
    the shares of it after which the rate is divided by ten.
    """
    clip_gradients: float | None = None
    """The largest norm of all gradients together."""

    @abstractmethod
    def frames_per_example(self, view: View) -> int:
        """Frames that one example shows the network, where `view` is the backbone's."""

    def draw(self, train: Split, view: View, size: int, generator: torch.Generator) -> Batch:
        """Draw `size` examples of `train`, random by `generator` alone.

        Called in a thread that reads ahead, by `batch`.
        """
        msg = f"method {self.card.name!r}: expected its class to define `draw` or `batch`"
        raise PluginError(msg)

    def batch(self, train: Split, view: View, size: int, step: int, session: Session) -> Batch:
        """Read this process's `size` examples of a step, by seed, step and rank alone."""
        generator = torch.Generator().manual_seed(derive_seed(session.budget.seed, step, session.rank))
        return self.draw(train, view, size, generator)

    @abstractmethod
    def build_loss(self, network: nn.Module, dim: int, train: Split) -> nn.Module:
        """Build a module around `network` that gives the loss.

        Its input is normalised float clips, and targets where `draw` gives some.
        """

    def start_epoch(self, loss: nn.Module, train: Split, epoch: int) -> Mapping[str, float] | None:
        """Prepare an epoch, before its first step; numbers by name are logged.

        Anything it changes must lie in buffers of `loss`.
        """
        return None

    def view(self, inputs: Inputs | Mapping[str, Inputs]) -> View:
        """View that examples are drawn for: that of the network's first stream.

        Raises:
            UsageError: when it is of whole videos.
        """
        view = (inputs if isinstance(inputs, Inputs) else next(iter(inputs.values()))).view
        if isinstance(view, WholeVideo):
            msg = f"method {self.card.name!r} trains on clips; expected a backbone with a view of clips, got {view}"
            raise UsageError(msg)
        return view

    def fit(self, backbone: Backbone, train: Split, session: Session) -> Encoder:
        """Train a new network of `backbone` until the budget is used up.

        Raises:
            UsageError: when the budget does not suffice for one example, or the backbone sees whole videos.
            DivergedError: when the loss becomes NaN or infinite.
            PluginError: when a batch shows more frames than `frames_per_example` says.
        """
        seed = session.budget.seed
        network = backbone.build(seed=seed)
        with seeded(derive_seed(seed)):
            loss = self.build_loss(network, backbone.card.dim, train)
        self.train(loss, backbone.inputs, train, session)
        return NetworkEncoder.of(network, backbone)

    def train(
        self,
        loss: nn.Module,
        inputs: Inputs | Mapping[str, Inputs],
        train: Split,
        session: Session,
        *,
        stage: Stage | None = None,
        frames: int | None = None,
        after: int = 0,
        start_epoch: Callable[[int], Mapping[str, float] | None] | None = None,
    ) -> None:
        """Train `loss` in place, for as many steps as the budget has frames for.

        Args:
            loss: what `build_loss` gave, around a network of any origin.
            inputs: of the network.
            train: what examples are drawn from.
            session: of the fit.
            stage: part of the fit that trains; the session itself when None.
            frames: part of the budget that is used; all of it when None.
            after: steps of the fit that came before, so that examples go on from there.
            start_epoch: called in place of the method's own.

        Raises:
            UsageError, DivergedError, PluginError: as in `fit`.
        """
        view = self.view(inputs)
        size, steps = self.plan(view, session, frames)
        announced = size * self.frames_per_example(view)

        def draw(step: int) -> Batch:
            batch = self.batch(train, view, size, after + step, session)
            if batch.shown > announced:
                msg = f"method {session.name!r} drew a batch of {batch.shown} frames, having announced {announced}"
                raise PluginError(msg)
            return batch

        (stage or session).train(
            loss,
            inputs,
            draw,
            steps=steps,
            optimizer=self._optimizer(loss),
            schedule=self._schedule(steps),
            clip_gradients=self.clip_gradients,
            epoch=max(1, -(-len(train) // (size * session.world))),
            start_epoch=start_epoch or partial(self.start_epoch, loss, train),
        )

    def _schedule(self, steps: int) -> Literal["cosine"] | tuple[int, ...]:
        """Steps after which the learning rate is a tenth, or `cosine`.

        Raises:
            UsageError: when a share of the fit is not in (0, 1).
        """
        if self.schedule == "cosine":
            return "cosine"
        shares = (1 / 3, 2 / 3) if self.schedule == "step" else self.schedule
        if not all(0 < share < 1 for share in shares):
            msg = f"method {self.card.name!r}: expected shares of the fit in (0, 1) as schedule, got {list(shares)}"
            raise UsageError(msg)
        return tuple(min(max(round(share * steps), 1), max(steps - 1, 1)) for share in shares)

    def plan(self, view: View, session: Session, frames: int | None = None) -> tuple[int, int]:
        """Examples of one process in a step, and steps, for a part of the budget.

        Examples are fewer than the batch size in a small budget.

        Raises:
            UsageError: when it does not suffice for one example.
        """
        budget, world = session.budget.frames if frames is None else frames, session.world
        shown = self.frames_per_example(view)
        affordable = budget // (shown * world)
        if affordable < 1 or self.batch_size < world:
            msg = (
                f"method {session.name!r} cannot train: one example shows {shown} frames, "
                f"and the budget is {budget} for batches of {self.batch_size} on {world} device(s)"
            )
            raise UsageError(msg)
        size = min(self.batch_size // world, affordable)
        return size, budget // (size * shown * world)

    def _optimizer(self, loss: nn.Module) -> torch.optim.Optimizer:
        trained = [parameter for parameter in loss.parameters() if parameter.requires_grad]
        groups: list[dict[str, Any]] = [
            {"params": [parameter for parameter in trained if parameter.ndim > 1]},
            {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
        ]
        if self.optimizer == "adamw":
            return torch.optim.AdamW(groups, lr=self.lr, weight_decay=self.weight_decay, fused=True)
        if self.optimizer != "sgd":
            msg = f"method {self.card.name!r}: expected sgd or adamw as optimizer, got {self.optimizer!r}"
            raise UsageError(msg)
        return torch.optim.SGD(groups, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay, fused=True)
