"""One encoder knows the classes of `MovingSquares`, the other nothing."""

from __future__ import annotations

import pytest
import torch

from harness.encoders.frozen import CachedEncoder
from harness.encoders.layers import output_of
from harness.testing import MovingSquares, UninformedEncoder, UntrainedEncoder, informed_encoder
from harness.values import VideoBatch


@pytest.mark.parametrize("name", ["train", "test"])
def test_the_informed_encoder_says_the_class(name):
    features = CachedEncoder(informed_encoder(), key="informed").features(MovingSquares().split(name))
    labels = features.labels("action")
    assert torch.equal(features.vectors.argmax(1), labels)
    share = features.vectors[torch.arange(len(labels)), labels] / features.vectors.sum(1)
    assert float(share.min()) > 0.95


def test_the_informed_encoder_has_a_gradient_for_those_who_train_it():
    module = informed_encoder().module.requires_grad_(True)
    module(torch.rand(2, 3, 8, 32, 32) * 4).sum().backward()
    assert module.gain.grad is not None
    assert torch.isfinite(module.gain.grad)


def test_the_untrained_encoder_has_everything():
    encoder = UntrainedEncoder()
    assert encoder.encode(VideoBatch(torch.zeros(2, 3, 8, 32, 32, dtype=torch.uint8))).shape == (2, 16)
    promise = encoder.promise
    assert (promise.shape, promise.offers) == ((16,), {"vector", "tokens", "trainable", "feature_map"})
    assert encoder.dim == 16
    maps = output_of(encoder.module, promise.spatial, torch.zeros(2, 3, 1, 40, 30))
    assert maps.shape == (2, 8, 1, 20, 15)


def test_the_uninformed_encoder_gives_noise_that_the_pixels_seed():
    encoder = UninformedEncoder()
    assert (encoder.promise.shape, encoder.promise.offers) == ((16,), {"vector"})
    clips = torch.randint(0, 256, (500, 3, 2, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    vectors = encoder.encode(VideoBatch(clips))
    assert vectors.shape == (500, 16)
    assert torch.equal(encoder.encode(VideoBatch(clips[3:5])), vectors[3:5])
    assert abs(float(vectors.mean())) < 0.05
    assert abs(float(vectors.std()) - 1) < 0.05
    correlations = torch.corrcoef(vectors.T) - torch.eye(16)
    assert float(correlations.abs().max()) < 0.2


def test_the_uninformed_encoder_tells_moved_pixels_apart():
    clips = torch.zeros(2, 3, 2, 4, 4, dtype=torch.uint8)
    clips[0, 0, 0, 0, 0] = clips[1, 0, 0, 0, 1] = 9
    one, other = UninformedEncoder().encode(VideoBatch(clips))
    assert not torch.equal(one, other)
