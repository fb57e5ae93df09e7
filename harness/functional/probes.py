"""Train many probes of frozen features in one batch, each at rates of its own."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.functional.adamw import AdamW

Parameters = dict[str, Tensor]
"""Parameters of P probes by name, each (P, ...)."""

Read = Callable[[Tensor], Tensor]
"""Positions (B,) int64 on the CPU -> features (B, ...) float32."""

Forward = Callable[[Parameters, Tensor], Tensor]
"""Parameters of P probes and features (B, ...) that all share -> logits (P, B, C)."""

Gradients = Callable[[Parameters, Tensor, Tensor], Parameters]
"""Parameters of P probes, features (B, ...), classes (B,) -> gradients.

They are of the mean cross-entropy of each probe.
"""

BATCH = 64
"""Samples whose classes are predicted at a time."""


def affine(parameters: Parameters, name: str, x: Tensor) -> Tensor:
    """Map (P, B, D) by the weights and biases called `name`: (P, B, E)."""
    return torch.baddbmm(parameters[f"{name}_bias"][:, None], x, parameters[f"{name}_weight"].mT)


def fit_probes(
    gradients: Gradients,
    start: Parameters,
    read: Read,
    labels: Tensor,
    chosen: Tensor,
    lrs: Tensor,
    decays: Tensor,
    *,
    steps: int,
    batch_size: int,
    seed: int,
    advance: Callable[[], None],
) -> Parameters:
    """Train P probes on the same batches by AdamW, the rates falling to 0 as a cosine.

    Args:
        gradients: of the probes.
        start: parameters of one probe, from which all start, or of each.
        read: features by position.
        labels: (N,) int64 classes of all positions, on the device of the features.
        chosen: (M,) int64 positions to learn from, each as often as any other.
        lrs: (P,) learning rates at the first step.
        decays: (P,) weight decays, of the query and of weights, not of biases and gains.
        steps: how many.
        batch_size: M at most.
        seed: of the order.
        advance: called after each step.
    """
    parameters = {
        name: value.to(labels.device).expand(len(lrs), *value.shape[1:]).clone() for name, value in start.items()
    }
    decayed = {name for name in parameters if name == "query" or name.endswith("_weight")}
    optimizer = AdamW(parameters, lrs.to(labels.device), decays.to(labels.device), decayed)
    batches = order(chosen.cpu(), steps, min(batch_size, len(chosen)), seed)
    if labels.device.type == "cuda":
        batches = batches.pin_memory()  # else a copy in each step would wait for the GPU
    for step, batch in enumerate(batches):
        found = gradients(parameters, read(batch), labels[batch.to(labels.device, non_blocking=True)])
        optimizer.step(found, (1 + math.cos(math.pi * step / steps)) / 2)
        advance()
    return parameters


def autograd_gradients(forward: Forward, parameters: Parameters, x: Tensor, targets: Tensor) -> Parameters:
    """Differentiate by autograd the sum of the mean cross-entropies of P probes."""
    leaves = {name: value.detach().requires_grad_() for name, value in parameters.items()}
    logits = forward(leaves, x)
    repeated = targets.expand(len(logits), -1)
    loss = F.cross_entropy(logits.flatten(0, 1), repeated.flatten(), reduction="sum") / len(targets)
    return dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values())), strict=True))


def order(chosen: Tensor, steps: int, size: int, seed: int) -> Tensor:
    """Batches (steps, size) of `chosen` (M,), shuffled anew whenever all were taken.

    >>> order(torch.arange(3), 2, 3, seed=0).sort(1).values.tolist()
    [[0, 1, 2], [0, 1, 2]]
    """
    generator = torch.Generator().manual_seed(seed)
    rounds = -(-steps * size // len(chosen))
    shuffled = [chosen[torch.randperm(len(chosen), generator=generator)] for _ in range(rounds)]
    return torch.cat(shuffled)[: steps * size].view(steps, size)


@torch.no_grad()
def predict_probes(forward: Forward, parameters: Parameters, read: Read, chosen: Tensor) -> Tensor:
    """Logits of P probes for the samples at positions `chosen` (M,): (P, M, C)."""
    return torch.cat([forward(parameters, read(batch)) for batch in torch.split(chosen.cpu(), BATCH)], dim=1)


def finite_classes(logits: Tensor) -> Tensor:
    """Classes (P, M) of logits (P, M, C); -1 where a training diverged.

    >>> finite_classes(torch.tensor([[[0.0, 1.0]], [[0.0, float("nan")]]])).tolist()
    [[1], [-1]]
    """
    return logits.argmax(2).where(logits.isfinite().all(2), -1)
