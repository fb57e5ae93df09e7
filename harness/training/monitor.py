"""Loss, speed and divergence of a training while it goes on."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from harness.errors import DivergedError
from harness.system.prefetch import Batches
from harness.system.progress import Bar
from harness.training._mmengine import Hook
from harness.values import Batch

NOTICEABLE = 0.1
"""Share of the time waiting for data from which the progress bar tells it."""


class TrainingMonitor(Hook):  # type: ignore[misc]  # mmengine has no types
    """Reports the mean loss of every few steps to the progress bar and to TensorBoard.

    Args:
        title: names the training when it diverges.
        bar: counts steps; None shows nothing.
        batches: what is trained on, for the time that steps wait for it.
        world: number of processes that train together.
        every: steps between two reports; between them nothing waits for the device.
        folder: of the TensorBoard log; None writes none.

    Raises:
        DivergedError: when the loss of a step since the last report is NaN or infinite.
    """

    priority = "NORMAL"

    def __init__(
        self, title: str, bar: Bar | None, batches: Batches, *, world: int, every: int, folder: Path | None
    ) -> None:
        self._title = title
        self._bar = bar
        self._batches = batches
        self._world = world
        self._every = every
        self._folder = folder
        self._writer: Any = None
        self._losses: list[torch.Tensor] = []
        self._frames = 0
        self._waited = 0.0

    def before_train(self, runner: Any) -> None:
        """Count the steps that a checkpoint brought."""
        if self._bar is not None:
            self._bar.advance(runner.iter)
        self._reported = time.monotonic()
        if self._folder is not None:
            from torch.utils.tensorboard import SummaryWriter

            # the step of a checkpoint has been reported; all later ones, or all there are, come again
            self._writer = SummaryWriter(str(self._folder), purge_step=runner.iter + 1 if runner.iter else 0)

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Batch, outputs: Any) -> None:
        """Remember the step's loss; report every few steps and at the end."""
        self._losses.append(outputs["loss"].detach())
        self._frames += data_batch.shown * self._world
        step = batch_idx + 1
        if step % self._every and step != runner.max_iters:
            return
        loss = float(torch.stack(self._losses).mean())
        if not math.isfinite(loss):
            msg = (
                f"method {self._title!r} diverged: its loss became {loss} between steps {step - len(self._losses)} "
                f"and {step} of {runner.max_iters}; lower its lr"
            )
            raise DivergedError(msg)
        self._report(step, loss, runner.optim_wrapper.param_groups[0]["lr"])
        self._losses.clear()
        self._frames = 0

    def _report(self, step: int, loss: float, lr: float) -> None:
        now = time.monotonic()
        seconds = max(now - self._reported, 1e-9)
        waiting = min((self._batches.waited - self._waited) / seconds, 1.0)
        if self._bar is not None:
            note = f"loss {loss:.3f}"
            if waiting >= NOTICEABLE:
                note += f", {waiting:.0%} of the time waiting for data"
            self._bar.advance(len(self._losses), note=note)
        if self._writer is not None:
            self._writer.add_scalar("loss", loss, step)
            self._writer.add_scalar("lr", lr, step)
            self._writer.add_scalar("frames_per_second", self._frames / seconds, step)
            self._writer.add_scalar("waiting_for_data", waiting, step)
        self._reported, self._waited = now, self._batches.waited

    def log(self, curves: Mapping[str, float], step: int) -> None:
        """Write numbers by name to the TensorBoard log, beside the loss."""
        if self._writer is not None:
            for name, number in curves.items():
                self._writer.add_scalar(name, number, step)

    def close(self) -> None:
        """End the TensorBoard log and its thread."""
        if self._writer is not None:
            self._writer.close()
