"""Attentive probes: a learnt query attends to tokens, many probes in one batch."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.functional.probes import Parameters, affine

EPS = 1e-6
"""Added to variances in layer normalisations."""

HEAD = 64
"""Length of the vectors of a head, where it divides that of the tokens."""

WIDENING = 4
"""Width of the hidden layer, in lengths of a token."""


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
    query = affine(parameters, "query", parameters["query"][:, None])  # (P, 1, D)
    by_head = query.view(probes, count, 1, -1) @ parameters["key_weight"].view(probes, count, -1, dim)
    gain, shift = parameters["token_gain"][:, None], parameters["token_shift"][:, None]
    directions = by_head.squeeze(2) * gain * (dim // count) ** -0.5  # (P, heads, D)
    weights = (seen @ directions.flatten(0, 1).mT).softmax(1)  # (B, N, P * heads)
    attended = (weights.mT @ seen).view(len(tokens), probes, count, dim).movedim(0, 2)  # (P, heads, B, D)
    attended = attended * gain[:, None] + shift[:, None]
    values = attended @ parameters["value_weight"].view(probes, count, -1, dim).mT  # (P, heads, B, D / heads)
    merged = values.transpose(1, 2).flatten(2) + parameters["value_bias"][:, None]
    state = parameters["query"][:, None] + affine(parameters, "out", merged)  # (P, B, D)
    normal = F.layer_norm(state, (dim,), eps=EPS) * parameters["gain"][:, None] + parameters["shift"][:, None]
    state = state + affine(parameters, "mlp", F.gelu(affine(parameters, "hidden", normal)))
    return affine(parameters, "class", state)
