"""Composites: vectors beside each other, blocks kept apart, and scores equal to those of the vectors joined."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.cards import View
from harness.encoders.composite import CompositeEncoder
from harness.encoders.frozen import CachedEncoder
from harness.errors import UsageError
from harness.evaluators.clustering import Clustering
from harness.evaluators.few_shot import FewShot
from harness.evaluators.finetune import Finetune
from harness.evaluators.knn import KNN
from harness.evaluators.linear import LinearProbe
from harness.testing import MovingSquares, UninformedEncoder, informed_encoder
from harness.testing.fixtures import TinyBackbone
from harness.values import Encoding, Promise, VideoBatch

SPLIT = MovingSquares().split("test")


class Rows:
    """The mean colour of each row of a clip, seen in two clips of a video."""

    promise = Promise(views=(View(frames=2, size=16),), shape=(48,))

    def encode(self, batch):
        return batch.clips.float().mean((2, 4)).flatten(1) / 255


class Joined:
    """The vectors of two encoders of one view in one."""

    promise = Promise(views=(TinyBackbone.inputs.view,), shape=(20,))

    def __init__(self):
        self.parts = informed_encoder(), UninformedEncoder()

    def encode(self, batch):
        return torch.cat([part.encode(batch) for part in self.parts], dim=1)


def frozen(encoder):
    asked = Encoding(clips=2 if isinstance(encoder, Rows) else 1)
    return CachedEncoder(encoder, key=type(encoder).__name__, asked=asked)


def composite(*encoders, by="concat"):
    return CompositeEncoder(tuple(map(frozen, encoders)), by=by, key="x")


def test_vectors_are_beside_each_other_in_the_order_of_the_parts():
    parts = informed_encoder(), UninformedEncoder()
    for order in (parts, parts[::-1]):
        joined = composite(*order)
        expected = [frozen(part).features(SPLIT).vectors for part in order]
        assert torch.equal(joined.features(SPLIT).vectors, torch.cat(expected, dim=1))
        assert joined.promise.shape == (20,)


@pytest.mark.parametrize(("by", "offers"), [("concat", {"vector"}), ("blocks", {"vector", "blocks"})])
def test_blocks_are_kept_apart(by, offers):
    joined = composite(UninformedEncoder(), Rows(), by=by)
    features = joined.features(SPLIT)
    assert joined.promise.offers == offers
    assert joined.promise.views == (UninformedEncoder.promise.view, Rows.promise.view)
    assert [block.shape for block in features.blocks] == [(len(SPLIT), 1, 16), (len(SPLIT), 2, 48)]
    for block, part in zip(features.blocks, (UninformedEncoder(), Rows()), strict=True):
        assert np.array_equal(block, frozen(part).features(SPLIT).blocks[0])
    assert features.vectors.shape == (len(SPLIT), 64)  # each the mean over clips of its own


def test_parts_with_other_clips_have_no_common_ones():
    with pytest.raises(UsageError, match=r"blocks of \[1, 2\] clips have no common clips"):
        composite(UninformedEncoder(), Rows()).features(SPLIT).per_clip()
    three = composite(UninformedEncoder(), Rows()).features(SPLIT, Encoding(clips=3)).per_clip()
    assert three.shape == (len(SPLIT), 3, 64)


@pytest.mark.parametrize(
    "evaluator",
    [LinearProbe(), KNN(k=5), FewShot(shots=[5], draws=2), Clustering(repeats=2), Clustering(repeats=2, clips=2)],
    ids=["linear_probe", "knn", "few_shot", "clustering", "clustering of clips"],
)
@pytest.mark.parametrize("by", ["concat", "blocks"])
def test_an_evaluator_measures_the_concatenated_vectors(evaluator, by):
    joined = composite(informed_encoder(), UninformedEncoder(), by=by)
    evaluations = [evaluator.evaluate(one, MovingSquares(), seed=0) for one in (joined, frozen(Joined()))]
    assert evaluations[0] == evaluations[1]


def test_every_part_is_asked_for_layer_and_precision():
    asked = composite(informed_encoder(), UninformedEncoder()).asking(Encoding(precision="float16"))
    assert [block.dtype.name for block in asked.features(SPLIT).blocks] == ["float16", "float16"]
    with pytest.raises(UsageError, match="layer of the encoder: 'fc6'"):
        composite(informed_encoder(), UninformedEncoder()).asking(Encoding(layer="fc6")).features(SPLIT)


def test_what_a_composite_cannot_do():
    joined = composite(informed_encoder(), UninformedEncoder())
    assert joined.network() is None
    assert joined.pretext() is None
    assert Finetune.card.needs - joined.promise.offers == {"trainable"}
    with pytest.raises(UsageError, match="a composite of 2 encoders has no clips of its own"):
        joined.encode(VideoBatch(torch.zeros(1, 3, 8, 32, 32, dtype=torch.uint8)))


def test_parts_that_make_no_composite():
    class Blocks(UninformedEncoder):
        promise = Promise(views=UninformedEncoder.promise.views, shape=(4,), offers=frozenset({"blocks"}))

    for parts in ((), (UninformedEncoder(),), (UninformedEncoder(), Blocks())):
        with pytest.raises(ValueError, match="expected at least two parts that give vectors, got"):
            composite(*parts)


class Maps:
    """The colours of a clip, at half its length and an eighth of its size."""

    promise = Promise(views=(View(frames=2, size=16),), shape=(3, 2, 2))

    def encode(self, batch):
        return torch.nn.functional.adaptive_avg_pool3d(batch.clips.float(), (1, 2, 2))[:, :, 0]


def test_a_part_that_gives_maps_has_vectors_too():
    joined = composite(informed_encoder(), Maps())
    assert joined.promise.shape == (4 + 3,)
    vectors = joined.features(SPLIT).vectors
    assert torch.equal(vectors[:, 4:], frozen(Maps()).features(SPLIT).vectors)


def test_clips_are_aggregated_as_asked():
    asked = composite(informed_encoder(), UninformedEncoder()).asking(Encoding(clips=3, aggregate="max"))
    features = asked.features(SPLIT)
    assert torch.equal(features.vectors, features.per_clip().amax(1))
