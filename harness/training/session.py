"""Services of a fit: resumable training, stages, vectors, several processes."""

from __future__ import annotations

import contextlib
import io
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from harness.cards import NAME
from harness.datasets.split_views import Subset
from harness.encoders.batches import batches
from harness.encoders.network import prepared
from harness.errors import PluginError, out_of_memory
from harness.functional.autocast import autocast
from harness.interfaces import Split, Stage, Stateful
from harness.system import files, progress
from harness.system.hashing import digest
from harness.system.seeding import derive_seed
from harness.system.text import printable
from harness.training import distributed
from harness.values import Batch, Budget, ComputePrecision, Inputs, as_tokens

ENCODED = 32
"""Clips encoded at a time."""


class TrainingStage:
    """Part of a fit with checkpoints of its own.

    Args:
        place: this process among those that fit together.
        title: names the part in progress and messages.
        identity: hash of everything that the part depends on; begins the names of its files.
        seed: of the part.
        checkpoints: folder of checkpoints; None keeps none.
        logs: folder of the TensorBoard log; None writes none.
        precision: in which networks multiply.
        compiled: whether what `torch.compile` makes of a loss is trained.
    """

    def __init__(
        self,
        place: distributed.Process,
        *,
        title: str,
        identity: str,
        seed: int,
        checkpoints: Path | None,
        logs: Path | None,
        precision: ComputePrecision,
        compiled: bool,
    ) -> None:
        self._place = place
        self._title = title
        self._identity = identity
        self._seed = seed
        self._checkpoints = checkpoints
        self._logs = logs
        self.precision: ComputePrecision = precision
        self._compiled = compiled
        self._trainings = 0

    def train(
        self,
        loss: nn.Module,
        inputs: Inputs | Mapping[str, Inputs],
        batches: Callable[[int], Batch],
        *,
        steps: int,
        optimizer: torch.optim.Optimizer,
        schedule: Literal["cosine"] | Sequence[int] = (),
        clip_gradients: float | None = None,
        epoch: int | None = None,
        start_epoch: Callable[[int], Mapping[str, float] | None] | None = None,
    ) -> None:
        """Train `loss` in place; see `harness.interfaces.Stage`."""
        from harness.training import loop  # mmengine is imported by who trains

        number = self._trainings
        self._trainings += 1
        training = loop.Training(
            title=self._title,
            identity=f"{self._identity}.{number}",
            steps=steps,
            schedule=schedule,
            clip_gradients=clip_gradients,
            epoch=epoch or steps,
            start_epoch=start_epoch,
            seed=self._seed,
            checkpoints=self._checkpoints,
            logs=self._logs / str(number) if self._logs is not None and number else self._logs,
            precision=self.precision,
            compiled=self._compiled,
        )
        loop.train(training, self._place, loss=loss, inputs=inputs, batches=batches, optimizer=optimizer)


class TrainingSession(TrainingStage):
    """Services of one fit; see `harness.interfaces.Session`.

    Under `torchrun` it joins the process group, and computes on the device of its rank.

    Args:
        budget: frames and seed.
        name: of the method, for progress and messages.
        identity: key of the fit; checkpoints of another one in the same folder are left alone.
        device: where it computes.
        folder: where checkpoints, states of stages and TensorBoard logs go, so that an interrupted fit goes on; None
            keeps nothing.
        precision: in which networks multiply.
        compiled: whether what `torch.compile` makes of each loss is trained.
    """

    def __init__(
        self,
        budget: Budget,
        *,
        name: str = "method",
        identity: str = "",
        device: str = "cpu",
        folder: Path | None = None,
        precision: ComputePrecision = "fp32",
        compiled: bool = False,
    ) -> None:
        place = distributed.init_process_group(device)
        computed = {} if precision == "fp32" else {"precision": precision}
        super().__init__(
            place,
            title=name,
            identity=digest({"fit": identity, "world": place.world, **computed}),
            seed=budget.seed,
            checkpoints=None if folder is None else folder / "checkpoints",
            logs=None if folder is None else folder / "tensorboard",
            precision=precision,
            compiled=compiled,
        )
        self.budget = budget
        self.name = name
        self.identity = identity
        self.device = str(place.device)
        self.folder = folder
        self.rank = place.rank
        self.world = place.world
        self._stages: set[str] = set()

    def stage(self, name: str, run: Callable[[Stage], None], state: Stateful) -> None:
        """Run a part of the fit once; see `harness.interfaces.Session`."""
        if not NAME.fullmatch(name) or name in self._stages:
            msg = f"method {self.name!r}: expected a short name that no other stage of the fit has, got {name!r}"
            raise PluginError(msg)
        self._stages.add(name)
        identity = digest({"fit": self._identity, "stage": name})
        stored = None if self._checkpoints is None else self._checkpoints / f"{identity}.pt"
        if stored is not None and stored.exists() and self._restored(stored, state):
            return
        trainings = self._trainings
        run(
            TrainingStage(
                self._place,
                title=f"{self.name}, {name}",
                identity=identity,
                seed=derive_seed(self.budget.seed, *name.encode()),
                checkpoints=self._checkpoints,
                logs=None if self._logs is None else self._logs / name,
                precision=self.precision,
                compiled=self._compiled,
            )
        )
        if self._trainings > trainings:  # its checkpoints would be taken for another's when this stage is left out
            msg = (
                f"stage {name!r} of method {self.name!r} trained with the session; expected it to use what it is given"
            )
            raise PluginError(msg)
        if stored is not None and self.rank == 0:
            content = io.BytesIO()
            torch.save(state.state_dict(), content)
            files.write_bytes(stored, content.getvalue())
            for checkpoint in stored.parent.glob(f"{identity}.*-*.pt"):
                checkpoint.unlink(missing_ok=True)

    def _restored(self, stored: Path, state: Stateful) -> bool:
        """Load what a stage left; False where that is damaged, so that it is run again."""
        try:
            content = torch.load(stored, map_location=self.device, weights_only=True)
        except (RuntimeError, ValueError, EOFError, OSError, KeyError, pickle.UnpicklingError) as error:
            if out_of_memory(error) or (isinstance(error, OSError) and error.errno is not None):
                raise
            if self.rank == 0:
                progress.say(f"{stored}: damaged ({printable(str(error))}); the stage is run again")
            return False
        state.load_state_dict(content)
        return True

    @torch.no_grad()
    def encode(self, network: nn.Module, inputs: Inputs | Mapping[str, Inputs], split: Split) -> Tensor:
        """Encode all videos, (N, D) float32; see `harness.interfaces.Session`."""
        view = (inputs if isinstance(inputs, Inputs) else next(iter(inputs.values()))).view
        shared = 1 < self.world <= len(split)  # otherwise a share would be empty, and each encodes the whole
        share = Subset(split, self._share(len(split))) if shared else split
        distributed.share_buffers(network.to(self.device), self.world)
        vectors: list[Tensor] = []
        with contextlib.ExitStack() as stack:
            stack.enter_context(_evaluating(network))
            bar = None
            if self.rank == 0:
                bar = stack.enter_context(progress.bar(f"encoding for {self.name}", total=len(share) * view.count))
            for _, batch in batches(share, view, inputs, batch_size=ENCODED, device=self.device):
                with autocast(self.device, self.precision):
                    output = network(prepared(batch, inputs))
                vectors.append(as_tokens(output.float()).mean(1))
                if bar is not None:
                    bar.advance(len(batch))
        means = torch.cat(vectors).reshape(len(share), view.count, -1).mean(1)
        return self.gather(means) if shared else means

    def _share(self, count: int) -> range:
        """Positions that this process works on."""
        return range(count * self.rank // self.world, count * (self.rank + 1) // self.world)

    def gather(self, tensor: Tensor) -> Tensor:
        """Concatenate the rows of all processes; see `harness.interfaces.Session`."""
        return distributed.gather(tensor, self.world)


@contextlib.contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network in evaluation mode, and each module back into its own."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
