"""Training over processes: what two learn together is what one learns, and each has its own buffers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from harness.backbones.small_2d import Small2D
from harness.methods.along import KeepingShares
from harness.testing.brightness import PredictBrightness, all_weights, fit_brightness
from harness.testing.clustering import ClusterRounds
from harness.testing.fixtures import MovingSquares, PlainBackbone
from harness.training.distributed import assign, gather
from harness.training.session import TrainingSession
from harness.values import Budget


class Alike(PredictBrightness):
    """Every process draws the same examples, so that two together compute what one does alone."""

    def draw(self, train, view, size, generator):
        return super().draw(train, view, size, torch.Generator().manual_seed(len(self.drawn)))


TOGETHER = """
import atexit, os, pathlib, sys, warnings
warnings.simplefilter("error")
import torch
from torch import nn
from harness.backbones.small_2d import Small2D
from harness.interfaces import Batch, Budget
from harness.methods.along import KeepingShares
from harness.testing.brightness import PredictBrightness, all_weights, fit_brightness
from harness.testing.clustering import ClusterRounds
from harness.testing.fixtures import MovingSquares, PlainBackbone, TinyBackbone
from harness.training import checkpoints
from harness.training.session import TrainingSession

checkpoints.SECONDS = 0.0
torch.set_num_threads(1)
folder = pathlib.Path(sys.argv[1])

@atexit.register  # runs after what is registered later, such as the group's end
def threads():
    tasks = pathlib.Path("/proc/self/task")
    names = sorted((task / "comm").read_text() for task in tasks.iterdir()) if tasks.exists() else []
    (folder / f"threads-{os.environ['RANK']}").write_text("".join(names))

class Alike(PredictBrightness):
    def draw(self, train, view, size, generator):
        return super().draw(train, view, size, torch.Generator().manual_seed(len(self.drawn)))

class Counting(nn.Module):
    def __init__(self, rank):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.rank, self.seen = rank, []
        self.register_buffer("count", torch.zeros(()))
    def forward(self, clips):
        self.count += 1 + self.rank
        self.seen.append(int(self.count))
        return self.weight * clips.mean()

own = PredictBrightness()
fit_brightness(own, frames=1600)  # a suite has many fits in one process
alike = fit_brightness(Alike(lr=1e-3), folder, frames=800, backbone=Small2D())  # it has no dropout
kept = {}
keep = lambda share, encoder, *, step, steps: kept.update({share: (step, all_weights(encoder))})
along = fit_brightness(KeepingShares(Alike(lr=1e-3), (20, 50), keep), frames=800, backbone=Small2D())
session = TrainingSession(Budget(frames=0, seed=0))
rank = session.rank
counting = Counting(rank)
clips = torch.zeros(1, 3, 8, 32, 32, dtype=torch.uint8)
optimizer = torch.optim.SGD(counting.parameters(), lr=1.0)
session.train(counting, TinyBackbone.inputs, lambda _: Batch(clips), steps=3, optimizer=optimizer)
gathered = session.gather(torch.full((rank + 1, 2), float(rank)))
session = TrainingSession(Budget(frames=3 * 20 * 8 * 8, seed=0))
rounds = all_weights(ClusterRounds(lr=0.01).fit(PlainBackbone(), MovingSquares().split("train").unlabelled(), session))
torch.save(
    {"rounds": rounds, "alike": alike, "drawn": own.drawn, "gathered": gathered}
    | {"seen": counting.seen, "count": int(counting.count), "along": along, "kept": kept},
    folder / f"{rank}.pt",
)
"""


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What two processes under `torchrun` stored, the folder, and what they printed."""
    folder = tmp_path_factory.mktemp("two")
    script = folder / "together.py"
    script.write_text(TOGETHER)
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", str(script), str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"},  # torchrun warns where it must choose
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)], folder, done


def test_two_processes_learn_what_one_does(two, one_thread):
    (first, second), *_ = two
    assert torch.equal(first["alike"], second["alike"])
    alone = fit_brightness(Alike(batch_size=4, lr=1e-3), frames=400, backbone=Small2D())
    assert torch.equal(first["alike"], alone)


def test_the_first_keeps_shares_of_what_both_learn(two, one_thread):
    (first, second), *_ = two
    assert torch.equal(first["along"], first["alike"])
    assert torch.equal(second["along"], first["alike"])
    assert second["kept"] == {}
    kept = {}

    def keep(share, encoder, *, step, steps):
        kept[share] = step, all_weights(encoder)

    method = KeepingShares(Alike(batch_size=4, lr=1e-3), (20, 50), keep)
    fit_brightness(method, frames=400, backbone=Small2D())
    assert first["kept"].keys() == kept.keys() == {20, 50}
    assert all(first["kept"][share][0] == kept[share][0] for share in kept)
    assert all(torch.equal(first["kept"][share][1], kept[share][1]) for share in kept)


def test_a_memory_bank_is_one_bank(two, one_thread):
    (first, second), *_ = two
    assert torch.equal(first["rounds"], second["rounds"])
    session = TrainingSession(Budget(frames=3 * 20 * 8 * 8, seed=0))
    alone = ClusterRounds(lr=0.01).fit(PlainBackbone(), MovingSquares().split("train").unlabelled(), session)
    torch.testing.assert_close(first["rounds"], all_weights(alone), rtol=0, atol=1e-6)


def test_the_budget_is_shared_and_each_draws_its_own(two):
    (first, second), *_ = two
    assert [sum(map(len, one["drawn"])) for one in (first, second)] == [200, 200]  # 1600 frames, 4 a clip, two ranks
    assert first["drawn"] != second["drawn"]


def test_buffers_of_the_first_replace_those_of_the_others_only_at_the_end(two):
    (first, second), *_ = two
    assert (first["seen"], first["count"]) == ([1, 2, 3], 3)
    assert (second["seen"], second["count"]) == ([2, 4, 6], 3)


def test_rows_of_all_are_gathered_in_the_order_of_ranks(two):
    for one in two[0]:
        assert one["gathered"].tolist() == [[0.0, 0.0], [1.0, 1.0], [1.0, 1.0]]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="the names of a process's threads are Linux's to tell")
def test_threads_of_the_group_end_before_the_interpreter(two):
    for rank in range(2):
        names = (two[1] / f"threads-{rank}").read_text()
        assert names
        assert "gloo" not in names


def test_alone_there_is_nothing_to_gather():
    given = torch.ones(3, requires_grad=True)
    assert torch.equal(gather(given, 1), given)
    assert not gather(given, 1).requires_grad


def test_only_the_first_tells_and_stores(two):
    _, folder, done = two
    assert done.stdout == ""
    assert done.stderr.count("fitting brightness ...") == 3  # once a fit, not once a process
    assert len(list((folder / "checkpoints").iterdir())) == 2
    assert len(list((folder / "tensorboard").iterdir())) == 1


@pytest.mark.parametrize(
    ("device", "ranks", "gpus", "places", "backend"),
    [
        ("cpu", 2, 0, ["cpu", "cpu"], "gloo"),
        ("cpu", 2, 8, ["cpu", "cpu"], "gloo"),
        ("cuda", 2, 2, ["cuda:0", "cuda:1"], "nccl"),
        ("cuda", 2, 8, ["cuda:0", "cuda:1"], "nccl"),
        ("cuda", 2, 1, ["cuda:0", "cuda:0"], "gloo"),
        ("cuda", 3, 2, ["cuda:0", "cuda:1", "cuda:0"], "gloo"),
        ("cuda:1", 2, 2, ["cuda:1", "cuda:1"], "gloo"),
    ],
)
def test_ranks_that_share_a_gpu_exchange_through_gloo(device, ranks, gpus, places, backend):
    """NCCL refuses two ranks of one GPU."""
    given = [assign(device, local_rank=rank, local_world=ranks, gpus=gpus) for rank in range(ranks)]
    assert [str(place) for place, _ in given] == places
    assert {name for _, name in given} == {backend}
