"""Losses as `torch.compile` makes them, and what that chooses by measuring."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from harness.errors import UsageError
from harness.system.text import printable

Loss = Callable[..., Tensor]
TOLERANCE = 0.05
"""Largest relative error of compiled gradients; rounding in bfloat16 gives 0.02."""


def compiled(loss: nn.Module, title: str) -> Loss:
    """Compile a loss at its first call, without a change of the module.

    Random numbers are drawn as without compilation, so that scores stay within the tolerance of `harness verify`. The
    first call compares gradients with those of PyTorch itself: some of what torch.compile makes is wrong, such as that
    of torch 2.13 for `AdaptiveMaxPool3d` in channels-last order on a CPU.

    Args:
        loss: normalised float inputs, and targets where there are any -> loss.
        title: names the training in messages.

    Raises:
        UsageError: at a call, when it cannot be compiled here, or has other gradients.
    """
    from torch._dynamo.exc import TorchDynamoException

    def call(*arguments: object) -> Tensor:  # a module in its place would have the state a second time
        value: Tensor = loss(*arguments)
        return value

    unchecked = [True]

    def run(*arguments: object) -> Tensor:
        try:
            if unchecked and torch.is_grad_enabled():
                unchecked.clear()
                _compare(loss, made, arguments, title)
            return made(*arguments)
        except TorchDynamoException as error:
            raise _failure(title, error) from error

    try:
        made: Loss = torch.compile(call, dynamic=False, options={"fallback_random": True})
    except RuntimeError as error:  # such as a version of Python that it does not know
        raise _failure(title, error) from error
    return run


def _compare(loss: nn.Module, made: Loss, arguments: tuple[object, ...], title: str) -> None:
    """Compare gradients, and leave buffers and random states as they are."""
    buffers = [buffer.clone() for buffer in loss.buffers()]
    trained = [parameter for parameter in loss.parameters() if parameter.requires_grad]
    devices = list({parameter.device for parameter in trained if parameter.device.type == "cuda"})
    gradients = []
    for function in (loss, made):
        with torch.random.fork_rng(devices):
            value = function(*arguments).mean()
            gradients.append(torch.autograd.grad(value, trained, allow_unused=True, materialize_grads=True))
        with torch.no_grad():
            for buffer, before in zip(loss.buffers(), buffers, strict=True):
                buffer.copy_(before)
    expected, found = (torch.cat([one.flatten().double() for one in part]) for part in gradients)
    error = float((found - expected).norm() / expected.norm().clamp(min=torch.finfo(torch.float32).tiny))
    if error > TOLERANCE:
        problem = f"{error:.2g} relative error of the gradients, {TOLERANCE} at most"
        msg = f"--compile: torch.compile computes the loss of {title!r} wrongly here ({problem}); leave it out"
        raise UsageError(msg)


def _failure(title: str, error: Exception) -> UsageError:
    problem = printable(str(error), 200)
    return UsageError(f"--compile: torch.compile cannot compile the loss of {title!r} here ({problem}); leave it out")


@contextlib.contextmanager
def measured_algorithms() -> Iterator[None]:
    """Let cuDNN choose the algorithm of each convolution by measuring."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
