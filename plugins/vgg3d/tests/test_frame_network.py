"""Losses on clips and on maps are one loss; orders of frames."""

from __future__ import annotations

import math
import shutil

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from harness.backbones.small_2d import Small2D
from harness.training.compiling import compiled
from harness_vgg3d.frame_network import FrameNetwork, LossOnClips, LossOnMaps, label_loss, reordered
from harness_vgg3d.head import Head
from harness_vgg3d.spatial_stream import FrameMean, FrameVectors
from harness_vgg3d.trunk import Trunk

LABELS = torch.tensor([0, 2])


@pytest.fixture
def clips():
    return torch.randn(2, 3, 6, 64, 64, generator=torch.Generator().manual_seed(0))


def three_d():
    trunk = Trunk(Small2D().build(seed=0), "feature_map", 64)
    return FrameNetwork(trunk, Head((128, 6, 8, 8), channels=4, units=8, kernel=3, dropout=0.0)).eval()


def stream():
    return FrameNetwork(FrameVectors(Small2D().build(seed=0)), FrameMean(0.0)).eval()


@pytest.mark.parametrize("network", [three_d(), stream()])
def test_maps_give_the_loss_of_their_clips(network, clips):
    """In half precision, as they come from the disk, in turn."""
    classifier = nn.Linear(network(clips).shape[1], 3)
    whole = LossOnClips(network, classifier)(clips, LABELS)
    on_maps = LossOnMaps(network.adapted, classifier)
    maps = network.frames(clips)
    on_maps.waiting += [maps, maps.half()]
    torch.testing.assert_close(on_maps({}, LABELS.clone()), whole)
    torch.testing.assert_close(on_maps({}, LABELS.clone()), whole, rtol=1e-2, atol=1e-3)
    assert not on_maps.waiting


def test_a_step_may_ask_for_its_loss_again(clips):
    network = three_d()
    loss = LossOnMaps(network.adapted, nn.Linear(8, 3))
    maps = network.frames(clips).detach()
    loss.waiting += [maps, maps + 1]
    first, second = LABELS.clone(), LABELS.clone()
    once, again, other = loss({}, first), loss({}, first), loss({}, second)
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    assert not loss.waiting


@pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++", "c++"))), reason="needs a compiler of C++")
@pytest.mark.filterwarnings("ignore")  # those of the compiler are no business of ours
def test_the_loss_of_maps_can_be_compiled(clips):
    network = stream()
    loss = LossOnMaps(network.adapted, nn.Linear(network(clips).shape[1], 3))
    maps = network.frames(clips).detach()
    loss.waiting += [maps, maps + 1]
    run = compiled(loss, "adaptation")
    found = [run({}, labels) for labels in (LABELS.clone(), LABELS.clone())]
    loss.waiting += [maps, maps + 1]
    torch.testing.assert_close(found, [loss({}, labels) for labels in (LABELS.clone(), LABELS.clone())])


def test_half_precision_changes_logits_by_less_than_a_hundredth_of_their_deviation(clips):
    network = three_d()
    classifier = nn.Linear(8, 3)
    maps = network.frames(clips)
    exact, half = (classifier(network.adapted(one)) for one in (maps, maps.half().float()))
    assert (exact - half).abs().max() < 1e-2 * exact.std()


def test_the_stream_learns_from_every_frame(clips):
    """Closed form: the mean over clips and frames of the cross-entropy of single frames."""
    network, classifier = stream(), nn.Linear(128, 3)
    vectors = network.frames(clips)
    each = [cross_entropy(classifier(vectors[:, :, frame]), LABELS) for frame in range(6)]
    torch.testing.assert_close(LossOnClips(network, classifier)(clips, LABELS), torch.stack(each).mean())


def test_the_score_of_a_video_is_the_mean_of_those_of_its_frames(clips):
    network, classifier = stream(), nn.Linear(128, 3)
    scores = classifier(network.frames(clips).mT)
    torch.testing.assert_close(classifier(network(clips)), scores.mean(1))


def test_a_classifier_that_knows_nothing_pays_the_logarithm_of_the_classes():
    classifier = nn.Linear(4, 5)
    nn.init.zeros_(classifier.weight)
    nn.init.zeros_(classifier.bias)
    loss = label_loss(FrameMean(0.0), classifier, torch.randn(3, 4, 6), torch.tensor([0, 1, 4]))
    assert float(loss.detach()) == pytest.approx(math.log(5))


def test_the_loss_of_maps_leaves_the_network_of_frames_alone(clips):
    network = three_d()
    loss = LossOnMaps(network.adapted, nn.Linear(8, 3))
    assert not {*loss.parameters()} & {*network.frames.parameters()}
    loss.waiting.append(network.frames(clips).detach())
    loss({}, LABELS).backward()
    assert all(parameter.grad is None for parameter in network.frames.parameters())
    assert all(parameter.grad is not None for parameter in loss.parameters())


def test_each_clip_has_an_order_of_its_own():
    maps = torch.randn(2, 3, 4, 5, 6)
    orders = torch.tensor([[3, 1, 0, 2], [0, 1, 2, 3]])
    moved = reordered(maps, orders)
    for clip, order in enumerate(orders.tolist()):
        for place, frame in enumerate(order):
            assert torch.equal(moved[clip, :, place], maps[clip, :, frame])


def test_dropping_is_in_training_alone():
    mean, vectors = FrameMean(0.5), torch.ones(2, 4, 6)
    assert torch.equal(mean.eval().examples(vectors), vectors.mT)
    torch.manual_seed(0)
    assert set(mean.train().examples(vectors).unique().tolist()) == {0.0, 2.0}
