"""Weights of a file as a method: the kit of third parties, no seed, and an encoder without the file."""

from __future__ import annotations

import pytest
import torch

from harness.errors import DataError
from harness.methods.pretrained import Pretrained
from harness.testing.fixtures import MovingSquares, TinyBackbone
from harness.testing.kit import failures
from harness.training.session import TrainingSession
from harness.values import Budget


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "a.pth"
    torch.save(TinyBackbone().build(seed=7).state_dict(), path)
    return path


def fitted(method, seed):
    session = TrainingSession(Budget(frames=1, seed=seed))
    return method.fit(TinyBackbone(), MovingSquares().split("train").unlabelled(), session)


def test_its_encoder_has_the_weights_and_outlives_the_file(tmp_path, file):
    copy = tmp_path / "copy.pth"
    copy.write_bytes(file.read_bytes())
    method = Pretrained(weights=str(copy), learnt_from="squares", labels=False)
    encoder = fitted(method, 5)
    encoder.save(tmp_path)
    copy.unlink()
    loaded, expected = method.load(TinyBackbone(), tmp_path), TinyBackbone().build(seed=7).state_dict()
    for module in (encoder.module, loaded.module):
        assert all(torch.equal(tensor, expected[name]) for name, tensor in module.state_dict().items())


def test_what_the_file_leaves_out_is_the_same_for_all_seeds(tmp_path, file):
    state = torch.load(file, weights_only=True)
    name = next(name for name in state if state[name].ndim > 1)
    torch.save({name: state[name]}, tmp_path / "part.pth")
    method = Pretrained(weights=str(tmp_path / "part.pth"), learnt_from="squares", labels=False, strict=False)
    one, other = (fitted(method, seed).module.state_dict() for seed in (0, 1))
    assert all(torch.equal(one[name], other[name]) for name in one)
    with pytest.raises(DataError, match="do not fit 'tiny'"):
        fitted(Pretrained(weights=method.weights, learnt_from="squares", labels=False), 0)


def test_it_passes_the_kit(file):
    assert failures(Pretrained(weights=str(file), learnt_from="squares", labels=False)) == {}
