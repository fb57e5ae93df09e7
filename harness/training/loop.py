"""mmengine's Runner, fenced: it takes no global seed, writes nothing unasked, and computes where it is told."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed, nn

from harness.cards import BackboneCard
from harness.encoders.network import normalise
from harness.system import progress
from harness.system.prefetch import Batches
from harness.system.seeding import derive_seed
from harness.training._mmengine import (
    BaseModel,
    IterBasedTrainLoop,
    MMDistributedDataParallel,
    MMLogger,
    OptimWrapper,
    ParamSchedulerHook,
    Runner,
    contained,
)
from harness.training.checkpoints import Checkpoints
from harness.training.distributed import Process
from harness.training.monitor import TrainingMonitor

EVERY = 10
"""Steps between two looks at the loss and at the clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """One fit, as the loop needs to know it."""

    name: str
    """Of the method."""
    identity: str
    """Hash of everything the fit depends on."""
    steps: int
    frames: int
    """Training frames that one step shows, over all processes."""
    epoch: int
    """Steps of an epoch."""
    seed: int
    clip_gradients: float | None
    folder: Path | None


def train(
    fit: Fit,
    place: Process,
    *,
    objective: nn.Module,
    card: BackboneCard,
    optimizer: torch.optim.Optimizer,
    scheduler: Callable[[torch.optim.Optimizer], Any],
    draw: Callable[[int], Any],
    start_epoch: Callable[[int], None],
) -> None:
    """Train `objective` in place.

    Args:
        fit: what is trained, and how long.
        place: this process among those that train together.
        objective: normalised float clips, and targets where there are any -> loss.
        card: how the clips are normalised.
        optimizer: of the parameters of `objective`.
        scheduler: makes one of mmengine's parameter schedulers.
        draw: step -> (clips, targets or None); called in another thread.
        start_epoch: called with the number of each epoch before its first step.

    Raises:
        DivergedError: when the loss becomes NaN or infinite.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(contained(fit.name))
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bar = None
        if place.rank == 0:
            bar = stack.enter_context(progress.bar(f"fitting {fit.name}", total=fit.steps * fit.frames))
        logs = fit.folder / "tensorboard" if fit.folder is not None and place.rank == 0 else None
        watch = TrainingMonitor(fit.name, bar, frames=fit.frames, every=EVERY, folder=logs)
        stack.callback(watch.close)
        checkpoints = None
        if fit.folder is not None:
            checkpoints = Checkpoints(fit.folder / "checkpoints", fit.identity, every=EVERY)
        wrapped = _Optimizer(optimizer, fit.clip_gradients, place.device)

        def before_step(step: int) -> None:
            _seed(derive_seed(fit.seed, step, place.rank), place.device)
            if step % fit.epoch == 0:
                start_epoch(step // fit.epoch)
                objective.train()

        devices = [place.device] if place.device.type == "cuda" else []
        stack.enter_context(torch.random.fork_rng(devices))
        runner = _Runner(
            _Model(objective, card, place.device),
            place=place,
            batches=Batches(draw, fit.steps),
            steps=fit.steps,
            before_step=before_step,
            optimizer=wrapped,
            scheduler=scheduler(wrapped),
            watch=watch,
            checkpoints=checkpoints,
            scratch=scratch,
        )
        runner.train()
        if place.world > 1:
            for buffer in objective.buffers():  # each process has normalised batches of its own
                distributed.broadcast(buffer, 0)


def _seed(seed: int, device: torch.device) -> None:
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


class _Model(BaseModel):  # type: ignore[misc]  # mmengine has no types
    """An objective as mmengine's runner wants it."""

    def __init__(self, objective: nn.Module, card: BackboneCard, device: torch.device) -> None:
        super().__init__(data_preprocessor=_Prepare(card, device))
        self.objective = objective

    def forward(self, clips: Tensor, targets: Tensor | None, mode: str) -> dict[str, Tensor]:
        return {"loss": self.objective(clips) if targets is None else self.objective(clips, targets)}


class _Prepare(nn.Module):
    """Moves a batch to the device and normalises it there."""

    def __init__(self, card: BackboneCard, device: torch.device) -> None:
        super().__init__()
        self._card, self._device = card, device

    def forward(self, batch: tuple[Tensor, Tensor | None], training: bool) -> tuple[Tensor, Tensor | None]:
        clips, targets = batch
        clips = clips.to(self._device, non_blocking=True)
        return normalise(clips, self._card), None if targets is None else targets.to(self._device)


class _Optimizer(OptimWrapper):  # type: ignore[misc]  # mmengine has no types
    """bfloat16 on CUDA; and gradient clipping that keeps no history, which mmengine's does at a growing cost."""

    def __init__(self, optimizer: torch.optim.Optimizer, clip: float | None, device: torch.device) -> None:
        super().__init__(optimizer)
        self._clip = clip
        self._half = device.type == "cuda" and torch.cuda.is_bf16_supported()

    @contextlib.contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        with super().optim_context(model), torch.autocast("cuda", torch.bfloat16, enabled=self._half):
            yield

    def step(self, **kwargs: Any) -> None:
        if self._clip is not None:
            parameters = [parameter for group in self.param_groups for parameter in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, self._clip)
        super().step(**kwargs)


class _Loop(IterBasedTrainLoop):  # type: ignore[misc]  # mmengine has no types
    """Starts at the step that a checkpoint left off; mmengine's would read every batch before it again."""

    def __init__(self, runner: Any, batches: Batches, steps: int, before_step: Callable[[int], None]) -> None:
        super().__init__(runner, batches, max_iters=steps)
        self._before_step = before_step

    def run(self) -> nn.Module:
        self.runner.call_hook("before_train")
        self.runner.call_hook("before_train_epoch")
        model: nn.Module = self.runner.model
        model.train()
        with contextlib.closing(self.dataloader.starting(self._iter)) as batches:
            for batch in batches:
                self._before_step(self._iter)
                self.run_iter(batch)
        self.runner.call_hook("after_train_epoch")
        self.runner.call_hook("after_train")
        return model


class _Runner(Runner):  # type: ignore[misc]  # mmengine has no types
    def __init__(
        self,
        model: _Model,
        *,
        place: Process,
        batches: Batches,
        steps: int,
        before_step: Callable[[int], None],
        optimizer: _Optimizer,
        scheduler: Any,
        watch: TrainingMonitor,
        checkpoints: Checkpoints | None,
        scratch: Path,
    ) -> None:
        self._place = place
        self._steps = steps
        self._before_step = before_step
        self._checkpoints = checkpoints
        unwanted = ("runtime_info", "timer", "sampler_seed", "logger", "checkpoint")
        super().__init__(
            model,
            str(scratch),
            train_dataloader=batches,
            train_cfg={},
            optim_wrapper=optimizer,
            param_scheduler=[scheduler],
            default_hooks={**dict.fromkeys(unwanted), "param_scheduler": ParamSchedulerHook()},
            custom_hooks=[watch] if checkpoints is None else [watch, checkpoints],
            default_scope=None,
            experiment_name="fit",
        )

    def setup_env(self, env_cfg: Any) -> None:
        """Only say where we are: mmengine would change OpenCV's threads, the file limit and the process group."""
        self._rank, self._world_size = self._place.rank, self._place.world
        self._distributed = self._place.world > 1
        self._timestamp = time.strftime("%Y%m%d_%H%M%S")

    def set_randomness(self, seed: Any, diff_rank_seed: bool = False, deterministic: bool = False) -> None:
        """Leave the global random state alone: every step seeds itself."""
        self._seed, self._deterministic = 0, deterministic

    def build_logger(self, **_: Any) -> Any:
        """The silent logger of `contained`."""
        return MMLogger.get_current_instance()

    def build_visualizer(self, visualizer: Any = None) -> None:
        """None: it would import matplotlib."""

    def _log_env(self, env_cfg: Any) -> None:
        pass

    def dump_config(self) -> None:
        pass

    def _init_model_weights(self) -> None:
        """Keep the weights: mmengine would call `init_weights` of any module that has one."""

    def wrap_model(self, model_wrapper_cfg: Any, model: nn.Module) -> nn.Module:
        """Move the model to our device, which need not be the first CUDA device there is."""
        device = self._place.device
        model = model.to(device)
        if not self.distributed:
            return model
        ids = [device.index] if device.type == "cuda" else None
        wrapped: nn.Module = MMDistributedDataParallel(module=model, device_ids=ids)
        return wrapped

    def build_train_loop(self, loop: Any) -> _Loop:
        if isinstance(loop, _Loop):
            return loop
        return _Loop(self, self._train_dataloader, self._steps, self._before_step)

    def load_or_resume(self) -> None:
        """Go on from the newest intact checkpoint."""
        newest = None if self._checkpoints is None else self._checkpoints.newest()
        if newest is not None:
            self.resume(str(newest), map_location=self._place.device)
            if self.rank == 0:
                progress.say(f"going on from step {self.iter} of {self._steps} ({newest})")

    def load_checkpoint(self, filename: str, map_location: Any = "cpu", **_: Any) -> Any:
        """Load strictly: mmengine would rename parameters that begin with `module`, and skip those that do not fit."""
        return super().load_checkpoint(filename, map_location, strict=True, revise_keys=[])
