"""Images in memory as a split."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from harness.datasets.splits import ArraySplit, describe_images

IMAGES = np.random.default_rng(0).integers(0, 256, (4, 6, 8, 3)).astype(np.uint8)
VIDEOS = describe_images(Path("batch"), IMAGES, {"action": [0, 1, 1, 0], "coarse": [0, 0, 1, 1]}, prefix="train")
CLASSES = {"action": ("cat", "dog"), "coarse": ("pet", "thing")}
SPLIT = ArraySplit("train", VIDEOS, IMAGES, CLASSES)


def test_records():
    video = SPLIT.videos[2]
    assert (video.id, video.labels, video.path) == ("train-00002", {"action": 1, "coarse": 1}, Path("batch"))
    assert (video.frames, video.width, video.height) == (1, 8, 6)


@pytest.mark.parametrize("index", [0, 3, -1])
def test_read(index):
    whole = SPLIT.read(index)
    assert np.array_equal(whole.numpy(), IMAGES[index][None])
    assert torch.equal(SPLIT.read(index, [0, 0]), whole[[0, 0]])
    assert SPLIT.read(index, []).shape == (0, 6, 8, 3)
    whole.zero_()
    assert SPLIT.read(index).any()  # memory of its own


def test_smaller_is_the_mean_and_larger_linear():
    half = SPLIT.read(1, short_side=3)[0].double()
    means = torch.from_numpy(IMAGES[1]).double().reshape(3, 2, 4, 2, 3).mean((1, 3))
    assert (half - means).abs().max() <= 0.5
    ramp = np.repeat(np.array([0, 100], np.uint8)[None, :, None], 2, 0).repeat(3, 2)[None]
    large = ArraySplit("train", VIDEOS[:1], ramp).read(0, short_side=4)
    assert large[0, 0, :, 0].tolist() == [0, 25, 75, 100]


@pytest.mark.parametrize("frames", [[1], [0, -1]])
def test_an_image_has_one_frame(frames):
    with pytest.raises(IndexError, match="'train-00000' has frame 0 only"):
        SPLIT.read(0, frames)


def test_the_manifest_covers_pixels_order_and_labels():
    changed = IMAGES.copy()
    changed[3, 5, 7, 2] ^= 1
    one_other_label = (*VIDEOS[:3], describe_images(Path("batch"), IMAGES, {"action": [1] * 4}, prefix="train")[3])
    others = [
        ArraySplit("train", VIDEOS, changed, CLASSES),
        ArraySplit("train", VIDEOS, IMAGES[::-1], CLASSES),
        ArraySplit("train", VIDEOS, IMAGES.reshape(4, 8, 6, 3), CLASSES),
        ArraySplit("train", one_other_label, IMAGES, CLASSES),
        ArraySplit("train", VIDEOS, IMAGES, {**CLASSES, "action": ("dog", "cat")}),
        SPLIT.unlabelled(),
    ]
    assert len({SPLIT.manifest, *(other.manifest for other in others)}) == 7
    assert others[3].unlabelled().manifest == SPLIT.unlabelled().manifest
    assert ArraySplit("train", VIDEOS, IMAGES.copy("F"), CLASSES).manifest == SPLIT.manifest


def test_unlabelled():
    bare = SPLIT.unlabelled()
    assert not bare.labelled
    assert not bare.classes
    assert not any(video.labels or video.group for video in bare.videos)
    assert len({video.id for video in bare.videos} - {video.id for video in SPLIT.videos}) == 4
    assert torch.equal(bare.read(2), SPLIT.read(2))


@pytest.mark.parametrize("images", [IMAGES[:3], IMAGES[..., :2], IMAGES.astype(np.float32), IMAGES[0]])
def test_images_that_do_not_fit(images):
    with pytest.raises(ValueError, match=r"4 videos need images \(4, H, W, 3\) uint8"):
        ArraySplit("train", VIDEOS, images)
