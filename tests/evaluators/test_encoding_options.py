"""Options of features: which evaluator takes which, and what they change."""

from __future__ import annotations

import pytest
import torch

from harness.errors import UsageError
from harness.evaluators.cards import CLUSTERING, FINETUNE, KNN, LINEAR_PROBE, POSE, THROUGHPUT
from harness.evaluators.clustering import Clustering
from harness.evaluators.encoding_options import EncodingOptions, WithEncoding, taken
from harness.evaluators.finetune import Finetune
from harness.evaluators.labelled_features import clustering_samples
from harness.evaluators.linear import LinearProbe
from harness.plugins.manager import Plugins
from harness.testing import MovingSquares
from harness.testing.evaluating import NoisyEncoder, frozen
from harness.values import Encoding

SPLIT = MovingSquares().split("test")


@pytest.mark.parametrize(
    ("cards", "names"),
    [
        ((KNN, LINEAR_PROBE, CLUSTERING, THROUGHPUT), ("layer", "precision", "clips", "crops", "aggregate")),
        ((FINETUNE, POSE), ()),
    ],
)
def test_evaluators_of_vectors_take_all_of_them(cards, names):
    assert {taken(card) for card in cards} == {names}


def test_what_an_evaluator_does_not_take_is_named():
    with pytest.raises(UsageError, match=r"'finetune' takes no clips and no aggregate; .* it takes: none"):
        WithEncoding(Finetune(), EncodingOptions(clips=2, aggregate="max"))


class Aggregated(NoisyEncoder):
    """The mean or the maximum of a video's clips, kept as its only one."""

    def __init__(self, reduce):
        super().__init__()
        self.reduce, self.clips = reduce, frozen(NoisyEncoder()).asking(Encoding(clips=3))

    def features(self, split, encoding=None):
        values = self.reduce(self.clips.features(split).per_clip(), 1)
        return type(self.clips.features(split))((values[:, None].numpy(),), split)

    device = "cpu"


@pytest.mark.parametrize(("aggregate", "reduce"), [("mean", torch.mean), ("max", torch.amax)])
def test_evaluators_measure_what_is_aggregated(aggregate, reduce):
    asked = WithEncoding(LinearProbe(), EncodingOptions(clips=3, aggregate=aggregate))
    evaluation = asked.evaluate(frozen(NoisyEncoder()), MovingSquares(), seed=0)
    expected = LinearProbe().evaluate(Aggregated(reduce), MovingSquares(), seed=0)
    assert (evaluation.scores, evaluation.predictions) == (expected.scores, expected.predictions)


def test_features_are_stored_once_however_they_are_aggregated():
    encoder = frozen(NoisyEncoder())
    three = encoder.features(SPLIT, Encoding(clips=3))
    largest = encoder.features(SPLIT, Encoding(clips=3, aggregate="max"))
    assert largest.blocks[0] is three.blocks[0]
    assert torch.equal(largest.vectors, three.per_clip().amax(1))
    assert torch.equal(encoder.asking(Encoding(clips=3, aggregate="max")).features(SPLIT).vectors, largest.vectors)


def test_the_crops_of_a_clip_are_aggregated_where_clips_are_samples():
    encoder = frozen(NoisyEncoder()).asking(Encoding(crops=3, aggregate="max"))
    samples = clustering_samples(encoder, MovingSquares(), "test", "action", clips=2, stride=None)
    each = encoder.features(SPLIT, Encoding(clips=2)).per_clip().view(len(SPLIT), 2, 3, -1)
    assert torch.equal(samples.features.vectors, each.amax(2).flatten(0, 1))
    assert WithEncoding(Clustering(clips=2), EncodingOptions(crops=3, aggregate="max")).card.needs == {"vector"}


def test_only_another_aggregate_than_the_mean_is_written():
    """Protocols say "mean over clips and crops" without it, so that no key changed when the option came."""
    evaluators = Plugins().evaluators
    assert evaluators.completed("knn", {"aggregate": "mean"}) == evaluators.completed("knn", {})
    assert "aggregate" not in evaluators.completed("knn", {})
    assert evaluators.canonical("knn", {"aggregate": "mean", "clips": 3}) == {"clips": 3}
    assert evaluators.canonical("knn", {"aggregate": "max"}) == {"aggregate": "max"}
    assert "aggregate" not in evaluators.completed("finetune", {})
    with pytest.raises(UsageError, match="'knn': option aggregate='median'"):
        evaluators.completed("knn", {"aggregate": "median"})
