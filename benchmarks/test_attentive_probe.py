"""The grid of an attentive probe in one batch, beside a loop over it with torch's own layers."""

from __future__ import annotations

import itertools
import math
from functools import partial

import torch
from torch import nn

from harness.evaluators.cards import LEARNING_RATES, WEIGHT_DECAYS
from harness.functional.attentive import EPS, heads, probe_logits, probe_parameters
from harness.functional.probes import autograd_gradients, fit_probes, order, predict_probes

VIDEOS, TOKENS, DIM, CLASSES = 128, 196, 128, 15
STEPS, BATCH = 5, 64
GRID = list(itertools.product(LEARNING_RATES, WEIGHT_DECAYS))


class Probe(nn.Module):
    """One attentive probe, its parameters those of `probe_parameters`."""

    def __init__(self, start):
        super().__init__()
        one = {name: value[0].clone() for name, value in start.items()}
        self.query = nn.Parameter(one["query"][None, None])
        self.tokens_normal, self.normal = nn.LayerNorm(DIM, eps=EPS), nn.LayerNorm(DIM, eps=EPS)
        self.attention = nn.MultiheadAttention(DIM, heads(DIM), batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(DIM, 4 * DIM), nn.GELU(), nn.Linear(4 * DIM, DIM))
        self.classifier = nn.Linear(DIM, CLASSES)
        with torch.no_grad():
            into = torch.cat([one["query_weight"], one["key_weight"], one["value_weight"]])
            self.attention.in_proj_weight.copy_(into)
            self.attention.in_proj_bias.zero_()
            for name, layer in {
                "out": self.attention.out_proj,
                "hidden": self.mlp[0],
                "mlp": self.mlp[2],
                "class": self.classifier,
            }.items():
                layer.weight.copy_(one[f"{name}_weight"])
                layer.bias.copy_(one[f"{name}_bias"])

    def forward(self, tokens):
        query, seen = self.query.expand(len(tokens), -1, -1), self.tokens_normal(tokens)
        state = query + self.attention(query, seen, seen, need_weights=False)[0]
        return self.classifier(state + self.mlp(self.normal(state)))[:, 0]


def loop(start, tokens, labels):
    """Logits (20, videos, classes) of probes that are trained one after the other."""
    logits = []
    for lr, decay in GRID:
        probe = Probe(start)
        decays = [parameter for parameter in probe.parameters() if parameter.ndim > 1]
        others = [parameter for parameter in probe.parameters() if parameter.ndim == 1]
        groups = [{"params": decays, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=lr)
        for step, batch in enumerate(order(torch.arange(VIDEOS), STEPS, BATCH, seed=0)):
            for group in optimizer.param_groups:
                group["lr"] = lr * (1 + math.cos(math.pi * step / STEPS)) / 2
            optimizer.zero_grad()
            nn.functional.cross_entropy(probe(tokens[batch]), labels[batch]).backward()
            optimizer.step()
        with torch.no_grad():
            logits.append(probe(tokens))
    return torch.stack(logits)


def batched(start, tokens, labels):
    lrs, decays = torch.tensor(GRID).T
    probes = fit_probes(
        partial(autograd_gradients, probe_logits),
        start,
        lambda batch: tokens[batch],
        labels,
        torch.arange(VIDEOS),
        lrs,
        decays,
        steps=STEPS,
        batch_size=BATCH,
        seed=0,
        advance=lambda: None,
    )
    return predict_probes(probe_logits, probes, lambda batch: tokens[batch], torch.arange(VIDEOS))


def test_grid(beside):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(VIDEOS) % CLASSES
    tokens = torch.randn(VIDEOS, TOKENS, DIM, generator=generator)
    tokens[torch.arange(VIDEOS), labels] += torch.randn(CLASSES, DIM, generator=generator)[labels]
    start = probe_parameters(DIM, CLASSES, seed=0)
    ours, theirs = batched(start, tokens, labels), loop(start, tokens, labels)
    assert (ours.softmax(2) - theirs.softmax(2)).abs().max() < 1e-3  # AdamW's first steps amplify rounding
    ratios = beside(
        lambda: batched(start, tokens, labels),
        {"loop over the grid": lambda: loop(start, tokens, labels)},
        clips=len(GRID) * STEPS * BATCH,
        rounds=3,
    )
    assert ratios["loop over the grid"] > 1
