"""Attentive probes in one batch beside a module of torch's own layers, one probe after the other."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import nn

from harness.functional.attentive import EPS, heads, probe_logits, probe_parameters
from harness.functional.probes import autograd_gradients, fit_probes, order, predict_probes

DIM, TOKENS, CLASSES, SAMPLES = 128, 7, 5, 40


class Twin(nn.Module):
    """The attentive classifier as V-JEPA builds it, of torch's attention, normalisation and linear layers."""

    def __init__(self, dim, classes):
        super().__init__()
        self.query = nn.Parameter(torch.zeros(1, 1, dim))
        self.tokens_normal, self.normal = nn.LayerNorm(dim, eps=EPS), nn.LayerNorm(dim, eps=EPS)
        self.attention = nn.MultiheadAttention(dim, heads(dim), batch_first=True)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        self.classifier = nn.Linear(dim, classes)

    def forward(self, tokens):
        query = self.query.expand(len(tokens), -1, -1)
        seen = self.tokens_normal(tokens)
        state = query + self.attention(query, seen, seen)[0]
        return self.classifier(state + self.mlp(self.normal(state)))[:, 0]

    @classmethod
    def of(cls, parameters, probe=0):
        """The module of one of the probes; attention's bias of keys stays 0."""
        one = {name: value[probe].detach() for name, value in parameters.items()}
        twin = cls(len(one["query"]), len(one["class_bias"])).to(one["query"].dtype)
        weights = {
            "query": one["query"][None, None],
            "tokens_normal.weight": one["token_gain"],
            "tokens_normal.bias": one["token_shift"],
            "normal.weight": one["gain"],
            "normal.bias": one["shift"],
            "attention.in_proj_weight": torch.cat([one[f"{name}_weight"] for name in ("query", "key", "value")]),
            "attention.in_proj_bias": torch.cat(
                [one["query_bias"], torch.zeros_like(one["query_bias"]), one["value_bias"]]
            ),
            "attention.out_proj.weight": one["out_weight"],
            "attention.out_proj.bias": one["out_bias"],
            "mlp.0.weight": one["hidden_weight"],
            "mlp.0.bias": one["hidden_bias"],
            "mlp.2.weight": one["mlp_weight"],
            "mlp.2.bias": one["mlp_bias"],
            "classifier.weight": one["class_weight"],
            "classifier.bias": one["class_bias"],
        }
        twin.load_state_dict(weights)
        return twin

    def fit(self, tokens, labels, batches, lr, decay):
        """Train on `batches` by torch's AdamW, cosine to 0, neither biases nor gains decaying."""
        grouped = {True: [], False: []}
        for name, parameter in self.named_parameters():
            grouped[name != "query" and parameter.ndim < 2].append(parameter)
        groups = [{"params": grouped[False], "weight_decay": decay}, {"params": grouped[True], "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=lr)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: (1 + math.cos(math.pi * step / len(batches))) / 2
        )
        for batch in batches:
            optimizer.zero_grad()
            nn.functional.cross_entropy(self(tokens[batch]), labels[batch]).backward()
            optimizer.step()
            schedule.step()
        return self


def data(dtype=torch.float32, dim=DIM):
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(CLASSES, (SAMPLES,), generator=generator)
    tokens = torch.randn(SAMPLES, TOKENS, dim, generator=generator, dtype=dtype) * 3 + 1
    tokens[torch.arange(SAMPLES), labels] += 2  # the token that differs says the class
    return tokens, labels


def several(count, dim=DIM, dtype=torch.float32):
    """Parameters of `count` different probes, none of them 0 or 1."""
    generator = torch.Generator().manual_seed(2)
    one = probe_parameters(dim, CLASSES, seed=0)
    return {
        name: (value + 0.1 * torch.randn(count, *value.shape[1:], generator=generator)).to(dtype)
        for name, value in one.items()
    }


@pytest.mark.parametrize("dim", [24, DIM, 192])
def test_logits_are_those_of_torchs_attention(dim):
    parameters, (tokens, _) = several(3, dim), data(dim=dim)
    logits = probe_logits(parameters, tokens)
    assert logits.shape == (3, SAMPLES, CLASSES)
    assert logits[0].std() > 0.1
    for probe in range(3):
        expected = Twin.of(parameters, probe)(tokens)
        torch.testing.assert_close(logits[probe], expected, rtol=1e-5, atol=1e-5)


def test_gradients_are_those_of_torchs_attention():
    parameters, (tokens, labels) = several(2, dtype=torch.float64), data(torch.float64)
    for value in parameters.values():
        value.requires_grad_()
    logits = probe_logits(parameters, tokens)
    nn.functional.cross_entropy(logits.flatten(0, 1), labels.repeat(2), reduction="sum").backward()
    for probe in range(2):
        twin = Twin.of(parameters, probe)
        nn.functional.cross_entropy(twin(tokens), labels, reduction="sum").backward()
        named = dict(twin.named_parameters())
        query, key, value = named["attention.in_proj_weight"].grad.split(DIM)
        for name, expected in {
            "query": named["query"].grad[0, 0],
            "query_weight": query,
            "key_weight": key,
            "value_weight": value,
            "token_gain": named["tokens_normal.weight"].grad,
            "token_shift": named["tokens_normal.bias"].grad,
            "mlp_weight": named["mlp.2.weight"].grad,
        }.items():
            torch.testing.assert_close(parameters[name].grad[probe], expected)


GRID = [(1e-4, 0.01), (1e-3, 0.0), (1e-3, 0.8), (5e-3, 0.1)]


def fitted(tokens, labels, chosen, start, pairs, **options):
    lrs, decays = torch.tensor(pairs, dtype=tokens.dtype).T
    advanced = []
    defaults = {"steps": 15, "batch_size": 8, "seed": 3}
    probes = fit_probes(
        partial(autograd_gradients, probe_logits),
        start,
        lambda batch: tokens[batch],
        labels,
        chosen,
        lrs,
        decays,
        **{**defaults, **options},
        advance=lambda: advanced.append(None),
    )
    assert len(advanced) == {**defaults, **options}["steps"]
    return probes


def double():
    """Tokens, labels and a start in the precision in which AdamW's first steps are not of rounding errors."""
    start = probe_parameters(DIM, CLASSES, seed=0)
    return *data(torch.float64), {name: value.double() for name, value in start.items()}


def test_a_grid_is_trained_as_a_loop_over_it_would():
    tokens, labels, start = double()
    chosen = torch.arange(0, SAMPLES, 2)
    probes = fitted(tokens, labels, chosen, start, GRID)
    logits = predict_probes(probe_logits, probes, lambda batch: tokens[batch], torch.arange(SAMPLES))
    batches = order(chosen, 15, 8, seed=3)
    for probe, (lr, decay) in enumerate(GRID):
        twin = Twin.of(start).fit(tokens, labels, batches, lr, decay)
        with torch.no_grad():
            torch.testing.assert_close(logits[probe], twin(tokens), rtol=1e-7, atol=1e-7)
    assert (logits[0] - logits[3]).abs().max() > 0.1


def test_a_probe_is_trained_alike_whatever_is_beside_it():
    (tokens, labels, start), every = double(), torch.arange(SAMPLES)
    together = fitted(tokens, labels, every, start, [*GRID, (1e300, 0.0)])
    for name, value in fitted(tokens, labels, every, start, GRID[2:3]).items():
        torch.testing.assert_close(together[name][2], value[0], rtol=1e-7, atol=1e-9)
    assert not together["query_weight"][-1].isfinite().all()


def test_equal_seeds_give_equal_probes():
    (tokens, labels), every = data(), torch.arange(SAMPLES)
    first, again, other = (
        fitted(tokens, labels, every, probe_parameters(DIM, CLASSES, seed=seed), GRID[:1], seed=seed)
        for seed in (0, 0, 1)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["query"], other["query"])


def test_new_weights_are_drawn_as_v_jepa_draws_them():
    parameters = probe_parameters(256, 11, seed=0)
    for name in ("query_weight", "key_weight", "value_weight", "hidden_weight"):
        assert float(parameters[name].std()) == pytest.approx(0.02, rel=0.02)
    for name in ("out_weight", "mlp_weight"):
        assert float(parameters[name].std()) == pytest.approx(0.02 / 2**0.5, rel=0.02)
    assert all(not parameters[name].any() for name in parameters if name.endswith("bias") and name != "class_bias")
    bound = float(parameters["class_weight"].abs().max())
    assert bound == pytest.approx(1 / 16, rel=0.01)  # as nn.Linear
    shapes = {name: tuple(value.shape[1:]) for name, value in probe_parameters(24, 3, seed=0).items()}
    numbers = sum(parameter.numel() for parameter in Twin(24, 3).parameters())
    assert sum(math.prod(shape) for shape in shapes.values()) == numbers - 24  # the bias of keys
