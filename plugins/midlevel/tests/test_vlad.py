"""VLAD-all against closed forms and a slow twin; the beta of a perplexity."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import entropy

from harness_dense_trajectories import rows
from harness_dense_trajectories.rows import offsets
from harness_midlevel.vlad import Vlad, calibrate_beta, mean_perplexity, normalise_blocks, vlad_all

K, D = 6, 4


def points(count, seed=1, dtype=torch.float64):
    return torch.randn(count, D, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def concepts(seed=0, count=K, dtype=torch.float64):
    return torch.randn(count, D, generator=torch.Generator().manual_seed(100 + seed), dtype=dtype)


def alone(x, centres, beta):
    return vlad_all(x, torch.tensor([0, len(x)]), centres, beta)[0]


def slow_shares(x, centres, beta):
    """Shares (N, K), from distances that are never expanded."""
    return softmax([[-beta * np.sum((point - centre) ** 2) for centre in centres] for point in x], axis=1)


def slow(x, centres, beta):
    """One concept and point at a time; (K, D)."""
    x, centres = x.double().numpy(), centres.double().numpy()
    total = np.zeros(centres.shape)
    if len(x):
        shares = slow_shares(x, centres, beta)
        for k, centre in enumerate(centres):
            for n, point in enumerate(x):
                total[k] += shares[n, k] * (point - centre)
    return total


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=6), st.integers(0, 1000), st.floats(0, 20))
def test_ragged_sets_equal_the_slow_twin(lengths, seed, beta):
    x, centres = points(sum(lengths), seed), concepts(seed)
    vectors = vlad_all(x, offsets(lengths), centres, beta)
    assert vectors.shape == (len(lengths), K, D)
    for vector, part in zip(vectors, x.split(lengths), strict=True):
        assert np.allclose(vector, slow(part, centres, beta), atol=1e-10)


def test_sharp_assignment_is_hard_vlad():
    x, centres = points(60), concepts()
    expected = torch.zeros(K, D, dtype=torch.float64)
    for point in x:
        winner = int((centres - point).norm(dim=1).argmin())
        expected[winner] += point - centres[winner]
    assert torch.allclose(alone(x, centres, 1e6), expected)
    assert not torch.allclose(alone(x, centres, 1.0), expected, atol=0.1)


def test_flat_assignment_shares_all_points_alike():
    x, centres = points(60), concepts()
    assert torch.allclose(alone(x, centres, 0.0), (x.sum(0) - 60 * centres) / K)


def test_one_point_between_two_concepts():
    """At a third of the way the squared distances differ by a third of the span."""
    vector = alone(torch.tensor([[1.0]]), torch.tensor([[0.0], [3.0]]), 0.2)
    share = 1 / (1 + math.exp(-0.2 * 3))
    assert vector.flatten().tolist() == pytest.approx([share, -2 * (1 - share)])


def test_permuted_concepts_permute_blocks():
    x, centres, order = points(50), concepts(), torch.tensor([3, 0, 5, 1, 4, 2])
    segments = torch.tensor([0, 20, 50])
    before, after = (vlad_all(x, segments, c, 0.7) for c in (centres, centres[order]))
    assert torch.allclose(after, before[:, order])
    assert not torch.allclose(after, before, atol=0.1)
    assert torch.allclose(normalise_blocks(after), normalise_blocks(before).view(2, K, D)[:, order].flatten(1))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 5e-6), (torch.float64, 1e-14)])
def test_the_order_of_points_changes_nothing(dtype, tolerance):
    x, centres = points(3000, dtype=dtype), concepts(dtype=dtype)
    shuffled = x[torch.randperm(3000, generator=torch.Generator().manual_seed(3))]
    before, after = alone(x, centres, 0.5), alone(shuffled, centres, 0.5)
    assert (after - before).norm() <= tolerance * before.norm()
    assert not torch.allclose(alone(shuffled[:2999], centres, 0.5), before, atol=1e-3)


def test_moved_points_and_concepts_give_the_same_residuals():
    """Far from the origin too, where |c|^2 is large beside the distances."""
    x, centres = points(300), concepts()
    far = alone((x + 100).float(), (centres + 100).float(), 0.8).double()
    assert torch.allclose(far, alone(x, centres, 0.8), atol=1e-2)
    assert torch.allclose(alone(x + 100, centres + 100, 0.8), alone(x, centres, 0.8), atol=1e-9)


def test_sets_do_not_depend_on_each_other_nor_on_blocks(monkeypatch):
    lengths = [0, 3, 700, 0, 0, 17, 40, 1, 0]
    x, centres = points(sum(lengths)), concepts()
    together = vlad_all(x, offsets(lengths), centres, 0.9)
    for vector, part in zip(together, x.split(lengths), strict=True):
        assert torch.equal(vector, alone(part, centres, 0.9))
    for size in (1, 200, 3000):
        monkeypatch.setattr(rows, "_CPU", size)
        assert torch.allclose(vlad_all(x, offsets(lengths), centres, 0.9), together, atol=1e-10)


def test_memory_holds_a_block_of_shares(monkeypatch):
    """No product has more rows than a block, however many points there are."""
    sizes = []
    inner = torch.Tensor.softmax
    monkeypatch.setattr(torch.Tensor, "softmax", lambda self, dim: sizes.append(self.numel()) or inner(self, dim))
    monkeypatch.setattr(rows, "_CPU", 2000)
    vlad_all(points(5000), torch.tensor([0, 1000, 5000]), concepts(), 1.0)
    assert sum(sizes) == 5000 * K
    assert max(sizes) <= 2000


def test_empty_sets_are_zeros():
    centres = concepts()
    assert vlad_all(points(0), torch.tensor([0, 0, 0]), centres, 1.0).tolist() == [[[0.0] * D] * K] * 2
    assert vlad_all(points(0), torch.tensor([0]), centres, 1.0).shape == (0, K, D)
    vectors = Vlad(centres, 1.0)(points(4), torch.tensor([0, 4, 4]))
    assert vectors[0].norm().item() == pytest.approx(1)
    assert torch.equal(vectors[1], torch.zeros(K * D, dtype=torch.float64))


def test_normalising_is_roots_then_blocks_then_the_whole():
    vectors = points(5 * K).view(5, K, D).clone()
    vectors[1, 2] = 0
    vectors[2] = 0
    vectors[3, 0] *= 1e-300
    expected = vectors.sign() * vectors.abs() ** 0.5
    expected = expected / expected.norm(dim=2, keepdim=True).clamp(min=1e-200)
    expected = expected.flatten(1) / expected.flatten(1).norm(dim=1, keepdim=True).clamp(min=1e-200)
    unit = normalise_blocks(vectors)
    assert torch.allclose(unit, expected)
    assert unit.norm(dim=1).tolist() == pytest.approx([1, 1, 0, 1, 1])
    lengths = unit.view(5, K, D).norm(dim=2)
    assert lengths[0].tolist() == pytest.approx([K**-0.5] * K)
    assert lengths[1].tolist() == pytest.approx([(K - 1) ** -0.5] * 2 + [0] + [(K - 1) ** -0.5] * (K - 3))
    assert lengths[2].tolist() == [0] * K


def test_normalising_leaves_its_input_alone_and_takes_no_sets():
    vectors = points(K).view(1, K, D)
    before = vectors.clone()
    normalise_blocks(vectors)
    assert torch.equal(vectors, before)
    assert normalise_blocks(torch.zeros(0, K, D)).shape == (0, K * D)


def test_the_encoding_is_its_parts_in_the_concepts_type():
    x, centres, segments = points(40), concepts(dtype=torch.float32), torch.tensor([0, 15, 40])
    encoding = Vlad(centres, 0.6)
    vectors = encoding(x, segments)
    assert encoding.dim == K * D
    assert torch.equal(vectors, normalise_blocks(vlad_all(x.float(), segments, centres, 0.6)))


@pytest.mark.parametrize("beta", [0.0, 0.1, 1.0, 30.0, 1e6])
def test_perplexity_equals_the_entropy_of_shares(beta, monkeypatch):
    x, centres = points(80), concepts()
    found = mean_perplexity(x, centres, beta)
    assert found == pytest.approx(np.exp(entropy(slow_shares(x.numpy(), centres.numpy(), beta), axis=1)).mean())
    assert 1 - 1e-12 <= found <= K + 1e-12
    monkeypatch.setattr(rows, "_CPU", 50)
    assert mean_perplexity(x, centres, beta) == pytest.approx(found)


def test_perplexity_goes_from_all_concepts_to_one():
    x, centres = points(80), concepts()
    found = [mean_perplexity(x, centres, beta) for beta in (0.0, 0.1, 1.0, 10.0, 1e6)]
    assert found == sorted(found, reverse=True)
    assert (found[0], found[-1]) == pytest.approx((K, 1))


@pytest.mark.parametrize("wanted", [1.01, 2.0, 3.0, K - 0.01])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_calibrated_beta_gives_the_perplexity(wanted, dtype):
    x, centres = points(300, dtype=dtype), concepts(dtype=dtype)
    beta = calibrate_beta(x, centres, perplexity=wanted)
    assert mean_perplexity(x, centres, beta) == pytest.approx(wanted, abs=1e-4)
    assert mean_perplexity(x, centres, 1.1 * beta) < wanted < mean_perplexity(x, centres, beta / 1.1)


def test_calibrated_beta_goes_with_the_inverse_square_of_the_scale():
    x, centres = points(300), concepts()
    beta = calibrate_beta(x, centres)
    for scale in (1e-3, 50.0):
        assert calibrate_beta(scale * x, scale * centres) == pytest.approx(beta / scale**2, rel=1e-5)


def test_points_on_concepts_have_a_beta_too():
    centres = concepts()
    assert mean_perplexity(centres, centres, calibrate_beta(centres, centres)) == pytest.approx(3, abs=1e-4)


def test_perplexities_out_of_reach():
    centres = concepts()
    for wanted in (1.0, 0.5, K, K + 1, math.nan):
        with pytest.raises(ValueError, match=f"below the number of concepts, {K}, got"):
            calibrate_beta(points(30), centres, perplexity=wanted)
    with pytest.raises(ValueError, match=r"no beta gives a mean perplexity of 1.5, only from 2 to"):
        calibrate_beta(points(30), centres.repeat(2, 1), perplexity=1.5)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_points_that_are_not_finite(value):
    x = points(30)
    x[12, 1] = value
    with pytest.raises(ValueError, match="NaN or infinite"):
        vlad_all(x, torch.tensor([0, 10, 30]), concepts(), 1.0)
    with pytest.raises(ValueError, match="NaN or infinite"):
        mean_perplexity(x, concepts(), 1.0)
    with pytest.raises(ValueError, match="NaN or infinite"):
        calibrate_beta(x, concepts())


@pytest.mark.parametrize("beta", [-1.0, math.nan, math.inf])
def test_betas_that_are_not_finite_or_negative(beta):
    with pytest.raises(ValueError, match=r"beta must be in \[0, inf\), got"):
        alone(points(5), concepts(), beta)


def test_other_bad_arguments():
    with pytest.raises(ValueError, match="segments must go up from 0 to the 4 rows"):
        vlad_all(points(4), torch.tensor([0, 5]), concepts(), 1.0)
    with pytest.raises(ValueError, match=r"x must be floating-point points \(N, 4\), got \(4, 5\)"):
        alone(torch.zeros(4, D + 1), concepts(), 1.0)
    with pytest.raises(ValueError, match="x must be floating-point"):
        alone(torch.zeros(4, D, dtype=torch.int64), concepts(), 1.0)
    with pytest.raises(ValueError, match=r"concepts must be \(K, D\), got"):
        alone(points(4), torch.zeros(0, D), 1.0)
    with pytest.raises(ValueError, match="at least one point"):
        mean_perplexity(points(0), concepts(), 1.0)
