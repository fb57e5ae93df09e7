"""Parts with clips, crops and an aggregate of their own: one vector a video before they are joined."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.cards import View, WholeVideo
from harness.encoders.composite import CompositeEncoder
from harness.encoders.frozen import CachedEncoder
from harness.encoders.reduced import ReducedEncoder
from harness.errors import UsageError
from harness.evaluators.clustering import Clustering
from harness.evaluators.encoding_options import EncodingOptions, WithEncoding
from harness.evaluators.knn import KNN
from harness.interfaces import Features
from harness.store.reduction import Reduction
from harness.testing import MovingSquares, UninformedEncoder, informed_encoder
from harness.values import Encoding, Promise, VideoBatch

SPLIT = MovingSquares().split("test")
TEN = Reduction(crops=10, aggregate="max")


class Maps:
    """The colours of a clip at an eighth of its size."""

    promise = Promise(views=(View(frames=2, size=16),), shape=(3, 2, 2))

    def encode(self, batch):
        return torch.nn.functional.adaptive_avg_pool3d(batch.clips.float(), (1, 2, 2))[:, :, 0]


class Written:
    """A frozen encoder of given features."""

    key, device = "written", "cpu"
    promise = Promise(views=(View(),), shape=(5,))

    def __init__(self, block):
        self.block = block

    def features(self, split, encoding):
        return Features((self.block,), split, "cpu", encoding.aggregate)

    def asking(self, asked):
        return self


def frozen(encoder):
    return CachedEncoder(encoder, key=type(encoder).__name__)


def reduced(encoder, by=TEN):
    return ReducedEncoder(frozen(encoder), by=by, key="x")


def test_the_maximum_over_crops_is_that_of_each_element_in_any_order():
    crops = np.random.default_rng(0).normal(size=(len(SPLIT), 10, 5)).astype(np.float32)
    by_hand = [[max(video[:, element].tolist()) for element in range(5)] for video in crops]
    for order in (range(10), np.random.default_rng(1).permutation(10)):
        features = ReducedEncoder(Written(crops[:, list(order)]), by=TEN, key="x").features(SPLIT)
        assert [block.shape for block in features.blocks] == [(len(SPLIT), 1, 5)]
        assert features.vectors.tolist() == by_hand


def test_its_own_numbers_take_the_place_of_those_that_are_asked_for():
    each = frozen(UninformedEncoder()).features(SPLIT, Encoding(clips=2, crops=3)).per_clip()
    asked = Encoding(clips=4, crops=10, aggregate="max")
    both = reduced(UninformedEncoder(), Reduction(clips=2, crops=3))
    for encoder in (both, both.asking(asked), both.asking(Encoding(clips=7)).asking(asked)):
        assert torch.equal(encoder.features(SPLIT).vectors, each.mean(1))
    largest = reduced(UninformedEncoder(), Reduction(clips=2, crops=3, aggregate="max")).asking(Encoding(clips=5))
    assert torch.equal(largest.features(SPLIT).vectors, each.amax(1))


def test_what_it_leaves_open_is_the_evaluator_s():
    asked = reduced(UninformedEncoder(), Reduction(crops=3, aggregate="max")).asking(Encoding(clips=2))
    each = frozen(UninformedEncoder()).features(SPLIT, Encoding(clips=2, crops=3)).per_clip()
    assert torch.equal(asked.features(SPLIT).vectors, each.amax(1))
    halves = reduced(UninformedEncoder()).asking(Encoding(precision="float16")).features(SPLIT).vectors
    full = reduced(UninformedEncoder()).features(SPLIT).vectors
    assert torch.equal(halves, full.half().float())
    assert not torch.equal(halves, full)
    with pytest.raises(UsageError, match="layer of the encoder: 'fc6'"):
        reduced(UninformedEncoder()).asking(Encoding(layer="fc6")).features(SPLIT)


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("aggregate", ["mean", "max"])
def test_each_part_is_aggregated_once_and_in_its_own_way(first, aggregate):
    """A part beside it keeps the evaluator's numbers, whichever comes first."""
    parts = [reduced(UninformedEncoder(), Reduction(crops=3, aggregate="max")), frozen(Maps())]
    joined = CompositeEncoder(tuple(parts if first else parts[::-1]), by="blocks", key="x")
    features = joined.asking(Encoding(clips=2, aggregate=aggregate)).features(SPLIT)
    own = frozen(UninformedEncoder()).features(SPLIT, Encoding(clips=2, crops=3)).per_clip().amax(1)
    shared = frozen(Maps()).features(SPLIT, Encoding(clips=2)).per_clip()
    shared = shared.amax(1) if aggregate == "max" else shared.mean(1)
    assert torch.equal(features.vectors, torch.cat([own, shared] if first else [shared, own], dim=1))
    assert sorted(block.shape[1] for block in features.blocks) == [1, 2]


def test_parts_of_other_clips_are_measured_together():
    few, many = (reduced(informed_encoder(), Reduction(clips=clips)) for clips in (1, 3))
    joined = CompositeEncoder((few, many), by="concat", key="x")
    assert joined.promise.shape == (8,)
    evaluator = WithEncoding(KNN(k=5), EncodingOptions(clips=2, aggregate="max"))
    score = evaluator.evaluate(joined, MovingSquares(), seed=0).scores[0]
    assert score.value > score.baseline


def test_it_promises_vectors_alone():
    encoder = reduced(Maps())
    assert encoder.promise == Promise(views=Maps.promise.views, shape=(3,))
    assert (encoder.network(), encoder.pretext(), encoder.device, encoder.key) == (None, None, "cpu", "x")
    batch = VideoBatch(torch.randint(256, (2, 3, 2, 16, 16), dtype=torch.uint8))
    assert torch.allclose(encoder.encode(batch), Maps().encode(batch).mean((2, 3)))


def test_it_has_no_clips_to_cluster():
    with pytest.raises(UsageError, match="got maximum over 10 crops, which is one vector a video"):
        Clustering(repeats=2, clips=3).evaluate(reduced(UninformedEncoder()), MovingSquares(), seed=0)
    assert Clustering(repeats=2).evaluate(reduced(UninformedEncoder()), MovingSquares(), seed=0).scores


def test_whole_videos_are_shown_once_whatever_their_numbers():
    class Whole:
        promise = Promise(views=(WholeVideo(),), shape=(3,))

        def encode(self, batch):
            return batch.clips.float().mean((2, 3, 4))

    vectors = [encoder.features(SPLIT).vectors for encoder in (frozen(Whole()), reduced(Whole()))]
    assert torch.equal(*vectors)
