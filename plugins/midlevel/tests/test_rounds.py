"""Rounds between detectors and clusters."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
from sklearn.metrics import adjusted_rand_score
from torch import nn

from harness import Budget, UsageError
from harness.errors import DivergedError
from harness.system.seeding import seeded
from harness.training import checkpoints
from harness.training.session import TrainingSession
from harness_midlevel.detectors import NetworkDetectors, SvmDetectors
from harness_midlevel.networks import Autoencoder
from harness_midlevel.rounds import Rounds, _Course, discover
from harness_midlevel.training import Options, train_autoencoder

BLOBS, WIDTH, DIM = 10, 12, 8
ROUNDS = Rounds(clusters=20, members=15, least=5, cycles=1)
OPTIONS = Options(batch_size=64, lr=3e-3)


@pytest.fixture(scope="module")
def mixture():
    """Points of ten blobs and uniform noise, the blob of each, and three subsets."""
    generator = torch.Generator().manual_seed(1)
    centres = 6 * torch.rand(BLOBS, WIDTH, generator=generator) - 3
    points = centres.repeat_interleave(120, 0) + 0.6 * torch.randn(120 * BLOBS, WIDTH, generator=generator)
    points = torch.cat([points, 8 * torch.rand(200, WIDTH, generator=generator) - 4])
    truth = torch.cat([torch.arange(BLOBS).repeat_interleave(120), torch.full((200,), BLOBS)])
    mixed = torch.randperm(len(points), generator=generator)
    return points[mixed], truth[mixed], list(torch.arange(len(points)).chunk(3))


@pytest.fixture(scope="module")
def network(mixture):
    points, _, _ = mixture
    with seeded(0):
        encoder = nn.Sequential(nn.Linear(WIDTH, 32), nn.ReLU(), nn.Linear(32, DIM))
        decoder = nn.Sequential(nn.Linear(DIM, 32), nn.ReLU(), nn.Linear(32, WIDTH))
    one = Autoencoder(encoder, decoder, shape=(WIDTH,), dim=DIM)
    one.set_mean(points)
    train_autoencoder(one, points, session(), epochs=20, options=OPTIONS, seed=0)
    one.standardise(points)
    return one


def session(folder=None):
    return TrainingSession(Budget(frames=0, seed=0), name="midlevel", folder=folder)


def detectors(network, kind, epochs=40):
    if kind == "svm":
        return SvmDetectors()
    return NetworkDetectors(copy.deepcopy(network), OPTIONS, loss=kind, epochs=epochs)


def purity(members, truth):
    """Share of members that are of the commonest blob of their cluster; noise is of none."""
    kinds = [truth[members.samples[members.clusters == cluster]] for cluster in members.clusters.unique()]
    return sum(int(kind.bincount(minlength=BLOBS)[:BLOBS].max()) for kind in kinds) / len(members)


def same(one, other):
    return all(
        torch.equal(getattr(one, name), getattr(other, name)) for name in ("samples", "clusters", "scores")
    ) and len(one)


def watched(monkeypatch):
    """Members that each round learnt from and chose, in a list."""
    seen = []
    learn_and_choose = _Course.round

    def round_(self, number, stage):
        learn = self.detectors.learn

        def noted(samples, members, stage, **rest):
            seen.append((number, rest["subset"], members, rest["everything"]))
            learn(samples, members, stage, **rest)

        self.detectors.learn = noted
        learn_and_choose(self, number, stage)
        self.detectors.learn = learn

    monkeypatch.setattr(_Course, "round", round_)
    return seen


def test_rounds_drop_clusters_and_members_become_purer(mixture, network, monkeypatch):
    points, truth, subsets = mixture
    seen = watched(monkeypatch)
    ours = detectors(network, "joint")
    members, log = discover(ours, points, subsets, session(), ROUNDS, seed=1)
    alive = [entry["clusters"] for entry in log]
    assert alive == sorted(alive, reverse=True)
    assert alive[-1] < len(seen[0][2].clusters.unique()) <= 20
    assert alive[-1] == ours.count == len(members.clusters.unique()) == int(members.clusters.max()) + 1
    assert purity(members, truth) > purity(seen[0][2], truth) > 0.5
    assert log[-1]["fired"] > 0.5


@pytest.mark.parametrize("kind", ["joint", "softmax", "svm"])
def test_members_come_from_the_subset_that_was_fired_on(mixture, network, kind, monkeypatch):
    points, _, subsets = mixture
    seen = watched(monkeypatch)
    members, log = discover(detectors(network, kind), points, subsets, session(), ROUNDS, seed=1)
    assert [entry["subset"] for entry in log] == [1, 2, 0]
    for number, subset, chosen, everything in seen:
        assert torch.equal(subset, subsets[number % 3])
        assert (everything is not None) == (number == 0)
        assert torch.isin(chosen.samples, subset).all()
        assert len(chosen.samples.unique()) == len(chosen.samples)
        assert ROUNDS.least <= int(chosen.clusters.bincount().min())
        assert int(chosen.clusters.bincount().max()) <= ROUNDS.members
    assert len(members.samples.unique()) == len(members.samples)
    assert int(members.clusters.bincount().max()) <= ROUNDS.members
    for subset in subsets:  # members of all subsets are chosen at the end
        assert torch.isin(members.samples, subset).any()
    assert bool((members.scores > 0).all())


def test_the_first_members_are_nearest_to_the_centres_of_k_means(mixture, network, monkeypatch):
    points, _, subsets = mixture
    seen = watched(monkeypatch)
    ours = detectors(network, "softmax", epochs=0)
    discover(ours, points, subsets, session(), ROUNDS, seed=1)
    _, _, members, (rows, labels) = seen[0]
    codes = ours.codes(points)  # no training changed them
    assert torch.isin(rows, subsets[0]).all()
    for cluster in range(int(labels.max()) + 1):
        own = rows[labels == cluster]
        distances = (codes[own] - codes[own].mean(0)).square().sum(1)  # centres are means
        nearest = own[distances.argsort()[: ROUNDS.members]]
        assert set(members.samples[members.clusters == cluster].tolist()) == set(nearest.tolist())


def test_every_round_may_learn_from_what_fired_before(mixture, network, monkeypatch):
    points, _, subsets = mixture
    seen = watched(monkeypatch)
    rounds = replace(ROUNDS, hinge_first="every_round")
    _, log = discover(detectors(network, "joint"), points, subsets, session(), rounds, seed=1)
    for (number, subset, members, (rows, labels)), before in zip(seen[1:], log, strict=False):
        assert number == before["round"] + 1
        assert torch.isin(rows, subset).all()
        assert len(rows) <= before["fired"] * len(subset)
        assert len(rows) > len(members)
        assert int(labels.max()) == before["clusters"] - 1
        cluster_of = dict(zip(rows.tolist(), labels.tolist(), strict=True))
        assert [cluster_of[row] for row in members.samples.tolist()] == members.clusters.tolist()


def test_the_log_compares_each_visit_of_a_subset_with_the_last(mixture, network):
    points, _, subsets = mixture
    rounds = replace(ROUNDS, cycles=2)
    labels, chosen = [], []

    class Watched(NetworkDetectors):
        def keep(self, kept):
            scores, clusters = self.detect(points)
            names = self.names if hasattr(self, "names") else torch.arange(self.count)
            labels.append(torch.where(scores > 0, names[clusters], -1))
            self.names = names[kept]
            super().keep(kept)

        def curves(self, samples, members):
            chosen.append(members.samples)
            return super().curves(samples, members)

    ours = Watched(copy.deepcopy(network), OPTIONS, epochs=20)
    _, log = discover(ours, points, subsets, session(), rounds, seed=1)
    assert [entry["round"] for entry in log] == list(range(6))
    assert all(entry["change"] is entry["agreement"] is entry["ari"] is None for entry in log[:3])
    for number in range(3, 6):
        subset = subsets[log[number]["subset"]]
        last, now = labels[number - 3][subset], labels[number][subset]
        assert log[number]["fired"] == pytest.approx(float((now >= 0).double().mean()))
        both, either = (last >= 0) & (now >= 0), (last >= 0) | (now >= 0)
        assert log[number]["agreement"] == pytest.approx(float((last == now)[either].double().mean()))
        assert log[number]["ari"] == pytest.approx(adjusted_rand_score(last[both].numpy(), now[both].numpy()))
        if number < 5:
            new = set(chosen[number + 1].tolist()) - set(chosen[number - 2].tolist())
            assert log[number]["change"] == pytest.approx(len(new) / len(chosen[number + 1]))
    for entry in log:
        assert 1 <= entry["effective_rank"] <= DIM
        assert entry["hinge_gradient"] >= 0
        assert entry["fisher_gradient"] > 0


def test_rounds_end_when_clusters_stay(mixture, network):
    """Without training the second visit of a subset finds what the first did."""
    points, _, subsets = mixture
    rounds = replace(ROUNDS, cycles=5)
    ours = detectors(network, "softmax", epochs=0)
    _, log = discover(ours, points, subsets, session(), rounds, seed=1)
    assert len(log) < 15
    assert log[-1]["agreement"] > 0.99
    assert all(entry["agreement"] is None or entry["agreement"] <= 0.99 for entry in log[:-1])


def test_rounds_go_on_when_other_samples_fire():
    """Where few fire, nearly all samples fire neither time: that is no agreement."""

    class Turning(SvmDetectors):
        """Fires on 1 of 100 samples, others at each visit."""

        visit = 0

        def learn(self, samples, members, stage, **_):
            self.visit += 1

        def detect(self, samples):
            number = samples[:, 0].long()
            return (number % 100 == self.visit // 2).float(), number // 100 % self.count

    points = torch.stack([torch.arange(4000.0), torch.rand(4000)], 1)
    subsets = [torch.arange(0, 2000), torch.arange(2000, 4000)]
    rounds = Rounds(clusters=3, members=10, least=2, cycles=3)
    _, log = discover(Turning(), points, subsets, session(), rounds, seed=0)
    assert len(log) == 6
    assert [entry["agreement"] for entry in log[2:]] == [0.0] * 4


class Cut(Exception):
    """An interruption."""


def cut_between(monkeypatch):
    """Interrupt before round 4 begins, where subsets have been visited before."""
    stage = TrainingSession.stage

    def cut(self, name, run, state):
        if name == "round-4":
            raise Cut
        stage(self, name, run, state)

    monkeypatch.setattr(TrainingSession, "stage", cut)


def cut_inside(monkeypatch, number):
    """Interrupt the last training of a round after its first checkpoint."""
    learn_and_choose = _Course.round

    def round_(self, which, stage):
        if which == number:
            train = stage.train

            def counted(loss, inputs, batches, **rest):
                if isinstance(self.detectors, NetworkDetectors) and (number > 0 or stage._trainings == 1):
                    calls = iter(range(1, 1000))

                    def stop(*_):
                        if next(calls) == 15:
                            raise Cut

                    loss.register_forward_pre_hook(stop)
                train(loss, inputs, batches, **rest)

            stage.train = counted
        learn_and_choose(self, which, stage)

    monkeypatch.setattr(_Course, "round", round_)


@pytest.mark.parametrize(
    ("kind", "where"), [("joint", 2), ("joint", 0), ("softmax", 1), ("softmax", None), ("svm", None)]
)
def test_an_interrupted_discovery_ends_with_the_same_bits(mixture, network, kind, where, tmp_path, monkeypatch):
    points, _, subsets = mixture
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
    rounds, epochs = (replace(ROUNDS, cycles=2), 10) if where is None else (ROUNDS, 40)
    whole = detectors(network, kind, epochs)
    members, log = discover(whole, points, subsets, session(), rounds, seed=1)
    with monkeypatch.context() as patch:
        if where is None:
            cut_between(patch)
        else:
            cut_inside(patch, where)
        with pytest.raises(Cut):
            discover(detectors(network, kind, epochs), points, subsets, session(tmp_path), rounds, seed=1)
    stored = [path.name for path in (tmp_path / "checkpoints").iterdir()]
    assert len([name for name in stored if "-" not in name]) == (4 if where is None else where)
    assert any("-000000010-" in name for name in stored) == (where is not None)
    again = detectors(network, kind, epochs)
    found, log_again = discover(again, points, subsets, session(tmp_path), rounds, seed=1)
    assert same(found, members)
    assert log_again == log
    assert torch.equal(again.codes(points), whole.codes(points))
    for name, tensor in whole.linear().items():
        assert torch.equal(again.linear()[name], tensor)


def test_detectors_that_do_not_fire_are_told_with_their_round(mixture, network):
    """Biases of -1 and no training."""
    points, _, subsets = mixture
    message = "method 'midlevel', round 0: expected at least half of .* clusters to fire on 5 samples or more, got 0"
    with pytest.raises(DivergedError, match=message):
        discover(detectors(network, "joint", epochs=0), points, subsets, session(), ROUNDS, seed=1)


def test_a_round_that_loses_most_clusters_is_told(mixture, network):
    points, _, subsets = mixture

    class Silenced(NetworkDetectors):
        learnt = 0

        def learn(self, *given, **rest):
            self.learnt += 1
            super().learn(*given, **rest)

        def detect(self, samples):
            scores, clusters = super().detect(samples)
            return scores * (clusters < self.count // 3) if self.learnt == 2 else scores, clusters

    ours = Silenced(copy.deepcopy(network), OPTIONS, loss="softmax", epochs=10)
    with pytest.raises(DivergedError, match="round 1: expected at least half of"):
        discover(ours, points, subsets, session(), ROUNDS, seed=1)


def test_seeds_are_used(mixture, network):
    """Another one in each round, and another start for another seed."""
    points, _, subsets = mixture
    seeds = []

    class Watched(SvmDetectors):
        def learn(self, *given, seed, **rest):
            seeds.append(seed)
            super().learn(*given, seed=seed, **rest)

    discover(Watched(), points, subsets, session(), ROUNDS, seed=1)
    assert len(set(seeds)) == len(seeds) == 3
    one, again, other = (
        discover(detectors(network, "softmax", epochs=2), points, subsets, session(), ROUNDS, seed=seed)[0]
        for seed in (1, 1, 2)
    )
    assert same(one, again)
    assert not same(one, other)


@pytest.mark.parametrize("wrong", [{"clusters": 0}, {"members": 0}, {"least": 0}, {"cycles": 0}, {"least": 16}])
def test_sizes_that_cannot_be_are_told(wrong):
    with pytest.raises(UsageError, match="expected clusters, members, least and cycles"):
        replace(ROUNDS, **wrong)


def test_too_few_samples_or_subsets_are_told(mixture, network):
    points, _, subsets = mixture
    ours = detectors(network, "softmax", epochs=0)
    with pytest.raises(ValueError, match="expected at least two subsets, got 1"):
        discover(ours, points, subsets[:1], session(), ROUNDS, seed=0)
    few = [subsets[0][:19], subsets[1]]
    with pytest.raises(UsageError, match="as many clusters as the first subset has samples, 19, got 20"):
        discover(ours, points, few, session(), ROUNDS, seed=0)
    few = [subsets[0][:22], subsets[1]]
    with pytest.raises(UsageError, match="expected two clusters of k-means with 5 samples or more, got"):
        discover(ours, points, few, session(), ROUNDS, seed=0)
