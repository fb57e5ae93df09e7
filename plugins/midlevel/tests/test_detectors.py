"""Detectors of a network and of SVMs."""

from __future__ import annotations

import weakref

import pytest
import torch
from sklearn.svm import LinearSVC
from torch import nn

from harness import Budget
from harness.functional.product import product
from harness.system.seeding import seeded
from harness.training.session import TrainingSession
from harness_dense_trajectories import rows
from harness_midlevel import detectors as module
from harness_midlevel.detectors import COST, NetworkDetectors, SvmDetectors, gradient_norms
from harness_midlevel.firing import Members, detection_scores, top_members
from harness_midlevel.losses import fisher_loss, hinge_loss
from harness_midlevel.networks import Autoencoder
from harness_midlevel.training import Options

WIDTH, DIM = 6, 4


def network(points, seed=0):
    with seeded(seed):
        encoder = nn.Sequential(nn.Linear(WIDTH, 16), nn.ReLU(), nn.Linear(16, DIM))
        one = Autoencoder(encoder, nn.Linear(DIM, WIDTH), shape=(WIDTH,), dim=DIM)
    one.set_mean(points)
    one.standardise(points)
    return one


def blobs(clusters=4, each=30, seed=0, spread=0.3):
    """Points around the corners of a simplex, cluster after cluster."""
    generator = torch.Generator().manual_seed(seed)
    centres = 3 * torch.eye(clusters, WIDTH)
    points = centres.repeat_interleave(each, 0) + spread * torch.randn(clusters * each, WIDTH, generator=generator)
    return points, torch.arange(clusters).repeat_interleave(each)


def of(labels, most=100):
    return top_members(torch.arange(len(labels)), labels, torch.zeros(len(labels)), most=most)


def stage():
    return TrainingSession(Budget(frames=0, seed=0))


def learn(detectors, points, members, *, everything=None, count=4):
    detectors.begin(count, 1)
    subset = torch.arange(len(points))
    detectors.learn(points, members, stage(), subset=subset, everything=everything, seed=2)
    return detectors


def trained(points, labels, loss="joint", epochs=40):
    detectors = NetworkDetectors(network(points), Options(batch_size=32, lr=1e-2), loss=loss, epochs=epochs)
    return learn(detectors, points, of(labels), everything=(torch.arange(len(points)), labels))


def kinds(points, labels):
    return [trained(points, labels), trained(points, labels, "softmax"), learn(SvmDetectors(), points, of(labels))]


def outputs(detectors, points):
    linear = detectors.linear()
    return detectors.codes(points) @ linear["weight"].mT + linear["bias"]


def test_clusters_that_are_apart_are_detected_in_other_samples():
    points, labels = blobs()
    others, expected = blobs(seed=5)
    for detectors in kinds(points, labels):
        scores, clusters = detectors.detect(others)
        assert float((scores > 0).double().mean()) > 0.9
        assert torch.equal(clusters[scores > 0], expected[scores > 0])


def test_scores_are_those_of_linear_maps_of_codes():
    points, labels = blobs()
    network, softmax, svm = kinds(points, labels)
    scores, clusters = detection_scores(outputs(network, points))
    found = network.detect(points)
    torch.testing.assert_close(found[0], scores)
    assert torch.equal(found[1], clusters)
    posterior = outputs(softmax, points).softmax(1)
    torch.testing.assert_close(softmax.detect(points)[0], posterior.amax(1))
    torch.testing.assert_close(svm.detect(points)[0], (outputs(svm, points).amax(1) + 1).relu())


def test_new_detectors_do_not_fire():
    points, _ = blobs()
    detectors = NetworkDetectors(network(points), Options(), epochs=0)
    detectors.begin(5, 0)
    assert detectors.count == 5
    assert not detectors.detect(points)[0].any()
    first = detectors.linear()["weight"]
    detectors.begin(5, 0)
    assert torch.equal(detectors.linear()["weight"], first)
    detectors.begin(5, 1)
    assert not torch.equal(detectors.linear()["weight"], first)


def test_beginning_leaves_the_random_numbers_of_others_alone():
    points, _ = blobs()
    detectors = NetworkDetectors(network(points), Options(), epochs=0)
    before = torch.get_rng_state()
    detectors.begin(5, 0)
    assert torch.equal(torch.get_rng_state(), before)


def test_without_a_cluster_the_outputs_of_the_others_stay():
    points, labels = blobs()
    for detectors in kinds(points, labels):
        before = outputs(detectors, points)
        detectors.keep(torch.tensor([0, 1, 3]))
        assert detectors.count == 3
        torch.testing.assert_close(outputs(detectors, points), before[:, [0, 1, 3]])


def test_a_state_is_put_back_with_its_number_of_detectors():
    points, labels = blobs()
    for detectors, fresh in zip(
        kinds(points, labels),
        [
            NetworkDetectors(network(points, 7), Options(), epochs=1),
            NetworkDetectors(network(points, 7), Options(), loss="softmax", epochs=1),
            SvmDetectors(),
        ],
        strict=True,
    ):
        detectors.keep(torch.tensor([2, 3]))
        fresh.begin(4, 3)
        fresh.load_state_dict(detectors.state_dict())
        assert fresh.count == 2
        assert torch.equal(outputs(fresh, points), outputs(detectors, points))


def test_everything_is_learnt_before_the_members():
    """Members of two clusters alone would leave the detectors of the others silent."""
    points, labels = blobs()
    few = of(labels)
    few = Members(few.samples[:60], few.clusters[:60], few.scores[:60])
    fires = {}
    for name, everything in (("members", None), ("both", (torch.arange(len(points)), labels))):
        detectors = NetworkDetectors(network(points), Options(batch_size=32, lr=1e-2), epochs=20)
        learn(detectors, points, few, everything=everything)
        scores, clusters = detectors.detect(points)
        fires[name] = set(clusters[scores > 0].tolist())
    assert fires["members"] <= {0, 1}
    assert fires["both"] & {2, 3}


@pytest.mark.parametrize("loss", ["joint", "softmax"])
def test_empty_samples_have_empty_codes_and_scores(loss):
    points, _ = blobs()
    for detectors in (NetworkDetectors(network(points), Options(), loss=loss, epochs=0), SvmDetectors()):
        detectors.begin(3, 0)
        assert detectors.codes(points[:0]).shape[0] == 0
        assert [len(one) for one in detectors.detect(points[:0])] == [0, 0]


def test_machines_hold_the_outputs_of_one_block_at_a_time(monkeypatch):
    points, labels = blobs()
    machines, made, held = learn(SvmDetectors(), points, of(labels)), [], []
    whole = machines.detect(points)

    def counted(*arguments):
        held.append(sum(one() is not None for one in made))
        result = product(*arguments)
        made.append(weakref.ref(result))
        return result

    monkeypatch.setattr(module, "product", counted)
    monkeypatch.setattr(rows, "_CPU", 100)
    torch.testing.assert_close(machines.detect(points), whole)
    assert len(held) > 3
    assert max(held) <= 1  # the one before, which its reader still has


def test_a_machine_without_hard_negatives_is_that_of_scikit_learn():
    """All samples are members: there is no background, and nothing hard to find."""
    points, labels = blobs(spread=1.2)
    detectors = learn(SvmDetectors(), points, of(labels))
    scale = points.var(0, correction=0).mean().sqrt()
    scaled = (points - points.mean(0)) / scale
    found = outputs(detectors, points)
    for cluster in range(4):
        expected = LinearSVC(C=COST, dual=False, tol=1e-8).fit(scaled.numpy(), labels.eq(cluster).numpy())
        decision = torch.from_numpy(expected.decision_function(scaled.numpy())).float()
        torch.testing.assert_close(found[:, cluster], decision, rtol=1e-3, atol=1e-3)


def test_shift_and_scale_of_samples_do_not_matter_to_machines():
    points, labels = blobs(spread=1.0)
    members = of(labels, most=10)
    found = [learn(SvmDetectors(), each, members).detect(each)[0] for each in (points, 7 * points + 2)]
    torch.testing.assert_close(found[1], found[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("spread", "each", "share", "most"), [(1.5, 2, 20, 40), (0.3, 70, 1, 70)])
def test_samples_on_which_two_machines_fire_become_negatives(spread, each, share, most, monkeypatch):
    """Hardest first, `most` at most; in blobs that are far apart there are fewer."""
    points, labels = blobs(each=100, spread=spread)
    members = of(labels, most=each)
    found = []
    fit = SvmDetectors._fit

    def watched(self, samples, subset, members, background):
        if found:
            left = subset[~torch.isin(subset, torch.cat([members.samples, found[-1]]))]
            second = outputs(self, samples[left]).topk(2).values[:, 1]
            hardest = left[second.argsort(descending=True)][: min(most, int((second > -1).sum()))]
            assert background.tolist() == [*found[-1].tolist(), *hardest.tolist()]
            assert (len(hardest) == most) == (spread > 1)
        found.append(background)
        fit(self, samples, subset, members, background)

    monkeypatch.setattr(SvmDetectors, "_fit", watched)
    monkeypatch.setattr(module, "BACKGROUND", share)
    learn(SvmDetectors(), points, members)
    assert len(found) == 3
    assert len(found[0]) == most
    for background in found:
        assert not torch.isin(background, members.samples).any()


def test_equal_samples_are_told():
    with pytest.raises(ValueError, match="expected samples that differ, got 8 equal ones"):
        learn(SvmDetectors(), torch.ones(8, WIDTH), of(torch.arange(8) % 2), count=2)


def test_gradient_norms_are_those_of_each_loss_alone():
    points, labels = blobs(clusters=2, each=8, spread=1.0)  # a batch of all members, twice each
    detectors = NetworkDetectors(network(points), Options(batch_size=32, positive_weight=2.0), epochs=0)
    detectors.begin(2, 0)
    norms = detectors.curves(points, of(labels))
    assert norms == gradient_norms(detectors.network, detectors.classifier, points, of(labels), detectors.options)
    for name, loss in (
        ("hinge_gradient", lambda codes: hinge_loss(detectors.classifier(codes), labels, positive_weight=2.0)),
        ("fisher_gradient", lambda codes: fisher_loss(codes, labels)),
    ):
        detectors.network.zero_grad()
        loss(detectors.network.encode(points)).backward()
        squares = sum(float(one.grad.square().sum()) for one in detectors.network.encoder.parameters())
        assert norms[name] == pytest.approx(squares**0.5, rel=1e-4)
        assert norms[name] > 0


def test_baselines_have_no_gradients_to_log():
    points, labels = blobs()
    assert NetworkDetectors(network(points), Options(), loss="softmax", epochs=0).curves(points, of(labels)) == {}
    assert SvmDetectors().curves(points, of(labels)) == {}
