"""Features as evaluators read them: means over clips, blocks beside each other, labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.errors import DataError, UsageError
from harness.interfaces import Features
from harness.testing import MovingSquares

SPLIT = MovingSquares().split("test")


def block(clips, dim, dtype=np.float32):
    return np.random.default_rng(dim).normal(size=(len(SPLIT), clips, dim)).astype(dtype)


def test_vectors_are_means_over_clips_with_blocks_beside_each_other():
    one, other = block(2, 3), block(5, 4)
    vectors = Features((one, other), SPLIT).vectors
    expected = np.concatenate([one.mean(1), other.mean(1)], axis=1)
    torch.testing.assert_close(vectors, torch.from_numpy(expected))
    many = np.random.default_rng(0).normal(size=(2500, 2, 3)).astype(np.float32)  # more than are copied at a time
    torch.testing.assert_close(Features((many,), SPLIT).vectors, torch.from_numpy(many.mean(1)))


def test_half_precision_is_read_as_float32():
    half = block(2, 3, np.float16)
    features = Features((half,), SPLIT)
    assert features.vectors.dtype == features.per_clip().dtype == torch.float32
    torch.testing.assert_close(features.per_clip(), torch.from_numpy(half.astype(np.float32)))


def test_clips_of_blocks_stand_beside_each_other_where_they_are_equally_many():
    one, other = block(2, 3), block(2, 4)
    assert Features((one, other), SPLIT).per_clip().shape == (len(SPLIT), 2, 7)
    with pytest.raises(UsageError, match="expected equally many"):
        Features((one, block(5, 4)), SPLIT).per_clip()


@pytest.mark.parametrize(("aggregate", "expected"), [("mean", np.mean), ("max", np.max)], ids=["mean", "max"])
def test_vectors_are_aggregated_over_clips_as_asked(aggregate, expected):
    one, other = block(5, 3), block(2, 4)
    vectors = Features((one, other), SPLIT, aggregate=aggregate).vectors
    torch.testing.assert_close(vectors, torch.from_numpy(np.concatenate([expected(b, 1) for b in (one, other)], 1)))


def test_the_vector_of_tokens_is_their_mean():
    random = np.random.default_rng(0)
    tokens, maps, volumes = (
        random.normal(size=(len(SPLIT), 2, *shape)).astype(np.float32) for shape in [(7, 3), (3, 4, 5), (3, 2, 4, 5)]
    )
    for values, means in ((tokens, tokens.mean(2)), (maps, maps.mean((3, 4))), (volumes, volumes.mean((3, 4, 5)))):
        features = Features((values,), SPLIT)
        torch.testing.assert_close(features.per_clip(), torch.from_numpy(means))
        torch.testing.assert_close(features.vectors, torch.from_numpy(means.mean(1)))
        largest = Features((values,), SPLIT, aggregate="max").vectors  # of the clips' means
        torch.testing.assert_close(largest, torch.from_numpy(means.max(1)))
    beside = Features((tokens, block(2, 4)), SPLIT)
    assert beside.vectors.shape == (len(SPLIT), 3 + 4)
    assert beside.per_clip().shape == (len(SPLIT), 2, 3 + 4)


def test_large_features_are_read_a_few_videos_at_a_time():
    large = np.zeros((3, 1, 2**20, 17), np.float16)  # one video's are more than are copied at a time
    large[:, :, 5] = np.arange(3, dtype=np.float16)[:, None, None]
    means = torch.arange(3.0)[:, None].expand(3, 17) / 2**20
    torch.testing.assert_close(Features((large,), SPLIT).vectors, means)


def test_labels_are_those_of_the_split():
    features = Features((block(1, 3),), SPLIT)
    assert features.labels("action").tolist() == [video.labels["action"] for video in SPLIT.videos]
    with pytest.raises(DataError, match="no label 'scene'; it has: action"):
        features.labels("scene")
    with pytest.raises(DataError, match="it has: none"):
        Features((block(1, 3),), SPLIT.unlabelled()).labels("action")


def test_sets_of_classes_and_targets_by_name():
    videos = tuple(
        replace(video, multilabels={"objects": classes}, targets={"age": age})
        for video, classes, age in zip(SPLIT.videos, ((), (1,), (0, 2)), (0.5, -2.0, 3.0), strict=False)
    )
    split = replace(SPLIT, videos=videos, multilabel_classes={"objects": ("cup", "bag", "box")})
    features = Features((block(1, 2)[:3],), split)
    assert features.membership("objects").int().tolist() == [[0, 0, 0], [0, 1, 0], [1, 0, 1]]
    assert features.targets("age").tolist() == [0.5, -2.0, 3.0]
    with pytest.raises(DataError, match="has no multi-label kind 'action' of all its videos; it has: objects"):
        features.membership("action")
    with pytest.raises(DataError, match="has no target 'size' of every video; it has: age"):
        features.targets("size")
    bare = replace(split, multilabel_classes={"objects": ()})
    with pytest.raises(DataError, match="no video of split 'test' has a class of the multi-label kind 'objects'"):
        Features((block(1, 2)[:3],), bare).membership("objects")
    wrong = replace(split, videos=(replace(videos[0], multilabels={"objects": (3,)}), *videos[1:]))
    with pytest.raises(DataError, match="has no multi-label kind 'objects' of all its videos"):
        Features((block(1, 2)[:3],), wrong).membership("objects")
