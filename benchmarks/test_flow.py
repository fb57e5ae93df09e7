"""TV-L1 flow of frames of UCF101's size, beside OpenCV's."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from harness.video.tvl1 import tvl1

HEIGHT, WIDTH, BORDER = 240, 320, 20
MOTIONS = [(1.0, 0.0, 1.3, -0.7), (1.0, 0.0, -5.0, 3.5), (1.0, 0.05, 0.0, 0.0), (1.03, 0.0, 0.0, 0.0)]
"""Scale, angle, and shift to the right and down."""


def moved(motion, seed):
    """Two frames (H, W) uint8 of a texture that has a value everywhere, and the flow (2, H, W) between them."""
    random = np.random.default_rng(seed)
    frequency = np.exp(random.uniform(np.log(0.004), np.log(0.15), 120))
    angle, phase = random.uniform(0, 2 * np.pi, (2, 120))
    waves = list(zip(frequency, np.cos(angle), np.sin(angle), phase, strict=True))

    def texture(x, y):
        total = sum(np.sin(2 * np.pi * f * (x * c + y * s) + start) / np.sqrt(f) for f, c, s, start in waves)
        return np.clip(128 + 45 * total / np.sqrt((1 / frequency).sum() / 2), 0, 255).round().astype(np.uint8)

    scale, turned, right, down = motion
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    place = np.stack([x - WIDTH / 2, y - HEIGHT / 2])
    turn = scale * np.array([[np.cos(turned), -np.sin(turned)], [np.sin(turned), np.cos(turned)]])
    shift = np.array([right, down])[:, None, None]
    before = np.einsum("ij,jhw->ihw", np.linalg.inv(turn), place - shift)
    flow = np.einsum("ij,jhw->ihw", turn, place) + shift - place
    return texture(*place), texture(*before), flow


def error(found, truth):
    """Mean end-point error in pixels, away from the border."""
    return np.linalg.norm(found - truth, axis=1)[:, BORDER:-BORDER, BORDER:-BORDER].mean()


def test_tvl1(beside, benchmark):
    first, second, truth = (
        np.stack(each) for each in zip(*(moved(motion, seed) for seed, motion in enumerate(MOTIONS)), strict=True)
    )
    frames = torch.from_numpy(first), torch.from_numpy(second)

    def ours():
        return tvl1(*frames).numpy()

    def opencv():
        algorithm = cv2.optflow.DualTVL1OpticalFlow_create()
        return np.stack([algorithm.calc(*pair, None) for pair in zip(first, second, strict=True)]).transpose(0, 3, 1, 2)

    def check(flow, theirs):
        errors = error(flow, truth), error(theirs["OpenCV"], truth)
        assert errors[0] < 1.1 * errors[1] < 0.1
        benchmark.extra_info.update(end_point_error=round(float(errors[0]), 4), of_opencv=round(float(errors[1]), 4))

    ratios = beside(ours, {"OpenCV": opencv}, clips=len(MOTIONS), rounds=3, check=check)
    assert ratios["OpenCV"] > 1
