"""Files of weights of every age: containers, prefixes, heads, other networks, and files that would run code."""

from __future__ import annotations

import argparse
import os
import time

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from harness.backbones.r3d_18 import R3D18
from harness.backbones.start import Start
from harness.backbones.weights import StartedBackbone, load_weights, match_weights, read_weights
from harness.cards import BackboneCard
from harness.errors import DataError
from harness.testing.fixtures import TinyBackbone


@pytest.fixture
def trained():
    """State of a network whose weights are others than those that a seed gives."""
    network = TinyBackbone().build(seed=7)
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


@pytest.fixture
def start(tmp_path):
    def write(content, name="a.pth", **parts):
        path = tmp_path / name
        torch.save(content, path)
        return Start(weights=str(path), learnt_from="ucf101", labels=False, **parts)

    return write


class Named:
    """What a message needs of a backbone."""

    def __init__(self, name):
        self.card = BackboneCard(name=name, summary="A network.", dim=1)


def built(start, seed=0):
    return StartedBackbone(TinyBackbone(), start).build(seed=seed).state_dict()


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def prefixed(prefix, state):
    return {prefix + name: tensor for name, tensor in state.items()}


@pytest.mark.parametrize(
    "prefix",
    ["", "module.", "backbone.", "encoder.", "module.encoder.", "module.encoder_q.", "_orig_mod.model.", "videomae."],
)
@pytest.mark.parametrize("container", [(), ("state_dict",), ("model",), ("model_state",), ("model", "state_dict")])
def test_old_checkpoints_load(start, trained, prefix, container):
    content = prefixed(prefix, trained)
    for name in reversed(container):
        content = {name: content, "epoch": 3, "args": argparse.Namespace(lr=0.1), "best": np.float64(0.5)}
    assert not equal(TinyBackbone().build(seed=0).state_dict(), trained)
    assert equal(built(start(content)), trained)


def test_safetensors_load(tmp_path, trained):
    path = tmp_path / "a.safetensors"
    safetensors.torch.save_file(prefixed("module.", trained), path)
    assert equal(built(Start(weights=str(path), learnt_from="ucf101", labels=False)), trained)


def test_a_prefix_of_the_network_itself_is_no_wrapper():
    state = {"encoder.a": torch.ones(2), "encoder.b": torch.ones(3)}
    match = match_weights({"module.encoder.a": torch.zeros(2), "module.encoder.b": torch.zeros(3)}, state)
    assert match.complete
    assert list(match.tensors) == ["encoder.a", "encoder.b"]


def test_many_names_are_matched_in_a_moment():
    state = {f"blocks.{block}.attn.{part}.weight": torch.ones(1) for block in range(48) for part in range(12)}
    started = time.process_time()
    match = match_weights(prefixed("module.encoder.", state), state)
    assert match.complete
    assert time.process_time() - started < 2


def test_a_network_inside_another_loads_what_is_named_without_it():
    match = match_weights({"conv1.weight": torch.ones(2)}, {"feature_map.conv1.weight": torch.zeros(2)})
    assert match.complete
    assert match.tensors["feature_map.conv1.weight"].sum() == 2


def test_a_classifier_head_is_left_out_by_a_stated_option(start):
    backbone, network = R3D18(), R3D18().build(seed=1)
    content = {"state_dict": prefixed("module.", network.state_dict())}
    content["state_dict"] |= {"module.fc.weight": torch.ones(400, 512), "module.fc.bias": torch.ones(400)}
    for ignore in (["fc."], ["module.fc."]):
        match = load_weights(backbone.build(seed=0), start(content, ignore=tuple(ignore)), backbone)
        assert match.ignored == ("module.fc.weight", "module.fc.bias")
        assert match.loaded == "100.0 % of 33,166,272 parameters"
    with pytest.raises(
        DataError, match=r"unexpected: 2 \(module.fc.weight, module.fc.bias\); `ignore: \[module.\]`|fc"
    ):
        load_weights(backbone.build(seed=0), start(content), backbone)


def test_a_misfit_lists_what_is_missing_unexpected_and_of_another_shape(start):
    network = nn.Sequential(*(nn.Linear(2, 2) for _ in range(5)))
    state = network.state_dict()
    content = {f"other.{number}": torch.ones(1) for number in range(5)} | {
        "0.weight": torch.ones(2, 2),
        "0.bias": torch.ones(7),
        "1.weight": torch.ones(2, 2),
    }
    with pytest.raises(DataError) as caught:
        load_weights(network, start(content), Named("five"))
    message = str(caught.value)
    assert "do not fit 'five': 26.7 % of 30 parameters fit" in message  # 2 of 5 x 6
    assert "missing: 7 (1.bias, 2.weight, 2.bias, and 4 more)" in message
    assert "unexpected: 5 (other.0, other.1, other.2, and 2 more)" in message
    assert "of another shape: 1 (0.bias: expected (2,), got (7,))" in message
    assert message.endswith("`strict: false` loads what fits")
    assert "\n" not in message
    assert equal(network.state_dict(), state)

    match = load_weights(network, start(content, strict=False), Named("five"))
    assert match.parameters == (8, 30)
    assert (network[0].weight == 1).all()
    assert torch.equal(network[2].weight, state["2.weight"])
    assert set(match.differences) == {"missing", "unexpected", "of another shape"}


def test_a_momentum_encoder_beside_the_encoder_is_named_to_be_ignored(start, trained):
    both = prefixed("module.encoder_q.", trained) | prefixed("module.encoder_k.", trained)
    content = both | {"module.queue": torch.ones(3)}
    with pytest.raises(DataError, match=r"`ignore: \[module.encoder_k., module.queue\]` leaves them out"):
        built(start(content))
    assert equal(built(start(content, ignore=("module.encoder_k.", "module.queue"))), trained)


def test_the_momentum_encoder_is_chosen_by_ignoring_the_other(start, trained):
    other = TinyBackbone().build(seed=3).state_dict()
    content = prefixed("encoder_q.", other) | prefixed("encoder_k.", trained)
    assert equal(built(start(content, ignore=("encoder_q.",))), trained)
    assert equal(built(start(content, ignore=("encoder_k.",))), other)


def test_the_remedy_names_no_more_than_what_is_unexpected():
    state = {"blocks.0.conv.weight": torch.ones(2), "blocks.1.conv.weight": torch.ones(2)}
    file = state | {"blocks.1.proj.weight": torch.ones(3), "blocks.1.proj.bias": torch.ones(3), "head": torch.ones(1)}
    assert match_weights(prefixed("module.", file), state).outside == ("module.blocks.1.proj.", "module.head")


@pytest.mark.parametrize("strict", [True, False])
def test_nothing_loaded_is_an_error_always(start, strict):
    with pytest.raises(DataError, match=r"0.0 % of .* parameters fit.*; name the backbone that they are of"):
        built(start({"a": torch.ones(1)}, strict=strict))


def test_counters_of_batch_normalisation_alone_are_nothing(start):
    network = nn.Sequential(nn.Conv1d(1, 1, 1), nn.BatchNorm1d(1))
    with pytest.raises(DataError, match=r"0.0 % of 4 parameters"):
        load_weights(network, start({"1.num_batches_tracked": torch.tensor(3)}, strict=False), Named("small"))


def test_checkpoints_from_before_the_counters_of_batch_normalisation_are_complete():
    state = nn.BatchNorm1d(2).state_dict()
    assert match_weights({name: state[name] for name in state if "tracked" not in name}, state).complete


def test_the_rest_of_a_file_that_is_not_strict_is_random_by_the_seed(start, trained):
    name, *_ = trained
    partial = start({name: trained[name]}, strict=False)
    for seed in (0, 1):
        assert equal(built(partial, seed), TinyBackbone().build(seed=seed).state_dict() | {name: trained[name]})


def test_several_networks_in_a_file_are_chosen_from_by_name(start, trained):
    content = {"student": TinyBackbone().build(seed=3).state_dict(), "teacher": trained, "optimizer": {"state": {}}}
    content["optimizer"]["state"] = {0: {"momentum": torch.ones(1)}}
    with pytest.raises(DataError, match="several entries hold tensors: student, teacher; choose one, as by `entry: st"):
        built(start(content))
    assert equal(built(start(content, entry="teacher")), trained)
    with pytest.raises(DataError, match="expected an entry 'ema', got student, teacher"):
        built(start(content, entry="ema"))


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_no_code_of_a_file_is_run(tmp_path, start, trained):
    with pytest.raises(
        DataError, match=r"it needs \w+.mkdir to be run, which could do anything; expected tensors"
    ) as e:
        built(start({"state_dict": trained, "more": Malicious(tmp_path / "made")}))
    assert not (tmp_path / "made").exists()
    assert "\n" not in str(e.value)


def test_a_network_pickled_whole_is_refused_in_one_line(start):
    with pytest.raises(DataError, match=r"it needs torch.nn.modules.linear.Linear to be run"):
        built(start(nn.Linear(2, 2)))


@pytest.mark.parametrize("name", ["a.pth", "a.safetensors"])
def test_what_is_no_file_of_weights_is_refused_in_one_line(tmp_path, name):
    (tmp_path / name).write_bytes(b"hello, this is text")
    with pytest.raises(DataError, match="it cannot be read as weights") as caught:
        read_weights(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_file_without_tensors_is_refused(start):
    with pytest.raises(DataError, match="expected a mapping of names to tensors, got list without any"):
        built(start([1, 2]))


def test_a_missing_file_and_another_than_expected_are_refused(tmp_path, start, trained):
    with pytest.raises(DataError, match="there is no such file"):
        read_weights(tmp_path / "none.pth")
    with pytest.raises(DataError, match="the file is another than when the suite was planned"):
        built(start(trained, sha256="0" * 64))
