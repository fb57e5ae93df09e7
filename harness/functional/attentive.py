"""Attentive probes: a learnt query attends to tokens, many probes in one batch."""

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
"""Positions (B,) int64 on the CPU -> tokens (B, N, D) float32."""

EPS = 1e-6
"""Added to variances in layer normalisations."""

HEAD = 64
"""Length of the vectors of a head, where it divides that of the tokens."""

WIDENING = 4
"""Width of the hidden layer, in lengths of a token."""

BATCH = 64
"""Samples whose classes are predicted at a time."""


def heads(dim: int) -> int:
    """Number of attention heads for tokens of length `dim`.

    The largest that divides `dim` and leaves each head 64 numbers or more.

    >>> [heads(dim) for dim in (24, 128, 768, 1000)]
    [1, 2, 12, 10]
    """
    return max(count for count in range(1, max(1, dim // HEAD) + 1) if dim % count == 0)


def probe_parameters(dim: int, classes: int, *, seed: int) -> Parameters:
    """Parameters of one new probe, (1, ...), as V-JEPA draws them: float32 on the CPU.

    Args:
        dim: D, length of a token.
        classes: C.
        seed: of the weights.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int, scale: float = 1.0) -> Tensor:
        weight = torch.empty(1, *shape)
        return torch.nn.init.trunc_normal_(weight, std=0.02, generator=generator) * scale

    def uniform(*shape: int) -> Tensor:
        return torch.empty(1, *shape).uniform_(-(dim**-0.5), dim**-0.5, generator=generator)

    hidden, halved = WIDENING * dim, 0.5**0.5
    return {
        "query": normal(dim),
        "token_gain": torch.ones(1, dim),
        "token_shift": torch.zeros(1, dim),
        "query_weight": normal(dim, dim),
        "query_bias": torch.zeros(1, dim),
        "key_weight": normal(dim, dim),
        "value_weight": normal(dim, dim),
        "value_bias": torch.zeros(1, dim),
        "out_weight": normal(dim, dim, scale=halved),
        "out_bias": torch.zeros(1, dim),
        "gain": torch.ones(1, dim),
        "shift": torch.zeros(1, dim),
        "hidden_weight": normal(hidden, dim),
        "hidden_bias": torch.zeros(1, hidden),
        "mlp_weight": normal(dim, hidden, scale=halved),
        "mlp_bias": torch.zeros(1, dim),
        "class_weight": uniform(classes, dim),
        "class_bias": uniform(classes),
    }


def probe_logits(parameters: Parameters, tokens: Tensor) -> Tensor:
    """Logits of P probes for tokens (B, N, D) that all share: (P, B, C).

    Layer normalisation, attention of one query, a residual MLP, a linear classifier. As there is one query, keys and
    values need not be computed: a score is a product of a token with the query as the keys' weights see it, and the
    values' weights are applied to the mean token that a head attends to. The keys' bias, which adds the same to the
    scores of all tokens, is left out.

    Source: Bardes et al., "Revisiting feature prediction for learning visual representations from video", 2024,
    the attentive probe; `AttentiveClassifier` of its code.
    """
    probes, dim = parameters["query"].shape
    count = heads(dim)
    seen = F.layer_norm(tokens, (dim,), eps=EPS)
    query = _affine(parameters, "query", parameters["query"][:, None])  # (P, 1, D)
    by_head = query.view(probes, count, 1, -1) @ parameters["key_weight"].view(probes, count, -1, dim)
    gain, shift = parameters["token_gain"][:, None], parameters["token_shift"][:, None]
    directions = by_head.squeeze(2) * gain * (dim // count) ** -0.5  # (P, heads, D)
    weights = (seen @ directions.flatten(0, 1).mT).softmax(1)  # (B, N, P * heads)
    attended = (weights.mT @ seen).view(len(tokens), probes, count, dim).movedim(0, 2)  # (P, heads, B, D)
    attended = attended * gain[:, None] + shift[:, None]
    values = attended @ parameters["value_weight"].view(probes, count, -1, dim).mT  # (P, heads, B, D / heads)
    merged = values.transpose(1, 2).flatten(2) + parameters["value_bias"][:, None]
    state = parameters["query"][:, None] + _affine(parameters, "out", merged)  # (P, B, D)
    normal = F.layer_norm(state, (dim,), eps=EPS) * parameters["gain"][:, None] + parameters["shift"][:, None]
    state = state + _affine(parameters, "mlp", F.gelu(_affine(parameters, "hidden", normal)))
    return _affine(parameters, "class", state)


def _affine(parameters: Parameters, name: str, x: Tensor) -> Tensor:
    """Map (P, B, D) by the weights and biases called `name`: (P, B, E)."""
    return torch.baddbmm(parameters[f"{name}_bias"][:, None], x, parameters[f"{name}_weight"].mT)


def fit_probes(
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
    """Train P probes from one start, on the same batches: AdamW, cosine to 0.

    Args:
        start: parameters of one probe.
        read: tokens by position.
        labels: (N,) int64 classes of all positions, on the device of the tokens.
        chosen: (M,) int64 positions to learn from, each as often as any other.
        lrs: (P,) learning rates at the first step.
        decays: (P,) weight decays, of the query and of weights, not of biases and gains.
        steps: how many.
        batch_size: M at most.
        seed: of the order.
        advance: called after each step.
    """
    parameters = {
        name: value.to(labels.device).repeat(len(lrs), *[1] * (value.ndim - 1)).requires_grad_()
        for name, value in start.items()
    }
    decayed = {name for name in parameters if name == "query" or name.endswith("_weight")}
    optimizer = AdamW(parameters, lrs.to(labels.device), decays.to(labels.device), decayed)
    for step, batch in enumerate(order(chosen.cpu(), steps, min(batch_size, len(chosen)), seed)):
        logits = probe_logits(parameters, read(batch))
        targets = labels[batch.to(labels.device)].expand(len(lrs), -1)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum") / len(batch)
        gradients = torch.autograd.grad(loss, list(parameters.values()))
        optimizer.step(dict(zip(parameters, gradients, strict=True)), (1 + math.cos(math.pi * step / steps)) / 2)
        advance()
    return {name: value.detach() for name, value in parameters.items()}


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
def predict_probes(parameters: Parameters, read: Read, chosen: Tensor) -> Tensor:
    """Logits of P probes for the samples at positions `chosen` (M,): (P, M, C)."""
    return torch.cat([probe_logits(parameters, read(batch)) for batch in torch.split(chosen.cpu(), BATCH)], dim=1)
