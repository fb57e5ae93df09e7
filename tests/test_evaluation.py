"""Encoders evaluated from Python: what a stranger does with a network."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import harness
from harness.errors import HarnessError, UsageError
from harness.evaluators.knn import KNN
from harness.testing import MovingSquares

INPUTS = harness.Inputs(view=harness.View(frames=8, size=32))


def network():
    return nn.Sequential(nn.AdaptiveAvgPool3d((2, 4, 4)), nn.Flatten(), nn.Dropout(0.5))


def test_a_network_and_its_encoder_give_the_scores_of_a_suite(toy):
    network_scores = harness.evaluate(network().train(), "blobs", ["knn", {"name": "knn", "k": 5}], inputs=INPUTS)
    encoder = harness.NetworkEncoder(network(), INPUTS)
    assert list(network_scores) == ["knn", "knn(k=5)"]
    assert (
        harness.evaluate(encoder, harness.load_dataset("blobs"), ["knn"])["knn"].scores == network_scores["knn"].scores
    )


def test_features_are_encoded_once_for_all_evaluators(monkeypatch):
    encoder, calls = harness.NetworkEncoder(network(), INPUTS), []
    encode = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda batch: calls.append(len(batch)) or encode(batch))
    data = MovingSquares()
    harness.evaluate(encoder, data, ["knn", "linear_probe", "retrieval"])
    probes = 2  # the promise, and the fingerprint's
    assert sum(calls) <= len(data.split("train")) + len(data.split("test")) + probes


def test_features_are_encoded_once_for_evaluators_with_equal_options(monkeypatch):
    encoder, calls = harness.NetworkEncoder(network(), INPUTS), []
    encode = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda batch: calls.append(len(batch)) or encode(batch))
    data = MovingSquares()
    harness.evaluate(encoder, data, [{"name": "knn", "clips": 2}, {"name": "retrieval", "clips": 2}])
    probes = 2  # the promise, and the fingerprint's
    assert sum(calls) <= 2 * (len(data.split("train")) + len(data.split("test"))) + probes


def test_a_network_can_be_trained_on_after_it_was_measured():
    module = nn.Sequential(
        nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4), nn.AdaptiveAvgPool3d((1, 2, 2)), nn.Flatten(), nn.Linear(16, 8)
    )
    module[0].weight.requires_grad_(False)
    module[1].eval()

    def state():
        modes = {name: one.training for name, one in module.named_modules()}
        learnt = {name: (one.requires_grad, one.device) for name, one in module.named_parameters()}
        return modes, learnt, {name: one.tolist() for name, one in module.state_dict().items()}

    before = state()
    harness.evaluate(module, MovingSquares(), ["knn", "throughput"], inputs=INPUTS)
    assert state() == before
    module(torch.rand(2, 3, 8, 32, 32)).square().mean().backward()
    assert module[4].weight.grad.abs().sum() > 0
    assert module[0].weight.grad is None


def test_a_network_without_inputs_is_told_what_is_missing():
    with pytest.raises(UsageError, match=r"inputs=harness\.Inputs"):
        harness.evaluate(network(), MovingSquares(), ["knn"])


def test_inputs_beside_an_encoder_are_refused():
    with pytest.raises(UsageError, match="NetworkEncoder is an encoder with inputs of its own; leave inputs= out"):
        harness.evaluate(harness.NetworkEncoder(network(), INPUTS), MovingSquares(), ["knn"], inputs=INPUTS)


@pytest.mark.parametrize("device", ["cuda:99", "gpu", torch.device("meta")])
def test_a_device_that_is_not_here_is_refused(device):
    with pytest.raises(UsageError, match=f"device {device}: "):
        harness.evaluate(network(), MovingSquares(), ["knn"], inputs=INPUTS, device=device)


def test_a_negative_seed_is_refused():
    with pytest.raises(UsageError, match="expected a seed from 0 on, got -1"):
        harness.evaluate(network(), MovingSquares(), ["knn"], inputs=INPUTS, seed=-1)


class Outputs(nn.Module):
    """Makes of the vectors of a network what it is told to."""

    def __init__(self, make):
        super().__init__()
        self.network = network()
        self.make = make

    def forward(self, clips):
        return self.make(self.network(clips))


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda vectors: (vectors, None), "a tuple, no tensor"),
        (lambda vectors: {"logits": vectors}, "a dict, no tensor"),
        (lambda vectors: vectors[:, :0], r"a Tensor, \(1, 0\)"),
        (lambda vectors: vectors.to(torch.complex64), r"a Tensor, \(1, 96\) torch.complex64"),
    ],
)
def test_a_network_that_gives_no_vectors_is_named(make, what):
    with pytest.raises(UsageError, match=f"network Outputs gives {what}.*; expected a tensor of vectors"):
        harness.evaluate(Outputs(make), MovingSquares(), ["knn"], inputs=INPUTS)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_torchscript_network_is_measured():
    plain = network()
    scripted = torch.jit.trace(plain.eval(), torch.rand(1, 3, 8, 32, 32))
    expected, measured = (
        harness.evaluate(one, MovingSquares(), ["knn"], inputs=INPUTS)["knn"].scores for one in (plain, scripted)
    )
    assert measured == expected


def test_what_an_encoder_lacks_is_named_before_anything_is_encoded(monkeypatch):
    encoder, shown = harness.NetworkEncoder(network(), INPUTS), []
    encode = encoder.encode
    monkeypatch.setattr(encoder, "encode", lambda batch: shown.append(len(batch)) or encode(batch))
    with pytest.raises(UsageError, match="needs feature_map"):
        harness.evaluate(encoder, MovingSquares(), ["knn", "pose"])
    assert shown == [1]  # the black clip that the promise is found with


def test_an_evaluator_that_changes_the_encoder_is_caught(monkeypatch):
    module = nn.Sequential(nn.AdaptiveAvgPool3d((1, 4, 4)), nn.Flatten(), nn.Linear(48, 8))

    def meddle(self, encoder, data, *, seed):
        with torch.no_grad():
            module[2].bias.add_(1)
        return harness.Evaluation(())

    monkeypatch.setattr(KNN, "evaluate", meddle)
    with pytest.raises(HarnessError, match="changed the encoder"):
        harness.evaluate(harness.NetworkEncoder(module, INPUTS), MovingSquares(), ["knn"])


def test_one_evaluator_is_written_as_a_list_too():
    with pytest.raises(UsageError, match=r"expected a list of evaluators, got 'knn'"):
        harness.evaluate(network(), MovingSquares(), "knn", inputs=INPUTS)


def test_names_are_checked_as_in_suites():
    with pytest.raises(UsageError, match="did you mean 'knn'"):
        harness.evaluate(network(), MovingSquares(), ["kn"], inputs=INPUTS)


def test_options_without_a_name_are_refused():
    with pytest.raises(UsageError, match="mapping with `name`"):
        harness.evaluate(network(), MovingSquares(), [{"k": 5}], inputs=INPUTS)
