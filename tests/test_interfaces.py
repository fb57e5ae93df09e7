"""Features as evaluators read them: means over clips, blocks beside each other, labels."""

from __future__ import annotations

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


def test_labels_are_those_of_the_split():
    features = Features((block(1, 3),), SPLIT)
    assert features.labels("action").tolist() == [video.labels["action"] for video in SPLIT.videos]
    with pytest.raises(DataError, match="no label 'scene'; it has: action"):
        features.labels("scene")
    with pytest.raises(DataError, match="it has: none"):
        Features((block(1, 3),), SPLIT.unlabelled()).labels("action")
