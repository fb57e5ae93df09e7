"""The training loop: budget kept, resumable to the bit, divergence told, nothing left behind."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from harness.backbones.small_2d import Small2D
from harness.cards import MethodCard
from harness.errors import DivergedError, PluginError, UsageError
from harness.interfaces import Budget
from harness.testing.fixtures import MovingSquares, TinyBackbone
from harness.training import checkpoints
from harness.training.gradient_method import Batch, GradientMethod

CARD = MethodCard(name="brightness", summary="Predicts the mean brightness; for tests.")


class Brightness(nn.Module):
    def __init__(self, network, dim):
        super().__init__()
        self.network = network
        self.head = nn.Linear(dim, 1)
        self.epochs = 0

    def forward(self, clips, targets):
        return (self.head(self.network(clips)).squeeze(1) - targets).square().mean()


@dataclass(kw_only=True)
class Predictor(GradientMethod):
    card: ClassVar[MethodCard] = CARD
    batch_size: int = 8
    lr: float = 0.01
    announced: int = 4
    spoil: int = -1
    """The draw whose target is NaN."""

    def __post_init__(self):
        self.drawn = []
        self.epochs = []

    def frames_per_example(self, view):
        return self.announced

    def draw(self, train, view, size, generator):
        videos = torch.randint(len(train), (size,), generator=generator).tolist()
        clips = torch.stack([train.read(video, [0, 5, 10, 15], short_side=32) for video in videos])
        clips = clips.permute(0, 4, 1, 2, 3)[..., :32]
        targets = clips.float().mean((1, 2, 3, 4)) / 255
        if len(self.drawn) == self.spoil:
            targets[0] = float("nan")
        self.drawn.append(videos)
        return Batch(clips, targets)

    def objective(self, network, card, train):
        return Brightness(network, card.dim)

    def start_epoch(self, objective, train, epoch):
        self.epochs.append(epoch)


def train_split():
    return MovingSquares().split("train").unlabelled()


def weights(encoder):
    return torch.cat([tensor.flatten().double() for tensor in encoder.module.state_dict().values()])


def fit(folder=None, frames=1600, seed=0, **options):
    method = Predictor(**options)
    return method.fit(TinyBackbone(), train_split(), Budget(frames=frames, seed=seed, folder=folder)), method


def test_it_learns_and_keeps_its_budget():
    _, method = fit(frames=1615)
    assert sum(map(len, method.drawn)) * 4 == 1600  # 50 steps of 8 examples of 4 frames; another would be too much
    assert method.epochs == list(range(9))  # 48 videos: 6 steps an epoch


def test_a_budget_smaller_than_a_batch_makes_a_smaller_batch():
    _, method = fit(frames=20)
    assert [len(batch) for batch in method.drawn] == [5]


def test_equal_seeds_give_equal_weights_and_others_do_not():
    first, second, other = weights(fit()[0]), weights(fit()[0]), weights(fit(seed=1)[0])
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_nothing_is_left_behind(tmp_path, capfd):
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002 - the global state is what must not change
    random.seed(3)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    threads = threading.active_count(), torch.get_num_threads()
    fit(tmp_path)
    after = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
    assert (threading.active_count(), torch.get_num_threads()) == threads
    out, err = capfd.readouterr()
    assert out == ""
    assert "fitting brightness" in err


def test_a_tensorboard_log_is_written(tmp_path):
    fit(tmp_path)
    assert list((tmp_path / "tensorboard").glob("events.out.tfevents.*"))


@pytest.mark.parametrize("step", [0, 7, 49])
def test_a_loss_that_is_no_number_is_divergence(step):
    with pytest.raises(DivergedError, match="'brightness' diverged"):
        fit(spoil=step)


def test_impossible_budgets_and_batches_that_cheat():
    with pytest.raises(UsageError, match="one example shows 4 frames, and the budget is 3"):
        fit(frames=3)
    with pytest.raises(PluginError, match="drew a batch of 32 frames, having announced 8"):
        fit(announced=1)


@pytest.fixture
def often(monkeypatch):
    """A checkpoint at every look at the clock."""
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)


class StopError(Exception):
    pass


def interrupted(folder, at):
    """A fit that ends with an error in draw `at`."""

    class Interrupted(Predictor):
        def draw(self, *arguments):
            if len(self.drawn) == at:
                raise StopError
            return super().draw(*arguments)

    with pytest.raises(StopError):
        Interrupted().fit(TinyBackbone(), train_split(), Budget(frames=1600, seed=0, folder=folder))


def test_going_on_equals_never_having_stopped(tmp_path, often):
    interrupted(tmp_path, 35)
    resumed, method = fit(tmp_path)
    assert len(method.drawn) == 20  # 50 steps, 30 of them in the checkpoint
    assert torch.equal(weights(resumed), weights(fit()[0]))


def test_a_damaged_checkpoint_is_passed_over(tmp_path, often, capfd):
    interrupted(tmp_path, 35)
    stored = sorted((tmp_path / "checkpoints").iterdir())
    assert len(stored) == 2
    stored[-1].write_bytes(stored[-1].read_bytes()[:-100])
    resumed, method = fit(tmp_path)
    assert "damaged checkpoint" in capfd.readouterr().err
    assert len(method.drawn) == 30
    assert torch.equal(weights(resumed), weights(fit()[0]))


def test_checkpoints_of_another_fit_are_left_alone(tmp_path, often):
    interrupted(tmp_path, 35)
    for options in ({"lr": 0.02}, {"seed": 1}, {"frames": 1632}):
        assert len(fit(tmp_path, **options)[1].drawn) >= 50


KILLED = """
import sys, pathlib
sys.path.insert(0, sys.argv[2])
from harness.training import checkpoints
checkpoints.SECONDS = 0.0
import test_gradient_method
test_gradient_method.fit(pathlib.Path(sys.argv[1]), frames=6400)
"""


def test_kill_9_in_the_middle_of_a_fit(tmp_path, often):
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(Path(__file__).parent)]
    folder = tmp_path / "checkpoints"
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and len(list(folder.glob("[!.]*.pt"))) < 2:
            time.sleep(0.01)
        process.kill()
    assert process.returncode == -signal.SIGKILL
    resumed, method = fit(tmp_path, frames=6400)
    assert 0 < len(method.drawn) < 200
    assert torch.equal(weights(resumed), weights(fit(frames=6400)[0]))


class Alike(Predictor):
    """Every process draws the same examples, so that two together compute what one does alone."""

    def draw(self, train, view, size, generator):
        return super().draw(train, view, size, torch.Generator().manual_seed(len(self.drawn)))


def fit_alike(batch_size, frames, folder=None):
    method = Alike(batch_size=batch_size, lr=1e-3)
    backbone = Small2D()  # no dropout, which each process has of its own
    return weights(method.fit(backbone, train_split(), Budget(frames=frames, seed=0, folder=folder)))


def one_thread(function, *arguments):
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return function(*arguments)
    finally:
        torch.set_num_threads(threads)


TOGETHER = """
import os, pathlib, sys, warnings
warnings.simplefilter("error")
sys.path.insert(0, sys.argv[2])
from harness.training import checkpoints
checkpoints.SECONDS = 0.0
import test_gradient_method, torch
folder = pathlib.Path(sys.argv[1])
test_gradient_method.fit(frames=800)  # a suite has many fits in one process
torch.set_num_threads(1)
torch.save(test_gradient_method.fit_alike(8, 800, folder), folder / (os.environ["RANK"] + ".pt"))
"""


def test_two_processes_under_torchrun_learn_what_one_does(tmp_path):
    script = tmp_path / "together.py"
    script.write_text(TOGETHER)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # torchrun warns where it must choose
    done = subprocess.run(
        [*command, str(tmp_path), str(Path(__file__).parent)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second = torch.load(tmp_path / "0.pt"), torch.load(tmp_path / "1.pt")
    assert torch.equal(first, second)
    assert torch.equal(first, one_thread(fit_alike, 4, 400))
    assert done.stdout == ""
    assert done.stderr.count("fitting brightness ...") == 2  # once a fit, not once a process
    assert len(list((tmp_path / "checkpoints").iterdir())) == 2
    assert len(list((tmp_path / "tensorboard").iterdir())) == 1
