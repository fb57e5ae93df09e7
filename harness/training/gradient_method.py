"""The one training loop, and the convenience base of methods that learn by gradient descent."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import torch
from torch import Tensor, nn

from harness.cards import BackboneCard, MethodCard, View
from harness.encoders.network import NetworkEncoder
from harness.errors import PluginError, UsageError
from harness.system.hashing import digest
from harness.system.seeding import derive_seed, seeded

if TYPE_CHECKING:
    from harness.interfaces import Backbone, Budget, Encoder, Split


class Batch(NamedTuple):
    """What one step trains on."""

    clips: Tensor
    """(N, C, T, H, W) uint8 RGB."""
    targets: Tensor | None = None
    """Whatever the loss wants to know of them: classes, indices of videos, ..."""


@dataclass(kw_only=True)
class GradientMethod(ABC):
    """A method that minimises a loss over batches; a convenience, no obligation.

    A subclass is a dataclass whose fields are its hyper-parameters. It says what one training example is
    (`frames_per_example`, `draw`), gives the module with its loss (`objective`), and may do something
    between epochs (`start_epoch`).

    Fits are resumable: the batch of a step depends on the seed and the step alone, and everything a
    fit learns lies in the parameters and buffers of its objective.
    """

    card: ClassVar[MethodCard]

    batch_size: int = 64
    """Examples in a step, over all processes."""
    optimizer: Literal["sgd", "adamw"] = "sgd"
    lr: float = 0.05
    momentum: float = 0.9
    """Of SGD; AdamW keeps its own."""
    weight_decay: float = 1e-4
    """Of weights; biases and normalisation have none."""
    schedule: Literal["cosine", "step"] = "cosine"
    """`cosine` falls to zero over the fit; `step` divides by ten after one and two thirds of it."""
    clip_gradients: float | None = None
    """The largest norm of all gradients together."""

    @abstractmethod
    def frames_per_example(self, view: View) -> int:
        """Frames that one example shows the network, where `view` is the backbone's."""

    @abstractmethod
    def draw(self, train: Split, view: View, size: int, generator: torch.Generator) -> Batch:
        """`size` examples of `train`, random by `generator` alone; called in a thread that reads ahead."""

    @abstractmethod
    def objective(self, network: nn.Module, card: BackboneCard, train: Split) -> nn.Module:
        """A module around `network`: normalised float clips (and targets, where `draw` gives some) -> loss."""

    def start_epoch(self, objective: nn.Module, train: Split, epoch: int) -> None:  # noqa: B027 - most have nothing to do
        """Called before the first step of each epoch; what it changes must lie in buffers of `objective`."""

    def fit(self, backbone: Backbone, train: Split, budget: Budget) -> Encoder:
        """Train a new network of `backbone` for as many steps as `budget` has frames for.

        Raises:
            UsageError: when the budget does not suffice for one example.
            DivergedError: when the loss becomes NaN or infinite.
            PluginError: when a batch shows more frames than `frames_per_example` says.
        """
        network = backbone.build(seed=budget.seed)
        with seeded(derive_seed(budget.seed)):
            objective = self.objective(network, backbone.card, train)
        self.minimise(objective, backbone.card, train, budget)
        return NetworkEncoder(network, backbone.card)

    def minimise(self, objective: nn.Module, card: BackboneCard, train: Split, budget: Budget) -> None:
        """Train `objective` in place, for as many steps as `budget` has frames for.

        Args:
            objective: what `objective` gave, around a network of any origin.
            card: of the backbone that built the network.
            train: what examples are drawn from.
            budget: as of a fit.

        Raises:
            UsageError, DivergedError, PluginError: as in `fit`.
        """
        from harness.training import distributed
        from harness.training._mmengine import CosineAnnealingLR, MultiStepLR
        from harness.training.loop import Fit
        from harness.training.loop import train as run

        view = card.view
        place = distributed.init_process_group(budget.device)
        size = self._examples(view, budget, place.world)
        frames = size * self.frames_per_example(view)

        def draw(step: int) -> Batch:
            generator = torch.Generator().manual_seed(derive_seed(budget.seed, step, place.rank))
            batch = self.draw(train, view, size, generator)
            self._check(batch, frames)
            return batch

        steps = budget.frames // (frames * place.world)
        if self.schedule == "cosine":
            scheduler: Any = partial(CosineAnnealingLR, T_max=steps, by_epoch=False)
        else:
            scheduler = partial(MultiStepLR, milestones=[steps // 3, 2 * steps // 3], by_epoch=False)
        fit = Fit(
            name=self.card.name,
            identity=self._identity(card, train, budget, place.world),
            steps=steps,
            frames=frames * place.world,
            epoch=max(1, -(-len(train) // (size * place.world))),
            seed=budget.seed,
            clip_gradients=self.clip_gradients,
            folder=budget.folder,
        )
        run(
            fit,
            place,
            objective=objective,
            card=card,
            optimizer=self._optimizer(objective),
            scheduler=scheduler,
            draw=draw,
            start_epoch=partial(self.start_epoch, objective, train),
        )

    def _examples(self, view: View, budget: Budget, world: int) -> int:
        """Examples in a step of one process: the batch size, or fewer when the budget has no frames for one step."""
        affordable = budget.frames // (self.frames_per_example(view) * world)
        if affordable < 1 or self.batch_size < world:
            msg = (
                f"method {self.card.name!r} cannot train: one example shows {self.frames_per_example(view)} frames, "
                f"and the budget is {budget.frames} for batches of {self.batch_size} on {world} device(s)"
            )
            raise UsageError(msg)
        return min(self.batch_size // world, affordable)

    def _check(self, batch: Batch, frames: int) -> None:
        shown = batch.clips.shape[0] * batch.clips.shape[2]
        if shown > frames:
            msg = f"method {self.card.name!r} drew a batch of {shown} frames, having announced {frames}"
            raise PluginError(msg)

    def _identity(self, card: BackboneCard, train: Split, budget: Budget, world: int) -> str:
        return digest(
            {
                "method": self.card.name,
                "options": {name: repr(value) for name, value in dataclasses.asdict(self).items()},
                "backbone": card.name,
                "manifest": train.manifest,
                "frames": budget.frames,
                "seed": budget.seed,
                "world": world,
            }
        )

    def _optimizer(self, objective: nn.Module) -> torch.optim.Optimizer:
        trained = [parameter for parameter in objective.parameters() if parameter.requires_grad]
        groups: list[dict[str, Any]] = [
            {"params": [parameter for parameter in trained if parameter.ndim > 1]},
            {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
        ]
        if self.optimizer == "adamw":
            return torch.optim.AdamW(groups, lr=self.lr, weight_decay=self.weight_decay)
        return torch.optim.SGD(groups, lr=self.lr, momentum=self.momentum, weight_decay=self.weight_decay)
