"""Batches and losses of training, as a stage gets them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch.nn.functional import cross_entropy

from harness.errors import DivergedError
from harness_midlevel.losses import fisher_loss, hinge_loss
from harness_midlevel.training import (
    Options,
    balanced,
    cluster_loss,
    train_on_clusters,
)

OPTIONS = Options(batch_size=16, lr=0.01)


class Recorder:
    """A stage that trains nothing, and keeps what it is given."""

    def __init__(self):
        self.calls = []

    def train(self, loss, inputs, batches, *, steps, optimizer):
        self.calls.append(SimpleNamespace(loss=loss, inputs=inputs, batches=batches, steps=steps, optimizer=optimizer))

    @property
    def only(self):
        (one,) = self.calls
        return one


def test_the_loss_of_reconstruction_is_a_sum_over_numbers_and_a_mean_over_samples(tiny, blobs, pretrain):
    samples, _ = blobs()
    network, stage = tiny(), Recorder()
    network.set_mean(samples)
    pretrain(network, samples, stage)
    batch = stage.only.batches(0)
    assert batch.shown == 0
    assert batch.targets.shape == (16,)
    rows = samples[batch.targets] - samples.mean(0)
    rebuilt = network.decoder(network.encoder(rows))
    expected = sum(float((a - b).detach().square().sum()) for a, b in zip(rows, rebuilt, strict=True)) / 16
    assert stage.only.loss({}, batch.targets).item() == pytest.approx(expected, rel=1e-5)
    assert {*stage.only.loss.state_dict()} == {f"network.{name}" for name in network.state_dict()}


def test_an_epoch_shows_every_sample_once_to_one_of_the_processes(tiny, blobs, pretrain):
    samples, _ = blobs()
    stage = Recorder()
    for rank in range(2):
        pretrain(tiny(), samples, stage, epochs=3, options=Options(batch_size=8), rank=rank, world=2)
    assert [call.steps for call in stage.calls] == [15, 15]
    shown = [[call.batches(step).targets for step in range(5)] for call in stage.calls]
    assert {len(batch) for batches in shown for batch in batches} == {4}
    assert sorted(torch.cat([*shown[0], *shown[1]]).tolist()) == list(range(40))
    again = [stage.calls[0].batches(step).targets for step in range(5, 10)]
    assert not torch.equal(torch.cat(again), torch.cat(shown[0]))


def test_a_batch_is_no_larger_than_the_samples(tiny, blobs, pretrain):
    samples, _ = blobs()
    stage = Recorder()
    pretrain(tiny(), samples[:5], stage, epochs=3)
    assert stage.only.steps == 3
    assert sorted(stage.only.batches(1).targets.tolist()) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("batch_size", "steps"), [(16, 6), (40, 2), (256, 2)])
def test_an_epoch_on_clusters_is_as_many_steps_as_its_rows_fill(batch_size, steps, tiny, detectors, learn):
    stage, network = Recorder(), tiny()
    learn(network, detectors(network), stage, epochs=2, options=Options(batch_size=batch_size))
    assert stage.only.steps == steps


def test_encoder_and_detectors_are_trained_without_decay(tiny, detectors, learn):
    stage, network = Recorder(), tiny()
    classifier = detectors(network)
    learn(network, classifier, stage)
    (group,) = stage.only.optimizer.param_groups
    trained = {id(one) for module in (network.encoder, classifier) for one in module.parameters()}
    assert {id(one) for one in group["params"]} == trained
    assert (group["lr"], group["weight_decay"]) == (0.01, 0)
    names = {f"{part}.{name}" for part in ("encoder", "classifier") for name in ("weight", "bias")}
    assert {*stage.only.loss.state_dict()} == names


def test_numbers_of_a_batch_are_places_among_the_rows(tiny, blobs, detectors, learn):
    samples, labels = blobs()
    stage, network = Recorder(), tiny()
    classifier = detectors(network)
    rows = torch.tensor([30, 2, 11, 7, 25, 21])
    learn(network, classifier, stage, rows=rows)
    numbers = torch.tensor([4, 0, 1, 2])
    codes, own = network.encode(samples[rows[numbers]]), labels[rows[numbers]]
    expected = cluster_loss("joint", OPTIONS, codes, classifier, own)
    assert stage.only.loss({}, numbers).item() == pytest.approx(expected.item())


def test_losses_on_clusters(tiny, blobs, detectors):
    samples, labels = blobs()
    network = tiny()
    classifier = detectors(network)
    codes = network.encode(samples).detach()
    outputs = classifier(codes)

    def value(loss, **options):
        return cluster_loss(loss, Options(**options), codes, classifier, labels).item()

    penalty = classifier.weight.detach().square().sum().item()
    plain = hinge_loss(outputs, labels).item()
    weighted = hinge_loss(outputs, labels, positive_weight=2).item()  # the root of four clusters
    fisher = fisher_loss(codes, labels).item()
    assert value("hinge", positive_weight=1, penalty=0) == pytest.approx(plain)
    assert value("hinge", penalty=0) == pytest.approx(weighted)
    assert value("hinge", penalty=0.5) == pytest.approx(weighted + 0.5 * penalty)
    assert value("joint", alpha=1) == value("hinge")
    assert value("joint", alpha=0) == pytest.approx(fisher)
    assert value("joint", alpha=0.25, penalty=0) == pytest.approx(0.25 * weighted + 0.75 * fisher)
    assert value("softmax", penalty=9) == pytest.approx(cross_entropy(outputs, labels).item())
    assert len({plain, weighted, fisher}) == 3


def test_a_batch_has_as_many_samples_of_each_cluster():
    clusters = torch.arange(40 * 20).split(20)
    batch = balanced(clusters, 256, seed=0)
    counts = (batch // 20).bincount(minlength=40)
    assert sorted(counts.tolist()) == [0] * 8 + [8] * 32
    assert len(batch.unique()) == 256
    few = balanced(clusters[:10], 256, seed=0)
    assert (few // 20).bincount().tolist() == [25] * 10
    assert (few.bincount().unique()).tolist() == [1, 2]  # 20 different ones, and 5 again


@pytest.mark.parametrize("size", [1, 2, 9])
def test_small_batches_have_two_clusters(size):
    batch = balanced(torch.arange(60).split(20), size, seed=0)
    assert len((batch // 20).unique()) == 2
    assert len(batch) == max(2, 2 * (size // 2))


def test_draws_depend_on_the_seed_alone_and_reach_every_sample():
    clusters = [torch.arange(30), torch.arange(30, 33), torch.arange(33, 34)]
    state = torch.get_rng_state()
    batches = [balanced(clusters, 16, seed) for seed in range(40)]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(batches[7], balanced(clusters, 16, 7))
    assert torch.cat(batches).unique().tolist() == list(range(34))


def test_batches_on_clusters_differ_by_step_rank_and_seed(tiny, detectors, learn):
    stage, network = Recorder(), tiny()
    for seed, rank in ((0, 0), (0, 1), (1, 0)):
        learn(network, detectors(network), stage, seed=seed, rank=rank, world=2)
    drawn = [tuple(call.batches(step).targets.tolist()) for call in stage.calls for step in range(2)]
    assert len({*drawn}) == 6
    assert {len(one) for one in drawn} == {8}
    assert tuple(stage.calls[0].batches(1).targets.tolist()) == drawn[1]


def test_no_epochs_train_nothing(tiny, blobs, detectors, pretrain, learn):
    stage, network = Recorder(), tiny()
    pretrain(network, blobs()[0], stage, epochs=0)
    learn(network, detectors(network), stage, epochs=0)
    assert stage.calls == []


def test_the_joint_loss_wants_two_clusters(tiny, detectors, learn):
    network = tiny()
    with pytest.raises(DivergedError, match="expected members of at least two clusters to tell apart, got one"):
        learn(network, detectors(network), Recorder(), rows=torch.tensor([0, 4, 8]))


@pytest.mark.parametrize(
    ("rows", "labels", "told"),
    [
        ([], [], "expected rows and labels of equally many samples, got 0 and 0"),
        ([1, 2], [0], "expected rows and labels of equally many samples, got 2 and 1"),
        ([1, 2], [0, 4], "expected labels of 0 to 3, the classes of the classifier, got 0 to 4"),
        ([1, 2], [-1, 2], "expected labels of 0 to 3, the classes of the classifier, got -1 to 2"),
    ],
)
def test_members_that_do_not_fit_are_refused(rows, labels, told, tiny, blobs, detectors):
    network = tiny()
    members = [torch.tensor(one, dtype=torch.int64) for one in (rows, labels)]
    rest = {"loss": "hinge", "epochs": 1, "options": OPTIONS, "seed": 0}
    with pytest.raises(ValueError, match=told):
        train_on_clusters(network, detectors(network), blobs()[0], *members, Recorder(), **rest)
