"""Crops and flips."""

from __future__ import annotations

import pytest
import torch

from harness.video.transform import crops, random_crop, random_flip


def numbered(batch=2, height=5, width=7):
    """Clips whose pixels say where they are: channel 0 the row, 1 the column, 2 the frame."""
    clips = torch.zeros(batch, 3, 4, height, width, dtype=torch.uint8)
    clips[:, 0] = torch.arange(height, dtype=torch.uint8)[:, None]
    clips[:, 1] = torch.arange(width, dtype=torch.uint8)
    clips[:, 2] = torch.arange(4, dtype=torch.uint8)[:, None, None]
    return clips


@pytest.mark.parametrize("turned", [False, True])
def test_crops_are_the_centre_or_the_ends_of_the_longer_side(turned):
    clips = numbered(height=7, width=5) if turned else numbered()
    long, short = (0, 1) if turned else (1, 0)
    (one,) = crops(clips, 3, 1).unbind(1)
    assert one.shape == (2, 3, 4, 3, 3)
    assert (int(one[0, long].min()), int(one[0, short].min())) == (2, 1)
    three = crops(clips, 3, 3)
    assert [int(three[0, i, long].min()) for i in range(3)] == [0, 2, 4]
    assert [int(three[0, i, short].min()) for i in range(3)] == [1, 1, 1]


def test_crops_larger_than_the_frame():
    with pytest.raises(ValueError, match="cannot crop"):
        crops(numbered(), 6, 1)
    with pytest.raises(ValueError, match="cannot crop"):
        random_crop(numbered(), 6, torch.Generator())
    with pytest.raises(ValueError, match="1 or 3"):
        crops(numbered(), 3, 5)


def test_random_crop_equals_slicing_and_reaches_every_corner():
    clips = numbered(batch=600)
    cropped = random_crop(clips, 3, torch.Generator().manual_seed(0))
    assert cropped.dtype == torch.uint8
    seen = set()
    for clip, crop in zip(clips, cropped, strict=True):
        top, left = int(crop[0].min()), int(crop[1].min())
        assert torch.equal(crop, clip[..., top : top + 3, left : left + 3])
        seen.add((top, left))
    assert seen == {(top, left) for top in range(3) for left in range(5)}


def test_random_flip_mirrors_about_half_and_whole_clips():
    clips = numbered(batch=1000)
    flipped = random_flip(clips, torch.Generator().manual_seed(0))
    mirrored = [torch.equal(a, b.flip(-1)) for a, b in zip(flipped, clips, strict=True)]
    same = [torch.equal(a, b) for a, b in zip(flipped, clips, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert 400 < sum(mirrored) < 600
