"""Crops and flips."""

from __future__ import annotations

import importlib

import pytest
import torch

from harness.backbones import _torchvision
from harness.cards import View
from harness.values import Inputs
from harness.video.transforms import (
    GREY,
    SCALES,
    _by_products,
    colour_jitter,
    crops,
    multi_scale_crop,
    normalise,
    random_crop,
    random_flip,
    random_reversal,
    resized_crops,
)


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
    with pytest.raises(ValueError, match="1, 3, 5 or 10"):
        crops(numbered(), 3, 4)


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


def test_normalising_leaves_the_pixels_and_serves_training_after_encoding():
    inputs = Inputs(view=View(frames=2, size=2), mean=(0.1, 0.2, 0.3), std=(0.4, 0.5, 0.6), order="bgr")
    pixels = torch.randint(256, (2, 3, 2, 2, 2), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    kept = pixels.clone()
    with torch.inference_mode():
        encoded = normalise(pixels, inputs)
    mean, std = (torch.tensor(numbers, dtype=torch.float64).view(3, 1, 1, 1) for numbers in (inputs.mean, inputs.std))
    torch.testing.assert_close(encoded.double(), (pixels.flip(1).double() / 255 - mean) / std, rtol=1e-6, atol=1e-6)
    scale = torch.ones((), requires_grad=True)
    (normalise(pixels, inputs) * scale).sum().backward()
    assert scale.grad is not None
    assert torch.equal(pixels, kept)
    flow = Inputs(view=View(frames=2, size=2), mean=(0.0, 0.0), std=(2.0, 2.0), scale=1.0, kind="flow")
    floats = torch.ones(1, 2, 2, 2, 2)
    assert torch.equal(normalise(floats, flow), floats / 2)
    assert torch.equal(floats, torch.ones(1, 2, 2, 2, 2))


def test_random_reversal_plays_about_half_backwards():
    clips = numbered(batch=1000)
    played = random_reversal(clips, torch.Generator().manual_seed(0))
    backwards = (played[:, 2, 0, 0, 0] == 3).sum()
    assert 400 < int(backwards) < 600
    assert torch.equal(played.sort(2).values, clips)


@pytest.mark.parametrize("box", [(0, 0, 40, 60), (3, 5, 21, 21), (10, 30, 8, 8), (0, 0, 1, 1), (4, 4, 16, 16)])
def test_resized_crops_equal_torchvisions(box):
    _torchvision.models()
    functional = importlib.import_module("torchvision.transforms.v2.functional")
    clips = torch.randint(256, (2, 3, 4, 40, 60), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    boxes = torch.tensor([box, (0, 0, 40, 40)])
    theirs = functional.resized_crop(clips[0].transpose(0, 1).float(), *box, [16, 16], antialias=True)
    for ours, nearest in ((resized_crops(clips, boxes, 16), 1.0), (_by_products(clips, boxes.float(), 16), 0.51)):
        assert ours.dtype == torch.uint8
        assert (ours[0].transpose(0, 1).float() - theirs).abs().max() <= nearest  # which is not rounded


def test_multi_scale_crops_are_corners_and_centres_at_every_scale():
    ramp = torch.zeros(600, 2, 1, 64, 96, dtype=torch.uint8)
    ramp[:, 0] = torch.arange(64, dtype=torch.uint8)[:, None]
    ramp[:, 1] = torch.arange(96, dtype=torch.uint8)
    cropped = multi_scale_crop(ramp, 32, torch.Generator().manual_seed(0)).float()[:, :, 0]
    sides = cropped[:, 0, -1, 0] - cropped[:, 0, 0, 0]  # rows from the first to the last pixel: side (1 - 1/32)
    found = {}
    for clip, side in zip(cropped, sides, strict=True):
        scale = min(SCALES, key=lambda share: abs(share * 64 * 31 / 32 - float(side)))
        assert abs(scale * 64 * 31 / 32 - float(side)) < 2
        middle = (round(float(clip[0].mean())), round(float(clip[1].mean())))
        found.setdefault(scale, set()).add(middle)
    assert set(found) == set(SCALES)
    assert len(found[1.0]) == 3  # the whole height: left, centre, right
    assert all(len(found[scale]) == 5 for scale in SCALES[1:])


def test_multi_scale_crops_are_anywhere_on_request():
    ramp = torch.zeros(400, 2, 1, 64, 96, dtype=torch.uint8)
    ramp[:, 0] = torch.arange(64, dtype=torch.uint8)[:, None]
    ramp[:, 1] = torch.arange(96, dtype=torch.uint8)
    cropped = multi_scale_crop(ramp, 32, torch.Generator().manual_seed(0), position="random").float()[:, :, 0]
    sides = cropped[:, 0, -1, 0] - cropped[:, 0, 0, 0]
    assert {min(SCALES, key=lambda share: abs(share * 62 - float(side))) for side in sides} == set(SCALES)
    small = cropped[sides < 34]  # squares of 32 pixels: any row from 0 to 32, any column from 0 to 64
    middles = small.mean((2, 3)) - 15.5
    assert len(middles.round().unique(dim=0)) > 40
    assert middles.amin(0).tolist() == pytest.approx([0, 0], abs=5)
    assert middles.amax(0).tolist() == pytest.approx([32, 64], abs=5)


def noise(count: int) -> torch.Tensor:
    return torch.randint(256, (count, 3, 2, 6, 7), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)


@pytest.mark.parametrize("strength", [0.1, 0.4, 0.5])
def test_colours_are_those_of_torchvision(strength):
    """The same factors, clip by clip, through torchvision's functions."""
    _torchvision.models()
    functional = importlib.import_module("torchvision.transforms.v2.functional")
    clips = noise(40)
    found = colour_jitter(clips, strength, torch.Generator().manual_seed(5))
    drawn = torch.rand(5, 40, generator=torch.Generator().manual_seed(5)) * 2 - 1
    for clip, got, factors in zip(clips, found, drawn.T.tolist(), strict=True):
        images = clip.transpose(0, 1).float() / 255  # (T, C, H, W)
        images = functional.adjust_brightness(images, 1 + strength * factors[0])
        grey = functional.rgb_to_grayscale(images).mean()  # torchvision's own contrast is of each image alone
        images = ((1 + strength * factors[1]) * images - strength * factors[1] * grey).clamp(0, 1)
        images = functional.adjust_saturation(images, 1 + strength * factors[2])
        images = functional.adjust_hue(images, strength * factors[3])
        if factors[4] < 2 * GREY - 1:
            images = functional.rgb_to_grayscale(images, num_output_channels=3)
        assert ((images.transpose(0, 1) * 255) - got).abs().max() < 1.01
    shares = (found.amax(1) == found.amin(1)).flatten(1).all(1).float().mean()
    assert shares == (drawn[4] < 2 * GREY - 1).float().mean() > 0


def test_no_strength_changes_no_colour_but_makes_some_clips_grey():
    clips = noise(400)
    found = colour_jitter(clips, 0.0, torch.Generator().manual_seed(1))
    same = (found.int() - clips.int()).abs().flatten(1).amax(1) <= 1
    assert abs(float(same.float().mean()) - (1 - GREY)) < 0.06
    with pytest.raises(ValueError, match=r"from 0 to 0\.5, got 0\.6"):
        colour_jitter(clips, 0.6, torch.Generator())


def test_ten_crops_equal_torchvisions():
    _torchvision.models()
    functional = importlib.import_module("torchvision.transforms.v2.functional")
    clips = torch.randint(256, (2, 3, 4, 20, 30), dtype=torch.uint8)
    theirs = torch.stack(functional.ten_crop(clips, [16, 16]), dim=1)  # mirrors first, so left and right change places
    assert torch.equal(crops(clips, 16, 10), theirs[:, [0, 1, 2, 3, 4, 6, 5, 8, 7, 9]])
