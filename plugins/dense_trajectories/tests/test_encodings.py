"""Fisher vectors against scikit-image, a slow twin and autograd; bags of words."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.feature import fisher_vector
from sklearn.mixture import GaussianMixture

from harness_dense_trajectories import rows
from harness_dense_trajectories.encodings import bags, fisher_vectors, nearest, normalise
from harness_dense_trajectories.gmm import Gmm
from harness_dense_trajectories.rows import offsets

K, D = 5, 3


def mixture(seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(K, generator=generator, dtype=dtype).softmax(0)
    means = torch.randn(K, D, generator=generator, dtype=dtype)
    return Gmm(weights, means, torch.rand(K, D, generator=generator, dtype=dtype) + 0.3)


def points(count, seed=1, dtype=torch.float64):
    return torch.randn(count, D, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def slow(x, gmm):
    """Eq. 5 and 6 of the paper, one point and component at a time; (2KD,)."""
    weights, means, variances = (value.double().numpy() for value in (gmm.weights, gmm.means, gmm.variances))
    total = np.zeros((K, 2, D))
    for point in x.double().numpy():
        density = np.array(
            [
                w * np.prod(np.exp(-((point - m) ** 2) / (2 * v)) / np.sqrt(2 * np.pi * v))
                for w, m, v in zip(weights, means, variances, strict=True)
            ]
        )
        for k, posterior in enumerate(density / density.sum()):
            phi = (point - means[k]) / np.sqrt(variances[k])
            total[k] += posterior / np.sqrt(weights[k]) * np.stack([phi, (phi**2 - 1) / np.sqrt(2)])
    return total.ravel() / max(1, len(x))


def alone(x, gmm, **form):
    return fisher_vectors(x, torch.tensor([0, len(x)]), gmm, **form)[0]


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=6), st.integers(0, 1000))
def test_ragged_sets_equal_the_slow_twin(lengths, seed):
    x, gmm = points(sum(lengths), seed), mixture(seed)
    vectors = fisher_vectors(x, offsets(lengths), gmm)
    assert vectors.shape == (len(lengths), 2 * K * D)
    for vector, part in zip(vectors, x.split(lengths), strict=True):
        assert np.allclose(vector, slow(part, gmm), atol=1e-10)


def test_equals_scikit_image():
    """Its layout is [weights, all mu, all sigma], with the sign of sigma reversed."""
    x, gmm = points(200), mixture()
    model = GaussianMixture(K, covariance_type="diag")
    model.weights_, model.means_, model.covariances_ = (v.numpy() for v in (gmm.weights, gmm.means, gmm.variances))
    model.precisions_cholesky_ = 1 / np.sqrt(model.covariances_)
    theirs = fisher_vector(x.numpy(), model)[K:].reshape(2, K, D)
    ours = alone(x, gmm).view(K, 2, D).numpy()
    assert np.allclose(ours[:, 0], theirs[0])
    assert np.allclose(ours[:, 1], -theirs[1])
    improved = fisher_vector(x.numpy(), model, improved=True)
    assert not np.allclose(improved[K:], theirs.ravel())


def test_is_the_scaled_gradient_of_the_log_likelihood():
    x, gmm = points(50), mixture()
    means, deviations = gmm.means.clone().requires_grad_(), gmm.variances.sqrt().requires_grad_()
    components = torch.distributions.Normal(means, deviations).log_prob(x[:, None]).sum(2) + gmm.weights.log()
    by_mean, by_deviation = torch.autograd.grad(components.logsumexp(1).mean(), (means, deviations))
    ours = alone(x, gmm).view(K, 2, D)
    deviations, roots = gmm.variances.sqrt(), gmm.weights.sqrt()[:, None]
    assert torch.allclose(ours[:, 0], by_mean * deviations / roots)
    assert torch.allclose(ours[:, 1], by_deviation * deviations / (roots * math.sqrt(2)))


def test_released_is_a_scaling_of_the_paper():
    x, gmm = points(60), mixture()
    paper = alone(x, gmm).view(K, 2, D)
    released = alone(x, gmm, form="released").view(2, K, D)
    deviations, roots = gmm.variances.sqrt(), gmm.weights.sqrt()[:, None]
    assert torch.allclose(released[0], roots * deviations * paper[:, 0])
    assert torch.allclose(released[1], -math.sqrt(2) * roots * deviations**2 * paper[:, 1])
    first, second = (normalise(v.reshape(1, -1)) for v in (paper.transpose(0, 1), released))
    assert (first * second).sum().abs() < 0.99


def test_released_equals_its_definition():
    """The unscaled form from moments, in the order of the authors' code."""
    x, gmm = points(60), mixture()
    q = gmm.posteriors(x)
    mass, first, second = q.mean(0)[:, None], q.mT @ x / 60, q.mT @ x.square() / 60
    by_mean = first - mass * gmm.means
    by_deviation = -second - mass * gmm.means**2 + mass * gmm.variances + 2 * first * gmm.means
    assert torch.allclose(alone(x, gmm, form="released"), torch.cat([by_mean.flatten(), by_deviation.flatten()]))


def test_one_point_at_the_mean_of_one_component():
    gmm = Gmm(torch.ones(1), torch.tensor([[3.0, -2.0]]), torch.tensor([[0.5, 4.0]]))
    vector = alone(torch.tensor([[3.0, -2.0]]), gmm)
    assert torch.allclose(vector, torch.tensor([0, 0, -(0.5**0.5), -(0.5**0.5)]))


def test_points_of_the_mixture_itself_give_almost_nothing():
    """The expected gradient is 0, each entry's variance at most a constant by N."""
    gmm = Gmm(torch.ones(1), torch.zeros(1, D), torch.ones(1, D))
    assert alone(points(100_000, dtype=torch.float32), gmm).abs().max() < 0.02
    assert alone(points(100_000, dtype=torch.float32) + 1, gmm).abs().max() > 0.5


def test_small_posteriors_are_kept():
    """A far component has posterior e^-18 here, and so much of the vector."""
    gmm = Gmm(torch.tensor([0.5, 0.5]), torch.tensor([[0.0], [6.0]]), torch.ones(2, 1))
    vector = alone(torch.zeros(1, 1), gmm)
    posterior = math.exp(-18) / (1 + math.exp(-18))
    assert vector[2].item() == pytest.approx(posterior / math.sqrt(0.5) * -6, rel=1e-4)


def test_float32_equals_float64_far_from_the_origin():
    x, gmm = points(300), mixture()
    far = Gmm(gmm.weights.float(), (gmm.means + 100).float(), gmm.variances.float())
    assert torch.allclose(alone((x + 100).float(), far).double(), alone(x, gmm), atol=1e-4)


def test_sets_do_not_depend_on_each_other_nor_on_blocks(monkeypatch):
    lengths = [0, 3, 700, 0, 0, 17, 40, 1, 0]
    x, gmm = points(sum(lengths)), mixture()
    together = fisher_vectors(x, offsets(lengths), gmm)
    for vector, part in zip(together, x.split(lengths), strict=True):
        assert torch.allclose(vector, alone(part, gmm), atol=1e-10)
    for size in (1, 200, 3000):
        monkeypatch.setattr(rows, "_CPU", size)
        assert torch.allclose(fisher_vectors(x, offsets(lengths), gmm), together, atol=1e-10)


def test_memory_holds_a_block_of_posteriors(monkeypatch):
    """No product has more rows than a block, however many points there are."""
    sizes = []
    inner = torch.Tensor.softmax
    monkeypatch.setattr(torch.Tensor, "softmax", lambda self, dim: sizes.append(self.numel()) or inner(self, dim))
    monkeypatch.setattr(rows, "_CPU", 2000)
    fisher_vectors(points(5000), torch.tensor([0, 1000, 5000]), mixture())
    assert sum(sizes) >= 5000 * K
    assert max(sizes) <= 2000


def test_empty_sets_are_zero_vectors():
    gmm = mixture()
    assert fisher_vectors(points(0), torch.tensor([0, 0, 0]), gmm).tolist() == [[0.0] * (2 * K * D)] * 2
    assert fisher_vectors(points(0), torch.tensor([0]), gmm).shape == (0, 2 * K * D)
    for form in ("paper", "released"):
        vectors = normalise(fisher_vectors(points(4), torch.tensor([0, 4, 4]), gmm, form=form))
        assert torch.equal(vectors[1], torch.zeros(2 * K * D, dtype=torch.float64))


def test_normalising_is_power_then_length():
    vectors = torch.randn(6, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    vectors[2] = 0
    vectors[3] *= 1e-300
    powered = vectors.sign() * vectors.abs() ** 0.5
    expected = powered / powered.norm(dim=1, keepdim=True).clamp(min=1e-200)
    unit = normalise(vectors)
    assert torch.allclose(unit, expected)
    assert unit.norm(dim=1).tolist() == pytest.approx([1, 1, 0, 1, 1, 1])


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_points_that_are_not_finite(value):
    x = points(30)
    x[12, 1] = value
    with pytest.raises(ValueError, match="NaN or infinite"):
        fisher_vectors(x, torch.tensor([0, 10, 30]), mixture())


@pytest.mark.parametrize(
    "segments",
    [
        torch.tensor([0, 10]),
        torch.tensor([1, 30]),
        torch.tensor([0, 20, 10, 30]),
        torch.tensor([0.0, 30.0]),
        torch.tensor([], dtype=torch.int64),
        torch.tensor([[0, 30]]),
    ],
)
def test_segments_that_are_not_offsets(segments):
    with pytest.raises(ValueError, match="segments must"):
        fisher_vectors(points(30), segments, mixture())


def test_other_bad_arguments():
    with pytest.raises(ValueError, match="points"):
        fisher_vectors(torch.zeros(4, D + 1), torch.tensor([0, 4]), mixture())
    with pytest.raises(ValueError, match="form must be"):
        fisher_vectors(points(4), torch.tensor([0, 4]), mixture(), form="other")


def descriptors(count, dim=4, seed=0):
    return torch.randn(count, dim, generator=torch.Generator().manual_seed(seed))


def test_bags_equal_counting(monkeypatch):
    lengths = [5, 0, 40, 1, 0]
    x, centres = descriptors(sum(lengths)), descriptors(6, seed=1)
    monkeypatch.setattr(rows, "_CPU", 60)
    vectors = bags(x, offsets(lengths), centres)
    for bag, part in zip(vectors, x.split(lengths), strict=True):
        counts = [0] * 6
        for point in part.numpy():
            counts[int(np.argmin([np.linalg.norm(point - centre) for centre in centres.numpy()]))] += 1
        expected = [math.sqrt(count / max(1, len(part))) for count in counts]
        assert bag.tolist() == pytest.approx(expected)
    assert vectors.norm(dim=1).tolist() == pytest.approx([1, 0, 1, 1, 0])


def test_nearest_far_from_the_origin():
    x, centres = descriptors(500), descriptors(20, seed=1)
    x, centres = x + 1000, centres + 1000
    assert torch.equal(nearest(x, centres), (x[:, None] - centres).norm(dim=2).argmin(1))


def test_bags_of_no_sets():
    assert bags(descriptors(0), torch.tensor([0]), descriptors(3)).shape == (0, 3)


def test_bad_arguments_of_bags():
    with pytest.raises(ValueError, match="x must be"):
        bags(descriptors(3, dim=5), torch.tensor([0, 3]), descriptors(2))
    with pytest.raises(ValueError, match="x must be"):
        bags(torch.full((3, 4), torch.nan), torch.tensor([0, 3]), descriptors(2))
    with pytest.raises(ValueError, match="segments must"):
        bags(descriptors(3), torch.tensor([0, 4]), descriptors(2))
