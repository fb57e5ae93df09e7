"""Dense optical flow: computation, 8-bit quantisation, flips in space and time."""

from __future__ import annotations

import itertools
from typing import Any, Literal, get_args

import cv2
import numpy as np
import torch
from torch import Tensor

from harness.errors import unknown
from harness.video.tvl1 import tvl1

Algorithm = Literal["farneback", "dis", "tvl1"]
"""Algorithms of optical flow.

- `farneback`: Farneback 2003, OpenCV's, with `FARNEBACK`.
- `dis`: dense inverse search, Kroeger et al. 2016, OpenCV's, with its preset "medium".
- `tvl1`: `harness.video.tvl1`, what two-stream networks are trained on.
"""
FARNEBACK: dict[str, Any] = {
    "pyr_scale": 0.5,
    "levels": 5,
    "winsize": 15,
    "iterations": 3,
    "poly_n": 5,
    "poly_sigma": 1.2,
    "flags": cv2.OPTFLOW_FARNEBACK_GAUSSIAN,
}
"""Parameters of `cv2.calcOpticalFlowFarneback`."""
SMALLEST = 16
"""Pixels that the short side of a frame has at least, for the patches to fit."""
BOUND = 20.0
"""Largest displacement in 8 bits, pixels per frame (Simonyan and Zisserman 2014)."""
ZERO = 128
"""The byte of no motion; motion of `BOUND` is 127 bytes away."""


def flow(frames: Tensor, algorithm: Algorithm) -> Tensor:
    """Compute flow between consecutive frames: uint8 -> (T - 1, 2, H, W) float32.

    Frames are (T, H, W, 3) RGB or (T, H, W) grey. Flow is in pixels per frame; channel 0 is the horizontal component,
    positive to the right, channel 1 the vertical, positive down: frame t at x shows what frame t + 1 shows at x +
    flow[t, :, x].

    TV-L1 runs in torch on the frames' device, on processors too, where it is as close to the truth as OpenCV's and
    several times as fast: one name is one algorithm everywhere. The others are OpenCV's and run on the CPU.

    >>> flow(torch.zeros(3, 24, 32, dtype=torch.uint8), "dis").shape
    torch.Size([2, 2, 24, 32])

    Args:
        frames: any device; the flow is returned there.
        algorithm: one of `Algorithm`.

    Raises:
        UsageError: when there is no such algorithm.
        ValueError: when the frames have another shape or type, are fewer than 2, or under 16 pixels high or wide.
    """
    if algorithm not in get_args(Algorithm):
        raise unknown("flow algorithm", algorithm, get_args(Algorithm))
    grey = _grey(frames)
    if algorithm == "tvl1":
        return tvl1(grey[:-1], grey[1:])
    pictures = grey.cpu().numpy()
    fields = np.stack([_opencv(first, second, algorithm) for first, second in itertools.pairwise(pictures)])
    return torch.from_numpy(fields).permute(0, 3, 1, 2).contiguous().to(frames.device)


def quantised(flow: Tensor) -> Tensor:
    """Quantise flow in pixels to uint8 of the same shape.

    It is clipped to 20 pixels: 128 is 0, 1 is -20, 255 is 20, 0 is not used. Zero comes back as exactly zero, anything
    up to 20 within 10/127 pixels (Simonyan and Zisserman 2014 name no centre; this one is a byte, and negation is
    exact).

    >>> quantised(torch.tensor([-99.0, -20.0, 0.0, 0.1, 20.0])).tolist()
    [1, 1, 128, 129, 255]

    Raises:
        ValueError: when the flow is NaN somewhere.
    """
    if bool(flow.isnan().any()):
        msg = "expected flow in pixels, got NaN, which 8 bits cannot hold"
        raise ValueError(msg)
    return (flow.clamp(-BOUND, BOUND) * (127 / BOUND)).round_().add_(ZERO).to(torch.uint8)


def displacement(quantised: Tensor) -> Tensor:
    """Recover flow in pixels, float32, from `quantised`.

    The byte 0, which quantisation never makes, is read as 1.

    >>> displacement(torch.tensor([1, 128, 255], dtype=torch.uint8)).tolist()
    [-20.0, 0.0, 20.0]
    """
    return (quantised.clamp_min(1).float() - ZERO) * (BOUND / 127)


def flip_flow(flow: Tensor) -> Tensor:
    """Mirror flow (..., 2, H, W) left to right, as that of the mirrored clip.

    The horizontal component is negated.

    >>> flip_flow(torch.tensor([[[1.0, 2.0]], [[3.0, 4.0]]])).tolist()
    [[[-2.0, -1.0]], [[4.0, 3.0]]]

    Args:
        flow: in pixels, or quantised.
    """
    mirrored = flow.flip(-1)
    mirrored[..., 0, :, :] = _negated(mirrored[..., 0, :, :])
    return mirrored


def reverse_flow(flow: Tensor) -> Tensor:
    """Reverse flow (..., T, 2, H, W) in time, as that of the clip played backwards.

    Both components are negated.
    What moved from x to x + u moves back by -u; that it does so from x + u, not x, is left out.

    >>> reverse_flow(torch.tensor([1.0, 2.0, 3.0, 4.0]).view(2, 2, 1, 1)).flatten().tolist()
    [-3.0, -4.0, -1.0, -2.0]

    Args:
        flow: in pixels, or quantised.
    """
    return _negated(flow.flip(-4))


def _negated(flow: Tensor) -> Tensor:
    return 2 * ZERO - flow.clamp_min(1) if flow.dtype == torch.uint8 else -flow


def _grey(frames: Tensor) -> Tensor:
    """Convert to grey, (T, H, W) uint8, by the weights of ITU-R BT.601."""
    if frames.dtype != torch.uint8 or not (frames.ndim == 3 or (frames.ndim == 4 and frames.shape[3] == 3)):
        msg = f"frames must be (T, H, W, 3) or (T, H, W) uint8, got {tuple(frames.shape)} {frames.dtype}"
        raise ValueError(msg)
    if len(frames) < 2 or min(frames.shape[1:3]) < SMALLEST:
        msg = f"flow needs at least 2 frames of at least {SMALLEST} x {SMALLEST} pixels, got {tuple(frames.shape)}"
        raise ValueError(msg)
    if frames.ndim == 3:
        return frames
    weights = torch.tensor([0.299, 0.587, 0.114], device=frames.device)
    return frames.mul(weights).sum(-1).round_().to(torch.uint8)


def _opencv(first: np.ndarray[Any, Any], second: np.ndarray[Any, Any], algorithm: str) -> np.ndarray[Any, Any]:
    """Flow (H, W, 2) float32 between two grey pictures."""
    nothing: Any = None  # to start from; OpenCV's own stubs do not know that it may be left out
    if algorithm == "farneback":
        field = cv2.calcOpticalFlowFarneback(first, second, nothing, **FARNEBACK)
    else:
        field = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(first, second, nothing)
    return np.asarray(field, np.float32)
