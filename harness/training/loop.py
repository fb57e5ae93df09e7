"""One training through mmengine, without its seeds, logs and choice of a device.

mmengine gives us the step (`train_step`, alone and under DDP), the optimizer wrapper, parameter schedules, hooks in the
order of their priorities, and the content of a checkpoint with its way back: weights, optimizer, schedules, step.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from harness.errors import PluginError
from harness.functional.autocast import autocast
from harness.system import progress
from harness.system.prefetch import Batches, to_device
from harness.system.seeding import derive_seed
from harness.training._mmengine import (
    BaseModel,
    Config,
    CosineAnnealingLR,
    Hook,
    IterBasedTrainLoop,
    MessageHub,
    MMDistributedDataParallel,
    MMLogger,
    MultiStepLR,
    OptimWrapper,
    ParamSchedulerHook,
    Runner,
    contained,
)
from harness.training.checkpoints import Checkpoints
from harness.training.compiling import Loss, compiled, measured_algorithms
from harness.training.distributed import Process, share_buffers
from harness.training.monitor import TrainingMonitor
from harness.values import Batch, ComputePrecision, Inputs
from harness.video.transforms import normalise

EVERY = 10
"""Steps between two looks at the loss and at the clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """One training, as the loop needs to know it."""

    title: str
    """Names it in progress and messages."""
    identity: str
    """Hash of everything it depends on."""
    steps: int
    schedule: Literal["cosine"] | Sequence[int]
    """`cosine`, or the steps after which the learning rate is a tenth."""
    clip_gradients: float | None
    epoch: int
    """Steps of an epoch."""
    start_epoch: Callable[[int], Mapping[str, float] | None] | None
    seed: int
    checkpoints: Path | None
    logs: Path | None
    precision: ComputePrecision
    compiled: bool


def train(
    training: Training,
    place: Process,
    *,
    loss: nn.Module,
    inputs: Inputs | Mapping[str, Inputs],
    batches: Callable[[int], Batch],
    optimizer: torch.optim.Optimizer,
) -> None:
    """Train `loss` in place.

    Args:
        training: how long and how.
        place: this process among those that train together.
        loss: normalised float inputs, and targets where there are any -> loss.
        inputs: how pixels become the network's input.
        batches: step -> this process's batch; called in another thread.
        optimizer: of the parameters of `loss`.

    Raises:
        DivergedError: when the loss becomes NaN or infinite.
        PluginError: when a batch has other streams than `inputs`.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(contained(training.title))
        bar = None
        if place.rank == 0:
            bar = stack.enter_context(progress.bar(f"fitting {training.title}", total=training.steps))
        logs = training.logs if place.rank == 0 else None
        reading = Batches(_draw(batches, place.device), training.steps, idle=_idle(place.device))
        monitor = TrainingMonitor(training.title, bar, reading, world=place.world, every=EVERY, folder=logs)
        stack.callback(monitor.close)
        checkpoints = None
        if training.checkpoints is not None:
            checkpoints = Checkpoints(training.checkpoints, training.identity, every=EVERY)
        stack.enter_context(torch.random.fork_rng([place.device] if place.device.type == "cuda" else []))

        def before_step(step: int) -> None:
            _seed(derive_seed(training.seed, step, place.rank), place.device)
            if step % training.epoch == 0 and training.start_epoch is not None:
                monitor.log(training.start_epoch(step // training.epoch) or {}, step)
                loss.train()

        wrapped = _Optimizer(optimizer, training.clip_gradients, autocast(place.device, training.precision))
        call: Loss = loss
        if training.compiled:
            call = compiled(loss, training.title)
            stack.enter_context(measured_algorithms())
        runner = _Runner(
            _model(_Model(loss, call, inputs, place.device), place),
            place,
            wrapped,
            _scheduler(wrapped, training),
            [ParamSchedulerHook(), monitor, *([] if checkpoints is None else [checkpoints])],
        )
        runner.train_on(_Loop(runner, reading, training.steps, before_step), checkpoints)
        share_buffers(loss, place.world)


def _draw(batches: Callable[[int], Batch], device: torch.device) -> Callable[[int], Batch]:
    """Function that reads the batch of a step, into pinned memory for CUDA."""
    if device.type != "cuda":
        return batches

    def pinned(step: int) -> Batch:
        batch = batches(step)
        streams = batch.inputs
        inputs = (
            streams.pin_memory()
            if isinstance(streams, Tensor)
            else {name: stream.pin_memory() for name, stream in streams.items()}
        )
        targets = None if batch.targets is None else batch.targets.pin_memory()
        return batch._replace(inputs=inputs, targets=targets)

    return pinned


def _idle(device: torch.device) -> Callable[[], bool]:
    """Function that tells if a device has done what it was given."""
    if device.type != "cuda":
        return lambda: True
    stream = torch.cuda.current_stream(device)
    return lambda: bool(stream.query())


def _seed(seed: int, device: torch.device) -> None:
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(seed)


def _scheduler(optimizer: _Optimizer, training: Training) -> Any:
    if training.schedule == "cosine":
        return CosineAnnealingLR(optimizer, T_max=training.steps, by_epoch=False)
    return MultiStepLR(optimizer, milestones=list(training.schedule), by_epoch=False)


def _model(model: _Model, place: Process) -> nn.Module:
    """Move the model to its device, wrapped where several processes train."""
    model.to(place.device)
    if place.world == 1:
        return cast("nn.Module", model)
    ids = [place.device.index] if place.device.type == "cuda" else None
    wrapped = MMDistributedDataParallel(module=model, device_ids=ids)
    # Those of rank 0 would replace the others' at each step, and what a memory bank had been given would be lost. Set
    # here, as versions of torch disagree about the argument's name.
    wrapped.broadcast_buffers = False
    return cast("nn.Module", wrapped)


class _Model(BaseModel):  # type: ignore[misc]  # mmengine has no types
    """A loss as mmengine's loop wants it.

    Args:
        loss: has the parameters.
        call: computes the loss, the module itself or what it is compiled to.
        inputs: how pixels become the network's input.
        device: of the batches.
    """

    def __init__(
        self, loss: nn.Module, call: Loss, inputs: Inputs | Mapping[str, Inputs], device: torch.device
    ) -> None:
        super().__init__(data_preprocessor=_Prepare(inputs, device))
        self.loss = loss
        self._calls = (call,)  # a module of its own would be registered a second time

    def forward(self, inputs: Any, targets: Tensor | None, mode: str) -> dict[str, Tensor]:
        (call,) = self._calls
        return {"loss": call(inputs) if targets is None else call(inputs, targets)}

    def parse_losses(self, losses: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The one loss; mmengine's sums several, in five kernels of a step."""
        loss = losses["loss"]
        loss = loss.mean() if loss.ndim else loss
        return loss, {"loss": loss.detach()}


class _Prepare(nn.Module):
    """Moves a batch to the device and normalises each of its streams there."""

    def __init__(self, inputs: Inputs | Mapping[str, Inputs], device: torch.device) -> None:
        super().__init__()
        self._inputs, self._device = inputs, device

    def forward(self, batch: Batch, training: bool) -> tuple[Tensor | dict[str, Tensor], Tensor | None]:
        targets = None if batch.targets is None else to_device(batch.targets, self._device)
        if isinstance(batch.inputs, Tensor) and isinstance(self._inputs, Inputs):
            return self._normalised(batch.inputs, self._inputs), targets
        if isinstance(batch.inputs, Tensor) or isinstance(self._inputs, Inputs) or {*batch.inputs} != {*self._inputs}:
            expected, given = (
                "one stream" if isinstance(streams, Tensor | Inputs) else f"streams {sorted(streams)}"
                for streams in (self._inputs, batch.inputs)
            )
            msg = f"expected a batch with {expected} as the backbone's inputs say, got {given}"
            raise PluginError(msg)
        return {name: self._normalised(batch.inputs[name], one) for name, one in self._inputs.items()}, targets

    def _normalised(self, pixels: Tensor, inputs: Inputs) -> Tensor:
        return normalise(to_device(pixels, self._device), inputs)


class _Optimizer(OptimWrapper):  # type: ignore[misc]  # mmengine has no types
    """Precision of the forward pass, and clipping without mmengine's growing history."""

    def __init__(self, optimizer: torch.optim.Optimizer, clip: float | None, precision: torch.autocast) -> None:
        super().__init__(optimizer)
        self._clip = clip
        self._precision = precision

    @contextlib.contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        with super().optim_context(model), self._precision:
            yield

    def scale_loss(self, loss: Tensor) -> Tensor:
        """The loss itself: gradients of several steps are not added up."""
        return loss

    def step(self, **kwargs: Any) -> None:
        if self._clip is not None:
            parameters = [parameter for group in self.param_groups for parameter in group["params"]]
            torch.nn.utils.clip_grad_norm_(parameters, self._clip)
        super().step(**kwargs)


class _Loop(IterBasedTrainLoop):  # type: ignore[misc]  # mmengine has no types
    """Loop from any step; mmengine's would read every batch before it again."""

    def __init__(self, runner: Any, batches: Batches, steps: int, before_step: Callable[[int], None]) -> None:
        super().__init__(runner, batches, max_iters=steps)
        self._before_step = before_step

    def run(self) -> None:
        self.runner.call_hook("before_train")
        self.runner.model.train()
        with contextlib.closing(self.dataloader.starting(self._iter)) as batches:
            for batch in batches:
                self._before_step(self._iter)
                self.run_iter(batch)
        self.runner.call_hook("after_train")


class _Runner(Runner):  # type: ignore[misc]  # mmengine has no types
    """Hooks, checkpoints and resuming of mmengine's runner, without its set-up.

    Its constructor and `train` are left out: they seed, log, inspect the machine, import matplotlib, change OpenCV's
    threads and the limit of open files, draw weights anew and choose a device.
    """

    def __init__(
        self, model: nn.Module, place: Process, optimizer: _Optimizer, scheduler: Any, hooks: Sequence[Hook]
    ) -> None:
        self.model = model
        self.optim_wrapper = optimizer
        self.param_schedulers = [scheduler]
        self.message_hub = MessageHub.get_current_instance()
        self.logger = MMLogger.get_current_instance()
        self.cfg = Config()
        self._randomness_cfg: dict[str, Any] = {}
        self._seed = None
        self._experiment_name = "fit"
        self._rank, self._world_size, self._distributed = place.rank, place.world, place.world > 1
        self._device = place.device
        self._hooks: list[Hook] = []
        for hook in hooks:
            self.register_hook(hook)

    def train_on(self, loop: _Loop, checkpoints: Checkpoints | None) -> None:
        """Run `loop` from the newest intact checkpoint, or from the start."""
        self._train_loop, self._train_dataloader = loop, loop.dataloader
        if checkpoints is not None and self.rank == 0:
            checkpoints.remove_unfinished()
        newest = None if checkpoints is None else checkpoints.newest()
        if newest is not None:
            self.resume(str(newest), map_location=self._device)
            if self.rank == 0:
                progress.say(f"going on from step {self.iter} of {loop.max_iters} ({newest})")
        self.optim_wrapper.initialize_count_status(self.model, loop.iter, loop.max_iters)
        loop.run()

    def load_checkpoint(self, filename: str, map_location: Any = "cpu", **_: Any) -> Any:
        """Load strictly.

        mmengine would rename parameters that begin with `module`, and skip those that do not fit.
        """
        return super().load_checkpoint(filename, map_location, strict=True, revise_keys=[])
