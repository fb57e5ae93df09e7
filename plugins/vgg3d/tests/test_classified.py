"""Encoders that keep their classifier."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from harness.cards import View
from harness.encoders.frozen import CachedEncoder
from harness.errors import DataError
from harness.testing import MovingSquares
from harness.values import Inputs, VideoBatch
from harness_vgg3d.classified import CLASSES, CLASSIFIER, ClassifiedEncoder, ClassifiedNetwork, load_classified

INPUTS = Inputs(view=View(frames=4, stride="uniform", size=16))
NAMES = ("left", "right", "up", "down")


def network(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv3d(3, 5, 3), nn.AdaptiveAvgPool3d(1), nn.Flatten())


@pytest.fixture
def encoder():
    return ClassifiedEncoder(ClassifiedNetwork(network(0), nn.Linear(5, 4), NAMES), INPUTS)


@pytest.fixture
def batch():
    clips = torch.randint(256, (3, 3, 4, 16, 16), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    return VideoBatch(clips)


def test_logits_are_those_of_its_vectors():
    whole = ClassifiedNetwork(network(0), nn.Linear(5, 4), NAMES)
    clips = torch.randn(2, 3, 4, 16, 16)
    torch.testing.assert_close(whole(clips), whole.classifier(whole.network(clips)))


def test_it_promises_a_vector_a_network_and_the_task(encoder):
    assert encoder.promise.shape == (5,)
    assert encoder.promise.offers == {"vector", "trainable", "pretext"}
    assert encoder.promise.view == INPUTS.view


def test_what_is_loaded_is_what_was_saved(encoder, batch, tmp_path):
    encoder.save(tmp_path)
    loaded = load_classified(network(1), INPUTS, tmp_path)
    assert torch.equal(loaded.encode(batch), encoder.encode(batch))
    for name, tensor in encoder.pretext.classifier.state_dict().items():
        assert torch.equal(loaded.pretext.classifier.state_dict()[name], tensor)
    assert loaded.pretext.classes == NAMES
    assert not any(parameter.requires_grad for parameter in loaded.pretext.parameters())


def test_evaluators_get_a_copy(encoder):
    """Changing it changes neither the encoder nor its vectors."""
    frozen = CachedEncoder(encoder, key="key")
    copied = frozen.pretext()
    nn.init.zeros_(copied.classifier.weight)
    assert encoder.pretext.classifier.weight.abs().min() > 0
    vectors = frozen.features(MovingSquares().split("test")).vectors
    assert vectors.shape == (32, 5)


@pytest.mark.parametrize(
    ("file", "content"),
    [
        (CLASSIFIER, b""),
        (CLASSES, b'["left", "right"]'),
        (CLASSES, b"{"),
        (CLASSES, b"7"),
        ("weights.safetensors", b"no weights"),
    ],
)
def test_a_damaged_file_is_one_line(encoder, tmp_path, file, content):
    encoder.save(tmp_path)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(DataError, match=r"^.*the stored encoder cannot be read \(.*\); delete the folder and run"):
        load_classified(network(1), INPUTS, tmp_path)


def test_classes_are_written_as_names(encoder, tmp_path):
    encoder.save(tmp_path)
    assert json.loads((tmp_path / CLASSES).read_text()) == list(NAMES)
