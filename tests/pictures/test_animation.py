"""Animated PNG: the still first, then frames as they are but for noise."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from harness.pictures import animation
from harness.pictures.animation import HOLD, LARGEST, MILLISECONDS, animate

GENERATOR = np.random.default_rng(0)
BACKGROUND = np.full((40, 60, 3), (30, 90, 60), np.uint8)


def scene(x, noise=0):
    """A white square on a background."""
    pixels = BACKGROUND + GENERATOR.integers(0, noise + 1, BACKGROUND.shape).astype(np.uint8)
    pixels[10:20, x : x + 10] = 255
    return Image.fromarray(pixels)


def decoded(content):
    image = Image.open(io.BytesIO(content))
    shown = []
    for number in range(image.n_frames):
        image.seek(number)
        shown.append(np.asarray(image.convert("RGB")).astype(int))
    return image, shown


def test_the_still_comes_first_and_the_frames_follow_for_ever():
    places = [0, 10, 20, 30, 15]
    image, shown = decoded(animate(scene(45), [scene(x) for x in places]))
    assert (image.format, image.info["loop"], image.info["duration"]) == ("PNG", 0, MILLISECONDS)
    for x, pixels in zip([45, *places], shown, strict=True):
        assert np.abs(pixels - np.asarray(scene(x)).astype(int)).max() <= 8  # 255 colours


def test_noise_costs_little_and_changes_are_drawn():
    still = [scene(10, HOLD // 2) for _ in range(9)]
    loud = [scene(10, 4 * HOLD) for _ in range(9)]
    sizes = [len(animate(frames[0], [*frames[1:], scene(40)])) for frames in (still, loud)]
    assert sizes[0] < 0.5 * sizes[1]
    _, shown = decoded(animate(still[0], [*still[1:], scene(40)]))
    assert np.abs(shown[-1] - np.asarray(scene(40)).astype(int)).max() <= 2 * HOLD


def test_frames_are_left_out_where_the_file_would_be_too_large(monkeypatch):
    frames = [Image.fromarray(GENERATOR.integers(0, 256, (64, 64, 3), np.uint8)) for _ in range(9)]
    whole = animate(frames[0], frames[1:])
    assert len(whole) < LARGEST
    monkeypatch.setattr(animation, "LARGEST", len(whole) - 1)
    smaller = animate(frames[0], frames[1:])
    assert len(smaller) < 0.7 * len(whole)
    _, all_of_them = decoded(whole)
    _, fewer = decoded(smaller)
    assert len(fewer) == 5
    for ours, theirs in zip(fewer, [all_of_them[0], *all_of_them[1::2]], strict=True):
        assert np.abs(ours - theirs).mean() < 12
    monkeypatch.setattr(animation, "LARGEST", 0)
    assert len(decoded(animate(frames[0], frames[1:]))[1]) == 3


@pytest.mark.parametrize("count", [1, 2])
def test_equal_frames_are_a_picture_all_the_same(count):
    _, shown = decoded(animate(scene(5), [scene(5)] * count))
    assert all(np.array_equal(shown[0], one) for one in shown)
