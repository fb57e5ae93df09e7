"""A step of local aggregation and its clusterings at Kinetics' size, beside the network, faiss and plain PyTorch."""

from __future__ import annotations

import math
import subprocess
import sys
import time
from statistics import median

import faiss
import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import normalize

from harness_trajectory_clustering.bank import MemoryBank
from harness_trajectory_clustering.clusterings import Clusterings
from harness_trajectory_clustering.losses import neighbourhoods
from harness_trajectory_clustering.objective import InstanceOptions, LocalAggregation
from harness_trajectory_clustering.resnet3d import ResNet3D18

VIDEOS, DIM, BATCH, BACKGROUND, CLUSTERS, RUNS = 235_000, 128, 64, 4096, 6000, 3
TEMPERATURE = 0.07
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


class Unit(nn.Module):
    """A stand-in for the network and its embedding layer."""

    def forward(self, x):
        return normalize(x, dim=1)


def aggregation(count=VIDEOS, device="cpu"):
    """Local aggregation whose bank has as many groups of entries as each clustering, which cuts across some."""
    generator = torch.Generator().manual_seed(0)
    groups = torch.arange(count) % CLUSTERS
    bank = MemoryBank(count, DIM)
    bank.fill(torch.randn(CLUSTERS, DIM, generator=generator)[groups] + torch.randn(count, DIM, generator=generator))
    clusterings = Clusterings(count, RUNS, CLUSTERS)
    for run in clusterings.labels:
        moved = torch.rand(count, generator=generator) < 0.2
        run.copy_(groups.where(~moved, torch.randint(CLUSTERS, (count,), generator=generator)))
    options = InstanceOptions(loss="nce", temperature=TEMPERATURE, negatives=4096, exclude_own=True, z="first_batch")
    objective = LocalAggregation(Unit(), bank, options, clusterings, BACKGROUND)
    objective.aggregating.fill_(True)
    return objective.to(device)


def batch(objective):
    """Vectors near the entries of their videos, as networks that have begun to learn give them; and the videos."""
    generator = torch.Generator().manual_seed(1)
    videos = torch.randperm(len(objective.bank.vectors), generator=generator)[:BATCH].to(objective.bank.vectors.device)
    noise = torch.randn(BATCH, DIM, generator=generator).to(objective.bank.vectors) / math.sqrt(DIM)
    return objective.bank.vectors[videos] + noise, videos


def step_of(count=VIDEOS, device="cpu"):
    """A call that takes a training step without the network."""
    objective = aggregation(count, device)
    vectors, videos = batch(objective)
    return lambda: objective(vectors.clone().requires_grad_(), videos).backward()


def seconds(device, work):
    start = time.perf_counter()
    work()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def slow_loss(objective, vector, video):
    """The loss of one video in float64, set by set."""
    entries = objective.bank.vectors.double()
    similarities = entries @ normalize(vector.double(), dim=0)
    near = set(similarities.argsort(descending=True)[: objective.background].tolist())
    close = set()
    for run in objective.clusterings.labels:
        close |= set((run == run[video]).nonzero().flatten().tolist())
    both = sorted(near & close)
    assert 0 < len(both) < len(near)
    weights = (similarities / TEMPERATURE).exp()
    return weights[sorted(near)].sum().log() - weights[both].sum().log()


@pytest.mark.parametrize(("device", "most"), [(device, {"cpu": 0.15, "cuda": 0.05}[device]) for device in DEVICES])
def test_step(benchmark, device, most):
    """All that a step adds to the network costs a small share of it, 16 frames of 112 x 112 in batches of 64."""
    objective = aggregation(device=device)
    vectors, videos = batch(objective)
    expected = torch.stack([slow_loss(objective, vectors[row], videos[row]) for row in range(3)])
    similarities = normalize(vectors, dim=1) @ objective.bank.vectors.mT
    losses, empty = objective.losses(normalize(vectors, dim=1), similarities, videos)
    torch.testing.assert_close(losses[:3].double(), expected, atol=1e-3, rtol=1e-4)
    assert not empty.any()

    step = step_of(device=device)

    clips = 2 if device == "cpu" else BATCH  # the CPU's cost is proportional to the clips
    network = ResNet3D18().build(seed=0).to(device)
    pixels = torch.randn(clips, 3, 16, 112, 112, device=device)

    def forward_and_backward():
        network.zero_grad()
        with torch.autocast("cuda", torch.bfloat16, enabled=device == "cuda"):  # as a fit has it
            loss = network(pixels).sum()
        loss.backward()

    steps, passes = [], []
    for _ in range(5):  # the first ones warm up
        steps.append(seconds(device, step))
        passes.append(seconds(device, forward_and_backward))
    whole = median(passes[1:]) * BATCH / clips
    share = median(steps[1:]) / whole
    benchmark.extra_info.update(share_of_the_network=round(share, 4), network_s=round(whole, 3))
    benchmark.pedantic(lambda: seconds(device, step), rounds=3, warmup_rounds=0)
    assert share < most


class FaissBank:
    """The bank as the rows of a faiss index, which are changed in place: it has no call for that."""

    def __init__(self, bank, labels):
        self._index = faiss.IndexFlatIP(DIM)
        self._index.add(bank.vectors.numpy())
        self.vectors = faiss.rev_swig_ptr(self._index.get_xb(), bank.vectors.numel()).reshape(-1, DIM)
        self._labels = labels.numpy()

    def step(self, vectors, videos):
        vectors, videos = vectors.numpy(), videos.numpy()
        similarities, near = self._index.search(vectors, BACKGROUND)
        close = (self._labels[:, near] == self._labels[:, videos, None]).any(0)
        mixed = 0.5 * self.vectors[videos] + 0.5 * vectors
        self.vectors[videos] = mixed / np.linalg.norm(mixed, axis=1, keepdims=True)
        return torch.from_numpy(similarities), torch.from_numpy(near), torch.from_numpy(close)


class PlainBank:
    """The bank video by video, as the equations say it."""

    def __init__(self, bank, labels):
        self.vectors = bank.vectors.clone()
        self._labels = labels

    def step(self, vectors, videos):
        rows = []
        for vector, video in zip(vectors, videos, strict=True):
            similarities, near = (self.vectors @ vector).topk(BACKGROUND)
            same = torch.zeros(len(self.vectors), dtype=torch.bool)
            for run in self._labels:
                same |= run == run[video]
            rows.append((similarities, near, same[near]))
        for vector, video in zip(vectors, videos, strict=True):
            self.vectors[video] = normalize(0.5 * self.vectors[video] + 0.5 * vector, dim=0)
        return tuple(map(torch.stack, zip(*rows, strict=True)))


class OurBank:
    def __init__(self, bank, labels):
        self._bank = MemoryBank(*bank.vectors.shape)
        self._bank.fill(bank.vectors)
        self.vectors = self._bank.vectors
        self._labels = labels

    def step(self, vectors, videos):
        similarities = vectors @ self.vectors.mT
        near, close = neighbourhoods(similarities, self._labels, videos, BACKGROUND)
        self._bank.update(videos, vectors)
        return similarities.gather(1, near), near, close


def test_search_and_update(beside):
    """Neighbours of a batch, which of them are close, and the bank's new entries."""
    objective = aggregation()
    vectors, videos = batch(objective)
    vectors = normalize(vectors, dim=1)
    banks = {kind: kind(objective.bank, objective.clusterings.labels) for kind in (OurBank, FaissBank, PlainBank)}
    for _ in range(2):  # the second search is in the updated bank
        ours, *others = (bank.step(vectors, videos) for bank in banks.values())
        for other in others:
            torch.testing.assert_close(ours[0].sort(1).values, other[0].sort(1).values, atol=1e-5, rtol=0)
            for mine, theirs in zip(ours[1], other[1], strict=True):
                assert torch.isin(mine, theirs).sum() >= BACKGROUND - 2  # those at the border may be as near as others
            assert (ours[2].sum(1) - other[2].sum(1)).abs().max() <= 2
    for kind in (FaissBank, PlainBank):
        torch.testing.assert_close(banks[OurBank].vectors, torch.as_tensor(banks[kind].vectors), atol=1e-6, rtol=0)
    ratio = beside(
        lambda: banks[OurBank].step(vectors, videos),
        {
            "faiss": lambda: banks[FaissBank].step(vectors, videos),
            "plain PyTorch": lambda: banks[PlainBank].step(vectors, videos),
        },
        clips=BATCH,
    )
    assert min(ratio.values()) > 0.8  # a guard that noise does not trip


def inertia(points, labels):
    """Sum of squared distances to the means of clusters, float64."""
    _, owner, sizes = torch.unique(labels, return_inverse=True, return_counts=True)
    sums = torch.zeros(len(sizes), points.shape[1], dtype=torch.float64).index_add_(0, owner, points.double())
    return float(points.double().square().sum() - (sums.square().sum(1) / sizes).sum())


@pytest.mark.parametrize("device", DEVICES)
def test_clusterings(benchmark, device):
    """Three clusterings of a bank, at Kinetics' size in a minute on a GPU."""
    count, clusters = (VIDEOS, CLUSTERS) if device == "cuda" else (20_000, 510)
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(clusters, DIM, generator=generator)
    points = centres[torch.randint(clusters, (count,), generator=generator)]
    points = normalize(points + 1.5 * torch.randn(count, DIM, generator=generator), dim=1)
    ours = Clusterings(count, RUNS, clusters).to(device)
    on_device = points.to(device)

    def run_faiss(seed):
        peer = faiss.Kmeans(DIM, clusters, niter=20, seed=seed, max_points_per_centroid=count)
        peer.train(points.numpy())
        return torch.from_numpy(peer.index.search(points.numpy(), 1)[1][:, 0])

    mine, theirs = [], []
    for _ in range(3 if device == "cpu" else 1):  # in turns, as the machine's speed drifts
        mine.append(seconds(device, lambda: ours.fit(on_device, seed=0)))
        start = time.perf_counter()
        peers = [run_faiss(seed) for seed in range(RUNS)]
        theirs.append(time.perf_counter() - start)
    of_ours = np.mean([inertia(points, run) for run in ours.labels.cpu()])
    of_peers = np.mean([inertia(points, run) for run in peers])
    benchmark.extra_info.update(
        videos=count,
        clusters=clusters,
        inertia_over_that_of_faiss=round(of_ours / of_peers, 5),
        times_as_fast_as={"faiss on the CPU": round(median(theirs) / median(mine), 3)},
    )
    benchmark.pedantic(lambda: seconds(device, lambda: ours.fit(on_device, seed=0)), rounds=1, warmup_rounds=0)
    assert of_ours <= 1.01 * of_peers
    if device == "cuda":
        assert median(mine) < 60


MEMORY = """
import re, sys
from pathlib import Path
from benchmarks.test_local_aggregation import step_of

step = step_of(int(sys.argv[1]))
Path("/proc/self/clear_refs").write_text("5")  # forgets the peak of what came before
for _ in range(3):
    step()
print(1024 * int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]))
"""


def peak_memory(device, count):
    """Bytes at the peak of some steps: of the device, or of a process of its own."""
    if device == "cpu":
        done = subprocess.run([sys.executable, "-c", MEMORY, str(count)], capture_output=True, text=True, check=True)
        return int(done.stdout)
    step = step_of(count, device)
    torch.cuda.reset_peak_memory_stats()
    step()
    return torch.cuda.max_memory_allocated()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("device", DEVICES)
def test_memory_of_a_step_is_linear_in_the_number_of_videos(benchmark, device):
    first, second, third = (peak_memory(device, count) for count in (100_000, 200_000, 300_000))
    growth = [(second - first) / 100_000, (third - second) / 100_000]
    benchmark.extra_info.update(bytes_a_video=[round(one) for one in growth])
    benchmark.pedantic(step_of(100_000, device), rounds=1)
    assert growth[0] > 4 * DIM  # the bank's entry
    assert growth[1] == pytest.approx(growth[0], rel=0.2)
