"""Sessions: stages that are done once, vectors, and a method that clusters and re-trains, killed anywhere."""

from __future__ import annotations

import signal
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from harness.encoders.network import NetworkEncoder
from harness.errors import PluginError
from harness.testing.brightness import all_weights
from harness.testing.clustering import ClusterRounds
from harness.testing.fixtures import MovingSquares, TinyBackbone
from harness.training.session import TrainingSession
from harness.values import Batch, Budget, VideoBatch
from harness.video.loader import video_clips

MORTAL = """
import os, pathlib, signal, sys
import torch
from harness.interfaces import Budget
from harness.testing.clustering import ClusterRounds
from harness.testing.fixtures import MovingSquares, TinyBackbone
from harness.training import checkpoints
from harness.training.session import TrainingSession

checkpoints.SECONDS = 0.0
torch.set_num_threads(1)
folder, death = pathlib.Path(sys.argv[1]), sys.argv[2]

class Mortal(ClusterRounds):
    def round(self, loss, inputs, train, session, number, stage):
        if death == f"round {number}":
            os.kill(os.getpid(), signal.SIGKILL)
        super().round(loss, inputs, train, session, number, stage)

    def batch(self, train, view, session, number, step):
        if death == f"step {number} {step}":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().batch(train, view, session, number, step)

session = TrainingSession(Budget(frames=3 * 20 * 8 * 8, seed=0), name="rounds", identity="key", folder=folder)
Mortal().fit(TinyBackbone(), MovingSquares().split("train").unlabelled(), session)
"""


def killed(folder, death):
    """Fit in another process that dies; what it told until then."""
    command = [sys.executable, "-c", MORTAL, str(folder), death]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    return done.stderr


def fit_rounds(folder):
    """Fit three rounds of 20 steps, 8 clips of 8 frames each."""
    one = TrainingSession(Budget(frames=3 * 20 * 8 * 8, seed=0), name="rounds", identity="key", folder=folder)
    return all_weights(ClusterRounds().fit(TinyBackbone(), MovingSquares().split("train").unlabelled(), one))


def test_killed_inside_a_round_and_between_rounds_it_ends_with_the_same_bits(tmp_path, capfd, one_thread):
    killed(tmp_path, "step 1 15")
    stored = sorted(path.stem.count("-") for path in (tmp_path / "checkpoints").iterdir())
    assert stored == [0, 2]  # the state after round 0, and step 10 of round 1
    told = killed(tmp_path, "round 2")
    assert "going on from step 10 of 20" in told
    assert "round-0" not in told
    capfd.readouterr()
    resumed = fit_rounds(tmp_path)
    told = capfd.readouterr().err
    assert "fitting rounds, round-2" in told
    assert "round-1" not in told
    assert torch.equal(resumed, fit_rounds(None))
    untrained = NetworkEncoder.of(TinyBackbone().build(seed=0), TinyBackbone())
    assert not torch.equal(resumed, all_weights(untrained))


class Numbers:
    """State that is no module."""

    def __init__(self):
        self.value = torch.zeros(2)

    def state_dict(self):
        return {"value": self.value, "kind": "numbers"}

    def load_state_dict(self, state):
        self.value = state["value"]


def session(folder=None, identity="key"):
    return TrainingSession(Budget(frames=0, seed=0), name="some", identity=identity, folder=folder)


def count(into, state, one):
    """Run a stage that adds to the numbers."""

    def add(stage):
        state.value = state.value + 1

    one.stage(into, add, state)
    return state.value.tolist()


def test_a_finished_stage_is_loaded(tmp_path):
    assert count("first", Numbers(), session(tmp_path)) == [1.0, 1.0]
    state = Numbers()
    state.value += 5
    again = session(tmp_path)
    assert count("first", state, again) == [1.0, 1.0]
    assert count("second", state, again) == [2.0, 2.0]


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_a_damaged_stage_is_run_again(tmp_path, capsys, content):
    count("first", Numbers(), session(tmp_path))
    (stored,) = tmp_path.rglob("*.pt")
    whole = stored.read_bytes()
    stored.write_bytes(whole[: len(whole) // 2] if content is None else content)
    state = Numbers()
    state.value += 5
    assert count("first", state, session(tmp_path)) == [6.0, 6.0]
    assert f"{stored}: damaged (" in capsys.readouterr().err
    assert count("first", Numbers(), session(tmp_path)) == [6.0, 6.0]


def test_stages_of_another_fit_and_without_a_folder_are_run(tmp_path):
    count("first", Numbers(), session(tmp_path))
    state = Numbers()
    state.value += 5
    assert count("first", state, session(tmp_path, identity="other")) == [6.0, 6.0]
    assert count("first", state, session()) == [7.0, 7.0]


def test_a_stage_that_fails_is_not_finished(tmp_path):
    def fail(stage):
        raise KeyError

    with pytest.raises(KeyError):
        session(tmp_path).stage("first", fail, Numbers())
    assert count("first", Numbers(), session(tmp_path)) == [1.0, 1.0]


def test_names_of_stages():
    one = session()
    count("first", Numbers(), one)
    for name in ("first", "../first", ""):
        with pytest.raises(PluginError, match="expected a short name that no other stage of the fit has"):
            count(name, Numbers(), one)


class Slope(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(()))

    def forward(self, clips):
        return self.weight * clips.mean()


def train(one, loss, steps=20, stop=None):
    def batch(step):
        if step == stop:
            raise KeyError
        return Batch(torch.full((1, 3, 8, 32, 32), step, dtype=torch.uint8))

    optimizer = torch.optim.SGD(loss.parameters(), lr=0.1)
    one.train(loss, TinyBackbone.inputs, batch, steps=steps, optimizer=optimizer)
    return float(loss.weight.detach())


def test_a_stage_trains_with_what_it_is_given():
    one, loss = session(), Slope()
    with pytest.raises(PluginError, match="stage 'first' of method 'some' trained with the session"):
        one.stage("first", lambda stage: train(one, loss), loss)


def test_trainings_of_one_fit_have_their_own_checkpoints_and_logs(tmp_path, often):
    one = session(tmp_path)
    first = train(one, Slope())
    with pytest.raises(KeyError):
        train(one, Slope(), stop=15)
    again = session(tmp_path)
    assert train(again, Slope()) == first
    assert train(again, Slope()) == first
    assert len(list((tmp_path / "tensorboard").rglob("events.*"))) == 4


def test_stages_have_seeds_and_logs_of_their_own(tmp_path):
    drawn = {}

    class Random(Slope):
        def forward(self, clips):
            drawn[self.name] = float(torch.rand(()))
            return super().forward(clips)

    one = session(tmp_path)
    for name in ("first", "second"):
        loss = Random()
        loss.name = name
        one.stage(name, lambda stage, loss=loss: train(stage, loss, steps=1), loss)
        assert list((tmp_path / "tensorboard" / name).glob("events.*"))
    assert len(set(drawn.values())) == 2


def test_vectors_are_means_over_clips_in_evaluation_mode():
    inputs = replace(TinyBackbone.inputs, view=replace(TinyBackbone.inputs.view, clips=2, crops=3))
    split = MovingSquares().split("test")
    network = TinyBackbone().build(seed=0).train()
    network[7].eval()
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    vectors = session().encode(network, inputs, split)
    assert [module.training for module in network] == [True] * 7 + [False]
    assert all(torch.equal(state[name], tensor) for name, tensor in network.state_dict().items())
    assert not vectors.requires_grad
    encoder = NetworkEncoder(network, inputs)
    for index in (0, 17):
        expected = encoder.encode(VideoBatch(video_clips(split, index, inputs.view))).mean(0)
        torch.testing.assert_close(vectors[index], expected)
    assert vectors.shape == (len(split), 16)
