"""What is lost by shuffling: nothing by an encoder blind to time, all that motion told by one that sees it."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from harness.backbones.small_2d import Small2D
from harness.cards import View
from harness.encoders.network import NetworkEncoder
from harness.errors import DataError
from harness.evaluators.linear import LinearProbe
from harness.evaluators.temporal_order import TemporalOrder
from harness.functional.statistics import of_predictions
from harness.system.seeding import derive_seed
from harness.testing import MovingSquares, evaluating, informed_encoder
from harness.testing.evaluating import ChangedSquares, baselines, frozen, keep, values
from harness.testing.fixtures import TinyBackbone, UntrainedEncoder
from harness.values import Encoding, Promise


def evaluate(encoder, seed=0, data=None):
    return evaluating.evaluate(TemporalOrder(), encoder, data, seed)


class Places:
    """Where the square is on average, and nothing of when: sums of integers, whatever their order."""

    promise = Promise(views=(TinyBackbone.inputs.view,), shape=(64,))

    def encode(self, batch):
        bright = (batch.clips.amin(1) > 200).sum(1)  # (B, H, W): in how many frames each pixel was bright
        return torch.cat([bright.sum(1), bright.sum(2)], dim=1).float()


def test_an_encoder_blind_to_time_loses_exactly_nothing():
    found = evaluate(Places())
    assert values(found)["top1_lost"] == 0.0
    assert values(found)["top1"] == values(found)["top1_shuffled"]
    first, *others = found.predictions.predicted
    assert others == [first, first]


def test_a_network_that_averages_frames_loses_nothing():
    inputs = dataclasses.replace(Small2D.inputs, view=View(frames=8, stride=2, size=32))
    found = evaluate(NetworkEncoder(Small2D().build(seed=0), inputs))
    assert values(found)["top1_lost"] == 0.0


@pytest.mark.parametrize("seed", [0, 1])
def test_an_encoder_of_motion_is_left_with_the_axis(seed):
    """Shuffled, a motion to the left and one to the right are one: of four directions, two axes remain."""
    found = evaluate(informed_encoder(), seed)
    assert values(found)["top1"] == 1.0
    assert values(found)["top1_shuffled"] == pytest.approx(0.5, abs=0.15)
    assert values(found)["top1_lost"] == pytest.approx(1.0 - values(found)["top1_shuffled"])
    across = torch.tensor(found.predictions.labels) < 2
    assert all(torch.equal(torch.tensor(row) < 2, across) for row in found.predictions.predicted)


def test_scores_are_those_of_the_linear_probe():
    ordered = frozen(UntrainedEncoder())
    found = TemporalOrder().evaluate(ordered, MovingSquares(), seed=4)
    orders = [None, derive_seed(4, 0), derive_seed(4, 1)]
    probes = [LinearProbe().classify(ordered, MovingSquares(), Encoding(shuffle=order)) for order in orders]
    top1 = [probe.scores[0].value for probe in probes]
    assert values(found) == pytest.approx(
        {"top1_lost": top1[0] - sum(top1[1:]) / 2, "top1": top1[0], "top1_shuffled": sum(top1[1:]) / 2}
    )
    assert found.predictions.predicted == tuple(probe.predictions.predicted[0] for probe in probes)
    assert baselines(found) == {"top1_lost": None, "top1": 0.25, "top1_shuffled": 0.25}
    assert found.notes["top1_of_each_shuffling"] == top1[1:]


def test_every_video_says_what_it_lost():
    found = evaluate(informed_encoder())
    lost = found.predictions.values["top1_lost"]
    labels, (ordered, *shuffled) = found.predictions.labels, found.predictions.predicted
    assert len(lost) == len(shuffled) == 2
    for row, guesses in zip(lost, shuffled, strict=True):
        hits = zip(labels, ordered, guesses, strict=True)
        assert row == tuple((a == truth) - (b == truth) for truth, a, b in hits)
    for metric in TemporalOrder.card.metrics:
        again = of_predictions(found.predictions, metric)
        assert float(again.mean()) == pytest.approx(values(found)[metric.id])


def test_the_seed_shuffles():
    first, again, other = (evaluate(UntrainedEncoder(), seed) for seed in (0, 0, 1))
    assert first == again
    assert first.predictions.predicted[0] == other.predictions.predicted[0]
    assert first.predictions.predicted[1:] != other.predictions.predicted[1:]


def test_data_that_cannot_carry_the_protocol():
    one = keep(lambda video: video.labels["action"] == 1)
    with pytest.raises(DataError, match="one class of 'action' only"):
        evaluate(informed_encoder(), data=ChangedSquares(train=one, test=one))
