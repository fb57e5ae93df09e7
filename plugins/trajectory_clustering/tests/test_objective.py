"""The loss around a network: bank, curves, noise and the two objectives."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from harness.functional.effective_rank import effective_rank
from harness_trajectory_clustering import objective as objective_file
from harness_trajectory_clustering.bank import MemoryBank
from harness_trajectory_clustering.clusterings import Clusterings
from harness_trajectory_clustering.losses import softmax_loss
from harness_trajectory_clustering.objective import (
    Embedding,
    InstanceOptions,
    InstanceRecognition,
    LocalAggregation,
)

COUNT, DIM = 30, 8


def options(**changed):
    defaults = {"loss": "softmax", "temperature": 0.07, "negatives": 64, "exclude_own": True, "z": "first_batch"}
    return InstanceOptions(**{**defaults, **changed})


def objective(kind=InstanceRecognition, *, norm=False, background=10, **changed):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 2 * 4 * 4, 16), nn.ReLU())
    parts = (Embedding(network, 16, DIM, norm=norm), MemoryBank(COUNT, DIM), options(**changed))
    return kind(*parts, Clusterings(COUNT, 2, 3), background) if kind is LocalAggregation else kind(*parts)


def batch(size=6, seed=1):
    generator = torch.Generator().manual_seed(seed)
    clips = torch.randn(size, 3, 2, 4, 4, generator=generator)
    return clips, torch.randperm(COUNT, generator=generator)[:size]


def test_the_bank_takes_up_embeddings_after_the_loss():
    loss = objective()
    clips, videos = batch()
    before = loss.bank.vectors.clone()
    vectors = loss.embedding(clips)
    expected = softmax_loss(vectors, before, videos).mean()
    computed = loss(clips, videos)
    torch.testing.assert_close(computed, expected)
    mixed = normalize(0.5 * before[videos] + 0.5 * vectors, dim=1)
    torch.testing.assert_close(loss.bank.vectors[videos], mixed)
    rest = [index for index in range(COUNT) if index not in videos.tolist()]
    assert torch.equal(loss.bank.vectors[rest], before[rest])
    computed.backward()  # the bank has changed since, and the gradient is still there
    gradients = [parameter.grad for parameter in loss.parameters()]
    (again,) = torch.autograd.grad(
        softmax_loss(loss.embedding(clips), before, videos).mean(), loss.embedding.layer.bias
    )
    torch.testing.assert_close(gradients[-1], again)


@pytest.mark.parametrize("kind", ["softmax", "nce", "sampled"])
@pytest.mark.parametrize("exclude_own", [True, False])
def test_every_loss_of_instances_has_a_gradient(kind, exclude_own):
    loss = objective(loss=kind, exclude_own=exclude_own)
    computed = loss(*batch())
    computed.backward()
    assert computed.isfinite()
    assert all(parameter.grad.abs().sum() > 0 for parameter in loss.parameters())
    assert bool(loss.log_z.isnan()) == (kind != "nce")


@pytest.mark.parametrize(("kind", "exclude_own", "own"), [("nce", True, 0), ("nce", False, 1), ("sampled", False, 0)])
def test_noise_may_leave_out_the_own_entry(kind, exclude_own, own, monkeypatch):
    """Of as many entries as there are videos, one in 30 is a video's own."""
    drawn = []
    loss_of = getattr(objective_file, f"{kind}_loss" if kind == "nce" else "sampled_softmax_loss")

    def noted(vectors, first, noise, *rest):
        drawn.append((noise == first[:, None]).all(2).double().mean())
        return loss_of(vectors, first, noise, *rest)

    monkeypatch.setattr(objective_file, loss_of.__name__, noted)
    objective(loss=kind, exclude_own=exclude_own, negatives=2000)(*batch())
    assert float(drawn[0]) == pytest.approx(own / COUNT, abs=0.005)


def test_z_is_estimated_once_and_is_state():
    loss = objective(loss="nce")
    loss(*batch())
    first = loss.log_z.clone()
    # Random unit vectors of length 8: the mean of exp(s / tau) is far from 1, so that Z is not N.
    assert float(first) > math.log(COUNT)
    loss(*batch(seed=2))
    assert torch.equal(loss.log_z, first)
    other = objective(loss="nce")
    other.load_state_dict(loss.state_dict())
    other(*batch(seed=3))
    assert torch.equal(other.log_z, first)


def test_an_embedding_norm_centres_what_a_network_has_in_common():
    clips = 0.1 * batch(32)[0] + 3
    without, normed = (objective(norm=norm).embedding(clips) for norm in (False, True))
    assert effective_rank(normed) > effective_rank(without)
    assert ((normed.detach() - normed.detach().mean(0)).square().sum(1).mean()) > 0.5


def test_curves_are_of_the_epoch_and_label_free():
    loss = objective()
    assert loss.curves() == {}
    sums, videos = 0.0, 0
    for seed in (1, 2):
        clips, chosen = batch(seed=seed)
        before = loss.bank.vectors.clone()
        sums += float(softmax_loss(loss.embedding(clips).detach(), before, chosen).sum())
        videos += len(chosen)
        loss(clips, chosen)
    curves = loss.curves()
    assert curves["instance_loss_over_ln_n"] == pytest.approx(sums / videos / math.log(COUNT), rel=1e-5)
    assert curves["effective_rank"] == pytest.approx(effective_rank(loss.bank.vectors))
    assert curves["empty_neighbourhoods"] == 0
    assert loss.curves() == {}


def test_aggregation_begins_when_it_is_told():
    loss, instances = objective(LocalAggregation), objective()
    instances.load_state_dict(loss.state_dict(), strict=False)
    torch.testing.assert_close(loss(*batch()), instances(*batch()))
    loss.aggregating.fill_(True)
    loss.clusterings.labels.zero_()  # all in one cluster
    torch.testing.assert_close(loss(*batch()), torch.tensor(0.0), atol=1e-6, rtol=0)


def test_empty_neighbourhoods_are_counted_and_have_no_gradient():
    loss = objective(LocalAggregation, background=1)
    loss.aggregating.fill_(True)
    computed = loss(*batch())  # each video alone, and the nearest entry of a random bank is another's
    assert float(computed.detach()) == 0.0
    computed.backward()
    assert all(parameter.grad is not None for parameter in loss.parameters())  # as other processes want it
    assert loss.curves()["empty_neighbourhoods"] > 0.5


def test_what_is_shared_between_processes_is_counted_once():
    loss = objective()
    loss.gather = lambda rows: torch.cat([rows, rows])  # a second process with the same batch
    alone = objective()
    clips, videos = batch()
    loss(clips, videos)
    alone(clips, videos)
    torch.testing.assert_close(loss.bank.vectors, alone.bank.vectors)
    torch.testing.assert_close(loss.sums, 2 * alone.sums)
