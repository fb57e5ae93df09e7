"""Autoencoders: sizes, slow twins of the encoders, means and standardised codes."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.signal import correlate
from torch import nn
from torch.nn.functional import normalize

from harness_dense_trajectories import rows as row_blocks
from harness_midlevel.networks import Autoencoder, Interleave, descriptor_autoencoder, volume_autoencoder


def descriptors(count=24, dim=396):
    return normalize(torch.rand(count, dim), dim=1)


def volumes(count=4, high=200):
    return torch.randint(high, (count, 12, 16, 16), dtype=torch.uint8)


CASES = {"descriptors": (descriptor_autoencoder, descriptors), "volumes": (volume_autoencoder, volumes)}


@pytest.fixture(params=CASES)
def case(request):
    """A network, and samples that its mean is of."""
    build, draw = CASES[request.param]
    network, samples = build(), draw()
    network.set_mean(samples)
    return network, samples


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_sizes_of_descriptors():
    network = descriptor_autoencoder()
    samples = descriptors(3)
    assert network.encode(samples).shape == (3, network.dim) == (3, 198)
    assert network.reconstruct(samples).shape == network.prepared(samples).shape == (3, 396)
    assert count(network.encoder) == 397 * 1000 + 1001 * 256 + 257 * 198
    assert count(network.decoder) == 199 * 256 + 257 * 1000 + 1001 * 396
    assert descriptor_autoencoder(30).encode(descriptors(2, 30)).shape == (2, 198)


def test_sizes_of_volumes():
    network = volume_autoencoder()
    samples = volumes(2)
    assert network.encode(samples).shape == (2, network.dim) == (2, 512)
    assert network.encoder(network.prepared(samples)).shape == (2, 128, 1, 4, 4)
    assert network.reconstruct(samples).shape == network.prepared(samples).shape == (2, 1, 12, 16, 16)
    assert count(network.encoder) == (75 + 1) * 16 + (27 * 16 + 1) * 32 + (27 * 32 + 1) * 128
    assert count(network.decoder) == (27 * 128 + 1) * 32 + (27 * 32 + 1) * 16 + (27 * 16 + 1) * 8


def test_repeated_pixels_before_a_convolution_are_a_case_of_interleaving():
    wide = nn.Conv3d(4, 1, (3, 5, 5), padding="same")
    narrow = nn.Conv3d(4, 8, 3, padding="same")
    with torch.no_grad():
        narrow.weight.zero_()
        narrow.bias.copy_(wide.bias.expand(8))
        for number, place in enumerate(itertools.product((0, 1), repeat=3)):
            for tap in itertools.product(range(3), range(5), range(5)):
                t, y, x = ((at + one - half) // 2 + 1 for at, one, half in zip(place, tap, (1, 2, 2), strict=True))
                narrow.weight[number, :, t, y, x] += wide.weight[0, :, tap[0], tap[1], tap[2]]
    small = torch.randn(2, 4, 3, 5, 4)
    torch.testing.assert_close(Interleave()(narrow(small)), wide(nn.Upsample(scale_factor=2)(small)))


def layers(module):
    """Weights and biases in float64 NumPy."""
    kinds = [layer for layer in module.modules() if isinstance(layer, nn.Linear | nn.Conv3d)]
    return [(one.weight.detach().double().numpy(), one.bias.detach().double().numpy()) for one in kinds]


def test_codes_of_descriptors_equal_their_slow_twin():
    network, samples = descriptor_autoencoder(), descriptors()
    network.set_mean(samples)
    first, second, third = layers(network.encoder)
    x = samples.double().numpy()
    x = x - x.mean(0)
    for weight, bias in (first, second):
        x = np.maximum(x @ weight.T + bias, 0)
    expected = x @ third[0].T + third[1]
    np.testing.assert_allclose(network.encode(samples).detach().numpy(), expected, atol=1e-6)


def convolved(maps, weight, bias):
    """Sums of correlations, filter by filter, zeros around the maps."""
    return np.stack([sum(map(mode_same, maps, one)) + b for one, b in zip(weight, bias, strict=True)])


def mode_same(one, kernel):
    return correlate(one, kernel, mode="same", method="direct")


def pooled(maps, *sizes):
    c, *shape = maps.shape
    cells = [part for length, size in zip(shape, sizes, strict=True) for part in (length // size, size)]
    return maps.reshape(c, *cells).max(axis=(2, 4, 6))


def test_codes_of_volumes_equal_their_slow_twin():
    network, samples = volume_autoencoder(), volumes()
    network.set_mean(samples)
    first, second, third = layers(network.encoder)
    values = samples.double().numpy() / 255
    values = values - values.mean((1, 2, 3), keepdims=True)
    maps = (values[:1] - values.mean(0)).astype(np.float64)
    maps = pooled(np.maximum(convolved(maps, *first), 0), 2, 2, 2)
    maps = pooled(np.maximum(convolved(maps, *second), 0), 2, 2, 2)
    valid = convolved(maps, *third)[:, 1:2]  # the only frame whose neighbours are all there
    expected = pooled(valid, 1, 2, 2).reshape(-1)
    np.testing.assert_allclose(network.encode(samples[:1])[0].detach().numpy(), expected, atol=1e-5)


def test_the_mean_is_that_of_the_samples_and_taken_anew(case):
    network, samples = case
    values = samples.double().numpy()
    own = values.reshape(len(values), -1).mean(1).reshape(-1, *[1] * (values.ndim - 1))
    expected = (values - own if network.centred else values).mean(0) * network.scale
    np.testing.assert_allclose(network.mean.numpy(), expected.reshape(network.mean.shape), atol=1e-6)
    once = network.mean.clone()
    network.set_mean(samples)
    assert torch.equal(network.mean, once)
    assert float(network.prepared(samples).mean(0).abs().max()) < 1e-6


def test_the_brightness_of_a_volume_changes_no_code():
    samples = volumes()
    network = volume_autoencoder()
    network.set_mean(samples)
    brighter = samples + torch.tensor([0, 20, 40, 55], dtype=torch.uint8).view(-1, 1, 1, 1)
    torch.testing.assert_close(network.encode(brighter), network.encode(samples), rtol=0, atol=1e-5)
    assert not torch.allclose(network.encode(samples // 2), network.encode(samples), atol=1e-3)


def test_a_code_is_the_same_alone_and_among_others(case):
    network, samples = case
    torch.testing.assert_close(network.encode(samples)[2:3], network.encode(samples[2:3]), rtol=0, atol=1e-6)


def test_standardised_codes_are_the_former_ones_shifted_and_scaled(case):
    network, samples = case
    before = {name: value.clone() for name, value in network.state_dict().items()}
    codes = network.encode(samples).detach().double()
    network.standardise(samples)
    after = network.encode(samples).detach().double()
    assert float(after.var(0, correction=0).mean().sqrt()) == pytest.approx(1, abs=1e-4)
    filters = after.reshape(len(samples), len(layers(network.encoder)[-1][1]), -1)
    assert float(filters.mean((0, 2)).abs().max()) < 1e-3
    scale = float(codes.var(0, correction=0).mean().sqrt())
    shift = codes.reshape(filters.shape).mean((0, 2), keepdim=True).expand_as(filters[:1]).reshape(1, -1)
    torch.testing.assert_close(after, (codes - shift) / scale, rtol=0, atol=1e-3)
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    last = max(int(name.split(".")[1]) for name in before if name.startswith("encoder."))
    assert changed == {f"encoder.{last}.weight", f"encoder.{last}.bias"}


def test_codes_of_descriptors_get_mean_zero_each():
    network, samples = descriptor_autoencoder(), descriptors()
    network.standardise(samples)
    assert float(network.encode(samples).mean(0).abs().max().detach()) < 1e-4


def test_equal_codes_cannot_be_standardised(case):
    network, samples = case
    with pytest.raises(ValueError, match="expected samples of different codes to standardise by, got 70 of equal ones"):
        network.standardise(samples[:1].expand(70, *samples.shape[1:]))


def test_blocks_change_nothing(case, monkeypatch):
    network, samples = case
    options = {"shape": network.mean.shape, "dim": network.dim, "scale": network.scale, "centred": network.centred}
    twin = Autoencoder(network.encoder, network.decoder, **options)
    twin.top = network.top
    monkeypatch.setattr(row_blocks, "_CPU", 8 * network.mean.numel())
    assert [len(block) for block in twin.blocks(samples)] == [2] * (len(samples) // 2)
    twin.set_mean(samples)
    torch.testing.assert_close(twin.mean, network.mean, rtol=0, atol=1e-7)
    twin.standardise(samples)
    codes = twin.encode(samples).detach()
    assert float(codes.var(0, correction=0).mean().sqrt()) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("build", [descriptor_autoencoder, volume_autoencoder])
def test_weights_are_those_of_the_seed(build):
    def weights(seed):
        torch.manual_seed(seed)
        return torch.cat([parameter.flatten() for parameter in build().parameters()])

    assert torch.equal(weights(3), weights(3))
    assert not torch.equal(weights(3), weights(4))


def test_samples_of_another_kind_are_refused():
    with pytest.raises(ValueError, match=r"expected samples \(N, 396\), got \(4, 12, 16, 16\)"):
        descriptor_autoencoder().encode(volumes())
    with pytest.raises(ValueError, match=r"expected samples \(N, 12, 16, 16\), got \(24, 396\)"):
        volume_autoencoder().encode(descriptors())


def test_gradients_pass_through_in_float64():
    network = Autoencoder(nn.Linear(3, 2), nn.Linear(2, 3), shape=(3,), dim=2).double()
    samples = torch.randn(4, 3, dtype=torch.float64)
    network.set_mean(samples)
    assert torch.autograd.gradcheck(network.encode, (samples.requires_grad_(),))
    assert torch.autograd.gradcheck(network.reconstruct, (samples,))
