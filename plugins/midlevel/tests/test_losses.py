"""Hinge and Fisher losses: closed forms, slow twins, libraries and gradients."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import calinski_harabasz_score
from sklearn.metrics import hinge_loss as binary_hinge_loss

from harness.functional.effective_rank import effective_rank
from harness_midlevel.losses import fisher_loss, hinge_loss


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def labels_of(count, clusters, seed=1):
    """Random clusters, each of which has a sample."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(clusters, (count - clusters,), generator=generator)
    return torch.cat([torch.arange(clusters), drawn])[torch.randperm(count, generator=generator)]


@pytest.fixture
def codes():
    """Codes of four clusters with different means."""
    return normal(20, 5) + 2 * normal(4, 5, seed=2)[labels_of(20, 4)]


LABELS = labels_of(20, 4)


@pytest.mark.parametrize("clusters", [1, 3, 600])
def test_outputs_of_zero_cost_one_a_cluster(clusters):
    assert float(hinge_loss(torch.zeros(4, clusters), torch.zeros(4, dtype=torch.int64))) == clusters


def test_hinge_in_closed_form():
    outputs = torch.tensor([[2.0, -2.0, -2.0], [-1.0, 0.5, -0.5]], dtype=torch.float64)
    assert float(hinge_loss(outputs[:1], torch.tensor([0]))) == 0
    assert float(hinge_loss(outputs[:1], torch.tensor([1]))) == 3 + 3
    assert float(hinge_loss(outputs, torch.tensor([0, 1]))) == pytest.approx((0 + 0.5 + 0.5) / 2)
    assert float(hinge_loss(outputs, torch.tensor([0, 1]), positive_weight=4)) == pytest.approx((0 + 2 + 0.5) / 2)


def slow_hinge(outputs, labels, weight):
    total = 0.0
    for row, label in zip(outputs.tolist(), labels.tolist(), strict=True):
        signs = [1 if k == label else -1 for k in range(len(row))]
        assert sum(signs) == 2 - len(row)
        terms = [max(0.0, 1 - d * t) for d, t in zip(row, signs, strict=True)]
        total += sum(terms) + (weight - 1) * terms[label]
    return total / len(outputs)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 7), st.floats(0.1, 10))
def test_hinge_equals_its_slow_twin(seed, count, clusters, weight):
    outputs = 2 * normal(count, clusters, seed=seed)
    labels = torch.randint(clusters, (count,), generator=torch.Generator().manual_seed(seed))
    expected = slow_hinge(outputs, labels, weight)
    assert float(hinge_loss(outputs, labels, positive_weight=weight)) == pytest.approx(expected)


def test_hinge_is_the_sum_of_two_class_losses_of_a_library():
    outputs = 2 * normal(20, 4, seed=3)
    truth = [np.where(LABELS.numpy() == k, 1, -1) for k in range(4)]
    expected = sum(binary_hinge_loss(truth[k], outputs[:, k].numpy()) for k in range(4))
    assert float(hinge_loss(outputs, LABELS)) == pytest.approx(expected)


def test_fisher_in_closed_form():
    """{0, 2} and {10, 12}: S_W = 4, S_B = 2 * 25 + 2 * 25."""
    codes = torch.tensor([[0.0], [10.0], [2.0], [12.0]], dtype=torch.float64)
    assert float(fisher_loss(codes, torch.tensor([0, 1, 0, 1]))) == pytest.approx(0.04)


def slow_fisher(codes, labels):
    """Traces of the scatter matrices of the paper, summed sample by sample."""
    y, owner = codes.numpy(), labels.tolist()
    mean = y.mean(0)
    within, between = np.zeros((y.shape[1],) * 2), np.zeros((y.shape[1],) * 2)
    for k in set(owner):
        own = [row for row, label in zip(y, owner, strict=True) if label == k]
        centre = sum(own) / len(own)
        for row in own:
            within += np.outer(row - centre, row - centre)
        between += len(own) * np.outer(mean - centre, mean - centre)
    return within, between


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6), st.integers(6, 30), st.integers(1, 8))
def test_fisher_equals_its_slow_twin(seed, clusters, count, dim):
    codes, labels = normal(count, dim, seed=seed), labels_of(count, clusters, seed)
    within, between = slow_fisher(codes, labels)
    total = float(codes.var(0, correction=0).sum()) * count
    assert np.trace(within) + np.trace(between) == pytest.approx(total)
    assert float(fisher_loss(codes, labels)) == pytest.approx(np.trace(within) / max(np.trace(between), 1e-6 * total))


def test_fisher_is_a_known_index_of_clusters(codes):
    """Calinski and Harabasz: (tr S_B / (K - 1)) / (tr S_W / (N - K))."""
    index = calinski_harabasz_score(codes.numpy(), LABELS.numpy())
    assert float(fisher_loss(codes, LABELS)) == pytest.approx((20 - 4) / (4 - 1) / index)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_neither_scale_nor_shift_changes_fisher(codes, scale, dtype):
    moved = (scale * (codes + 5)).to(dtype)
    torch.testing.assert_close(fisher_loss(moved, LABELS), fisher_loss(codes, LABELS).to(dtype), rtol=1e-4, atol=0)


def test_names_of_clusters_and_the_order_of_samples_mean_nothing_to_fisher(codes):
    names = torch.tensor([7, -3, 10**12, 0])
    order = torch.randperm(20)
    torch.testing.assert_close(fisher_loss(codes[order], names[LABELS[order]]), fisher_loss(codes, LABELS))


def test_clusters_of_one_have_no_scatter_within(codes):
    assert float(fisher_loss(codes, torch.arange(20))) == 0


def test_equal_codes_have_no_loss_and_no_gradient():
    codes = torch.full((4, 3), 0.5, requires_grad=True)
    loss = fisher_loss(codes, torch.tensor([0, 0, 1, 1]))
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(codes.grad, torch.zeros(4, 3))


@pytest.mark.parametrize("labels", [[0, 0, 1, 1], [0, 0, 0, 0]])
def test_the_denominator_has_a_floor(labels):
    """Clusters of one mean, or one cluster: the total scatter is that within."""
    codes = torch.tensor([[1.0], [-1.0], [2.0], [-2.0]], dtype=torch.float64, requires_grad=True)
    loss = fisher_loss(codes, torch.tensor(labels))
    loss.backward()
    assert loss.item() == pytest.approx(1e6)
    assert bool(codes.grad.isfinite().all())


def test_gradients_by_finite_differences(codes):
    codes.requires_grad_()
    assert torch.autograd.gradcheck(lambda y: fisher_loss(y, LABELS), (codes,))
    outputs = (2 * normal(20, 4, seed=3)).requires_grad_()
    assert float((outputs.detach().abs() - 1).abs().min()) > 1e-4  # no term at its kink
    assert torch.autograd.gradcheck(lambda d: hinge_loss(d, LABELS, positive_weight=3), (outputs,))


def test_the_gradient_of_fisher_in_closed_form(codes):
    """2 ((y - mu_k) tr S_B - (mu_k - mu) tr S_W) / tr^2 S_B, which neither shifts nor scales the codes."""
    within, between = (float(np.trace(one)) for one in slow_fisher(codes, LABELS))
    means = torch.stack([codes[k == LABELS].mean(0) for k in range(4)])[LABELS]
    expected = 2 * ((codes - means) * between - (means - codes.mean(0)) * within) / between**2
    (gradient,) = torch.autograd.grad(fisher_loss(codes.requires_grad_(), LABELS), codes)
    torch.testing.assert_close(gradient, expected)
    assert gradient.sum(0).abs().max().item() < 1e-12
    assert abs((gradient * (codes - codes.mean(0))).sum().item()) < 1e-12


def test_the_least_fisher_loss_of_a_linear_map_is_of_one_direction(codes):
    """The leading eigenvector of S_B v = lambda S_W v; maps of several directions come close by losing rank."""
    within, between = slow_fisher(codes, LABELS)
    values, vectors = scipy.linalg.eigh(between, within)
    best = codes @ torch.tensor(vectors[:, -1:])
    assert float(fisher_loss(best, LABELS)) == pytest.approx(1 / values[-1])
    weight = normal(5, 3, seed=4).requires_grad_()
    before = effective_rank(codes @ weight)
    optimizer = torch.optim.LBFGS([weight], max_iter=200, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = fisher_loss(codes @ weight, LABELS)
        loss.backward()
        return loss

    optimizer.step(closure)
    assert fisher_loss(codes @ weight, LABELS).item() == pytest.approx(1 / values[-1], rel=1e-4)
    assert effective_rank(codes @ weight) < 1.01 < 1.5 < before


@pytest.mark.parametrize("loss", [hinge_loss, fisher_loss])
@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (torch.zeros(3), torch.zeros(3, dtype=torch.int64)),
        (torch.zeros(3, 2), torch.zeros(2, dtype=torch.int64)),
        (torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64)),
        (torch.zeros(3, 2), torch.zeros(3)),
    ],
)
def test_what_is_no_sample_with_a_label_is_refused(loss, values, labels):
    with pytest.raises(ValueError, match=r"expected .* \(N, D\) and labels \(N,\) int64 of N > 0 samples, got"):
        loss(values, labels)


def test_one_precision_is_kept():
    losses = [loss(torch.eye(2), torch.tensor([0, 1])) for loss in (hinge_loss, fisher_loss)]
    assert [one.dtype for one in losses] == [torch.float32] * 2
    assert all(math.isfinite(one) for one in losses)
