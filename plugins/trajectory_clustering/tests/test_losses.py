"""Losses against a bank: closed forms, slow twins and gradients."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from harness_trajectory_clustering.losses import (
    IMAGENET,
    IMAGENET_Z,
    aggregation_loss,
    log_normaliser,
    nce_loss,
    neighbourhoods,
    sampled_softmax_loss,
    softmax_loss,
)

TAU = 0.07


def units(*shape, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(*shape, generator=generator, dtype=dtype), dim=-1)


@pytest.fixture
def bank():
    return units(40, 16)


@pytest.fixture
def vectors(bank):
    return normalize(bank[:5] + 0.5 * units(5, 16, seed=1), dim=1)


VIDEOS = torch.arange(5)


def slow_aggregation(vectors, bank, labels, videos, k, tau):
    """-log of the ratio of sums of exponentials, by sets and in NumPy."""
    losses = []
    for vector, video in zip(vectors.numpy(), videos.tolist(), strict=True):
        scores = bank.numpy() @ vector
        near = set(np.argsort(-scores)[:k].tolist())
        close = {i for run in labels.tolist() for i, label in enumerate(run) if label == run[video]}
        p = np.exp(scores / tau)
        both = near & close
        losses.append(-math.log(sum(p[i] for i in both) / sum(p[i] for i in near)) if both else 0.0)
    return torch.tensor(losses, dtype=torch.float64)


def aggregate(vectors, bank, labels, videos, k, tau=TAU):
    near, close = neighbourhoods(vectors.detach() @ bank.mT, labels, videos, k)
    return aggregation_loss(vectors, bank[near], close, tau)


def labels_of(runs, clusters, count, seed=2):
    return torch.randint(clusters, (runs, count), generator=torch.Generator().manual_seed(seed))


def test_aggregation_of_orthonormal_entries():
    """A cluster of c among n orthonormal entries: ratio (e^(1/t) + c - 1) / (e^(1/t) + n - 1)."""
    n, c, tau = 6, 3, 0.5
    bank = torch.eye(n, dtype=torch.float64)
    labels = torch.tensor([[0] * c + list(range(1, n - c + 1))])
    e = math.exp(1 / tau)
    expected = -math.log((e + c - 1) / (e + n - 1))
    assert float(aggregate(bank[:1], bank, labels, torch.tensor([0]), n, tau)) == pytest.approx(expected)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 12), st.integers(1, 4))
def test_aggregation_equals_its_slow_twin(seed, k, clusters, runs):
    bank, labels = units(40, 8, seed=seed), labels_of(runs, clusters, 40, seed)
    vectors = units(5, 8, seed=seed + 1)
    expected = slow_aggregation(vectors, bank, labels, VIDEOS, k, 0.3)
    torch.testing.assert_close(aggregate(vectors, bank, labels, VIDEOS, k, 0.3), expected)


def test_one_cluster_of_all_has_no_loss(vectors, bank):
    losses = aggregate(vectors, bank, torch.zeros(1, 40, dtype=torch.int64), VIDEOS, 20)
    torch.testing.assert_close(losses, torch.zeros(5, dtype=torch.float64))


def test_clusters_of_one_are_the_softmax_over_the_background(vectors, bank):
    losses = aggregate(vectors, bank, torch.arange(40)[None], VIDEOS, 40)
    torch.testing.assert_close(losses, softmax_loss(vectors, bank, VIDEOS, TAU))


def test_a_rotation_of_vectors_and_bank_changes_nothing(vectors, bank):
    labels = labels_of(3, 6, 40)
    rotation = torch.linalg.qr(units(16, 16, seed=3)).Q
    rotated = aggregate(vectors @ rotation, bank @ rotation, labels, VIDEOS, 12)
    torch.testing.assert_close(rotated, aggregate(vectors, bank, labels, VIDEOS, 12))


def test_numbers_and_order_of_clusters_mean_nothing(vectors, bank):
    labels = labels_of(3, 6, 40)
    others = torch.tensor([3, 0, 5, 1, 2, 4])[labels].flip(0) + 100
    same = aggregate(vectors, bank, others, VIDEOS, 12)
    assert torch.equal(same, aggregate(vectors, bank, labels, VIDEOS, 12))


def test_a_further_clustering_never_raises_the_loss(vectors, bank):
    labels = labels_of(4, 6, 40)
    losses = [aggregate(vectors, bank, labels[:runs], VIDEOS, 20) for runs in (1, 2, 3, 4)]
    for fewer, more in itertools.pairwise(losses):
        # An empty set has no loss, and one more clustering may fill it.
        assert bool(((more <= fewer + 1e-12) | (fewer == 0)).all())


def test_no_close_neighbour_gives_no_loss_and_no_gradient(vectors):
    vectors = vectors.detach().requires_grad_()
    losses = aggregation_loss(vectors, units(5, 7, 16, seed=4), torch.zeros(5, 7, dtype=torch.bool))
    losses.sum().backward()
    assert torch.equal(losses, torch.zeros_like(losses))
    assert torch.equal(vectors.grad, torch.zeros_like(vectors))


def test_the_gradient_is_that_of_two_means(bank):
    """-(1 / tau) (mean of C and B less mean of B), each weighted by P(i | d)."""
    vector = units(1, 16, seed=5).requires_grad_()
    labels = labels_of(2, 5, 40)
    near, close = neighbourhoods(vector.detach() @ bank.mT, labels, torch.tensor([0]), 20)
    (gradient,) = torch.autograd.grad(aggregation_loss(vector, bank[near], close, TAU).sum(), vector)
    rows, p = bank[near[0]], ((vector.detach() @ bank.mT)[0, near[0]] / TAU).exp()
    means = [(weights[:, None] * rows).sum(0) / weights.sum() for weights in (p * close[0], p)]
    torch.testing.assert_close(gradient[0], -(means[0] - means[1]) / TAU)


def test_the_gradient_before_normalisation_is_orthogonal(bank):
    raw = torch.randn(5, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(6)).requires_grad_()
    aggregate(normalize(raw, dim=1), bank, labels_of(3, 6, 40), VIDEOS, 20).sum().backward()
    assert (raw.grad * raw.detach()).sum(1).abs().max() < 1e-10
    assert raw.grad.norm(dim=1).min() > 1e-3


def test_softmax_is_the_cross_entropy_of_its_formula(vectors, bank):
    p = np.exp(vectors.numpy() @ bank.numpy().T / TAU)
    expected = -np.log(p[np.arange(5), np.arange(5)] / p.sum(1))
    np.testing.assert_allclose(softmax_loss(vectors, bank, VIDEOS, TAU).numpy(), expected)


def test_nce_equals_the_released_formula(vectors, bank):
    """log(p / (p + k / N)) and log((k / N) / (p + k / N)), written out in NumPy."""
    noise = torch.randint(40, (5, 30), generator=torch.Generator().manual_seed(7))
    z = 90.0
    p = np.exp(np.einsum("bd,bkd->bk", vectors.numpy(), bank[noise].numpy()) / TAU) / z
    own = np.exp((vectors * bank[:5]).sum(1).numpy() / TAU) / z
    ratio = 30 / 40
    expected = -(np.log(own / (own + ratio)) + np.log(ratio / (p + ratio)).sum(1))
    losses = nce_loss(vectors, bank[:5], bank[noise], 40, torch.tensor(z, dtype=torch.float64).log(), TAU)
    np.testing.assert_allclose(losses.numpy(), expected)


def test_nce_of_equal_odds_is_all_ln_2():
    """Where p = k / N every term is ln 2."""
    vectors = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    rows = torch.tensor([[0.0, 1.0]], dtype=torch.float64)  # exp(0) / Z = k / N with Z = N / k
    loss = nce_loss(vectors, rows, rows.expand(1, 9, 2), 90, torch.tensor(10.0, dtype=torch.float64).log(), TAU)
    assert float(loss) == pytest.approx(10 * math.log(2))


@pytest.mark.parametrize(("source", "expected"), [("scaled", 0.451), ("released", 0.113)])
def test_nce_of_perfect_embeddings(source, expected):
    """Own similarity 1 and noise at right angles, among 235,000 videos: two numbers computed by hand beforehand."""
    count, k = 235_000, 4096
    own = torch.tensor([[1.0, 0.0]], dtype=torch.float64)
    noise = torch.tensor([[[0.0, 1.0]]], dtype=torch.float64).expand(1, k, 2)
    log_z = log_normaliser(source, count, torch.zeros(1, 1, dtype=torch.float64))
    assert float(nce_loss(own, own, noise, count, log_z, TAU)) == pytest.approx(expected, rel=0.01)


def test_the_normalisers():
    assert float(log_normaliser("released", 10, torch.zeros(1, 1)).exp()) == pytest.approx(IMAGENET_Z, rel=1e-5)
    assert float(log_normaliser("scaled", 1000, torch.zeros(1, 1)).exp()) == pytest.approx(
        IMAGENET_Z * 1000 / IMAGENET, rel=1e-5
    )
    logits = torch.tensor([[0.0, math.log(3.0)]])
    assert float(log_normaliser("first_batch", 10, logits).exp()) == pytest.approx(20.0)


def test_the_first_batch_of_random_vectors_gives_the_theory():
    """exp(1 / (2 D tau^2)) = 2.219 for D = 128."""
    logits = units(64, 128) @ units(20_000, 128, seed=8).mT / TAU
    assert float(log_normaliser("first_batch", 1, logits).exp()) == pytest.approx(2.219, rel=0.02)


def gradient(loss_of, vector):
    leaf = vector.clone().requires_grad_()
    (result,) = torch.autograd.grad(loss_of(leaf).sum(), leaf)
    return result - (result * vector).sum() * vector  # along the sphere


def test_nce_and_sampled_gradients_approach_the_softmax():
    """At k = 100,000 without the own entry the cosine with the exact gradient is above 0.99."""
    bank = units(540, 128)
    vector = normalize(bank[:1] + 1.5 * units(1, 128, seed=9), dim=1)
    noise = torch.randint(1, 540, (1, 100_000), generator=torch.Generator().manual_seed(10))
    exact = gradient(lambda v: softmax_loss(v, bank, torch.tensor([0]), TAU), vector)
    log_z = (vector @ bank.mT / TAU).logsumexp(1).squeeze()
    nce = gradient(lambda v: nce_loss(v, bank[:1], bank[noise], 540, log_z, TAU), vector)
    sampled = gradient(lambda v: sampled_softmax_loss(v, bank[:1], bank[noise], 540, TAU), vector)
    for other in (nce, sampled):
        assert float(torch.cosine_similarity(exact, other)) > 0.99


def test_noise_with_the_own_entry_turns_the_gradient_round():
    """Late in training, and with fewer videos than noise entries."""
    bank = units(540, 32)
    vector = normalize(bank[:1] + 0.2 * units(1, 32, seed=11), dim=1)
    log_z = log_normaliser("scaled", 540, torch.zeros(1, 1, dtype=torch.float64))
    exact = gradient(lambda v: softmax_loss(v, bank, torch.tensor([0]), TAU), vector)
    generator = torch.Generator().manual_seed(12)
    cosines = []
    for least in (0, 1):
        noise = torch.randint(least, 540, (1, 4096), generator=generator)
        nce = gradient(lambda v, noise=noise: nce_loss(v, bank[:1], bank[noise], 540, log_z, TAU), vector)
        cosines.append(float(torch.cosine_similarity(exact, nce)))
    assert cosines[0] < 0 < 0.5 < cosines[1]


def test_sampling_all_others_is_the_exact_softmax(vectors, bank):
    others = torch.stack([torch.tensor([i for i in range(40) if i != video]) for video in range(5)])
    losses = sampled_softmax_loss(vectors, bank[:5], bank[others], 40, TAU)
    torch.testing.assert_close(losses, softmax_loss(vectors, bank, VIDEOS, TAU))


def test_gradients_are_those_of_differences(bank):
    vectors = units(3, 16, seed=13).requires_grad_()
    near, close = neighbourhoods(vectors.detach() @ bank.mT, labels_of(2, 5, 40), torch.arange(3), 10)
    noise = torch.randint(40, (3, 12), generator=torch.Generator().manual_seed(14))
    log_z = torch.tensor(4.0, dtype=torch.float64)
    for loss in (
        lambda v: softmax_loss(v, bank, torch.arange(3), 0.5),
        lambda v: nce_loss(v, bank[:3], bank[noise], 40, log_z, 0.5),
        lambda v: sampled_softmax_loss(v, bank[:3], bank[noise], 40, 0.5),
        lambda v: aggregation_loss(v, bank[near], close, 0.5),
    ):
        assert torch.autograd.gradcheck(loss, (vectors,))


def test_few_background_neighbours_leave_a_video_out_of_its_own_cluster():
    """The nearest entry need not be the video's own: the empty set of a fresh bank."""
    bank = torch.eye(3)
    _, close = neighbourhoods(torch.tensor([[0.1, 0.9, 0.0]]), torch.arange(3)[None], torch.tensor([0]), 1)
    assert not bool(close.any())
    assert neighbourhoods(bank[:1], torch.arange(3)[None], torch.tensor([0]), 1)[1].tolist() == [[True]]
