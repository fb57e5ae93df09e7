"""TV-L1 optical flow of batches of frame pairs, on any device."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

DATA_WEIGHT = 0.15
"""Lambda, weight of the data term for grey levels from 0 to 255."""
COUPLING = 0.3
"""Theta, coupling of the thresholded and the smooth flow, in pixels squared."""
TIME_STEP = 0.25
"""Tau, step of the dual ascent; 1/4 is the largest that is known to converge."""
LEVELS = 5
"""Levels of the pyramid, each half as large as the one below."""
SMALLEST = 12
"""Pixels of the short side of the smallest level."""
WARPS = 5
"""Linearisations of the second frame at each level."""
ITERATIONS = 15
"""Iterations of the primal-dual algorithm after each warp."""
_FLAT = 1e-4
"""Squared gradient below which a pixel has no data term."""


def tvl1(first: Tensor, second: Tensor) -> Tensor:
    """Compute flow (B, 2, H, W) float32 in pixels from `first` to `second` (B, H, W).

    Minimises lambda |second(x + u(x)) - first(x)| + |grad u_x| + |grad u_y|, summed over the pixels.
    Zach, Pock and Bischof 2007: the data term is linearised around the flow of the level above, then thresholding
    (their equation 15) and dual ascent on the total variation (equations 9 to 11) take turns. As in Sanchez,
    Meinhardt-Llopis and Facciolo (IPOL 2013), the second frame is warped with cubic interpolation several times at
    each level; a median of 3x3 pixels after each warp takes outliers out (Wedel et al. 2009).

    Args:
        first: (B, H, W) grey, 0 to 255, any type and device.
        second: of the same shape and device.

    Returns:
        Channel 0 is the horizontal component, positive to the right, channel 1 the vertical, positive down.

    Raises:
        ValueError: when the shapes differ or are not (B, H, W), or a side is under 12 pixels.

    >>> ramp = torch.linspace(0, 9, 48).sin().outer(torch.linspace(0, 9, 48).cos()) * 100 + 128
    >>> still = tvl1(ramp[None], ramp[None])
    >>> still.shape, bool(still.abs().max() < 1e-3)
    (torch.Size([1, 2, 48, 48]), True)
    """
    if first.ndim != 3 or first.shape != second.shape or min(first.shape[1:]) < SMALLEST:
        msg = (
            f"TV-L1 needs two (B, H, W) tensors of one shape with sides of at least {SMALLEST} pixels, "
            f"got {tuple(first.shape)} and {tuple(second.shape)}"
        )
        raise ValueError(msg)
    pyramid = [(first[:, None].float(), second[:, None].float())]
    while len(pyramid) < LEVELS and min(pyramid[-1][0].shape[2:]) >= 2 * SMALLEST:
        pyramid.append((_halved(pyramid[-1][0]), _halved(pyramid[-1][1])))
    flow = first.new_zeros((len(first), 2, *pyramid[-1][0].shape[2:]), dtype=torch.float32)
    for level_first, level_second in reversed(pyramid):
        flow = _enlarged(flow, level_first.shape[2], level_first.shape[3])
        flow = _level(flow, level_first, level_second)
    return flow


def _halved(frames: Tensor) -> Tensor:
    height, width = frames.shape[2:]
    size = ((height + 1) // 2, (width + 1) // 2)
    return F.interpolate(frames, size, mode="bilinear", antialias=True, align_corners=False)


def _enlarged(flow: Tensor, height: int, width: int) -> Tensor:
    if flow.shape[2:] == (height, width):
        return flow
    scale = flow.new_tensor([width / flow.shape[3], height / flow.shape[2]]).view(1, 2, 1, 1)
    return F.interpolate(flow, (height, width), mode="bilinear", align_corners=False) * scale


def _level(flow: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Refine the flow of the level above on one level of the pyramid."""
    batch, _, height, width = flow.shape
    padded = F.pad(second, (1, 1, 1, 1), mode="replicate")
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    pictures = torch.cat([second, across, down], dim=1)  # (B, 3, H, W)
    # the dual variable of each pixel and its right, its lower neighbour, led by zeros for what lies outside
    dual = flow.new_zeros((batch, 2, height, width + 1)), flow.new_zeros((batch, 2, height + 1, width))
    for _ in range(WARPS):
        warped, inside = _warped(pictures, flow)
        slope = warped[:, 1:] * inside  # (B, 2, H, W)
        power = slope.square().sum(1, keepdim=True)
        inverse = torch.where(power > _FLAT, 1 / power.clamp_min(_FLAT), 0.0)
        offset = (warped[:, :1] - first - (slope * flow).sum(1, keepdim=True)) * inverse
        flow = _median(_iterated(flow, slope, slope * inverse, offset, *dual))
    return flow


def _warped(pictures: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Warp pictures (B, C, H, W) by the flow; (B, 1, H, W) mask of places inside."""
    height, width = flow.shape[2:]
    x = flow[:, 0] + torch.arange(width, device=flow.device)
    y = flow[:, 1] + torch.arange(height, device=flow.device)[:, None]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    warped = F.grid_sample(pictures, grid, mode="bicubic", padding_mode="border", align_corners=False)
    return warped, inside[:, None]


def _iterated(flow: Tensor, slope: Tensor, direction: Tensor, offset: Tensor, across: Tensor, down: Tensor) -> Tensor:
    """Alternate thresholding and dual ascent.

    Args:
        flow: (B, 2, H, W).
        slope: gradient of the warped frame, (B, 2, H, W).
        direction: the gradient over its squared length.
        offset: (B, 1, H, W), what the linearised difference of the frames is at flow 0, over the same.
        across: (B, 2, H, W + 1), dual variable of the horizontal differences times theta, updated in place.
        down: (B, 2, H + 1, W), of the vertical differences.
    """
    flow = flow.clone()
    limit, steep = DATA_WEIGHT * COUPLING, TIME_STEP / COUPLING
    right, below = torch.zeros_like(flow), torch.zeros_like(flow)
    step, length = torch.empty_like(offset), torch.empty_like(flow)
    for _ in range(ITERATIONS):
        torch.addcmul(offset, direction[:, :1], flow[:, :1], out=step)
        step.addcmul_(direction[:, 1:], flow[:, 1:]).clamp_(-limit, limit)  # (B, 1, H, W)
        flow.addcmul_(slope, step, value=-1)
        flow.add_(across[..., 1:]).sub_(across[..., :-1]).add_(down[..., 1:, :]).sub_(down[..., :-1, :])
        torch.sub(flow[..., 1:], flow[..., :-1], out=right[..., :-1])
        torch.sub(flow[..., 1:, :], flow[..., :-1, :], out=below[..., :-1, :])
        torch.mul(right, right, out=length).addcmul_(below, below).sqrt_().mul_(steep).add_(1)
        across[..., 1:].add_(right, alpha=TIME_STEP).div_(length)
        down[..., 1:, :].add_(below, alpha=TIME_STEP).div_(length)
    return flow


def _median(flow: Tensor) -> Tensor:
    """Median of 3x3 pixels; columns are sorted first, which neighbours share."""
    padded = F.pad(flow, (1, 1, 1, 1), mode="replicate")
    above, middle, below = padded[..., :-2, :], padded[..., 1:-1, :], padded[..., 2:, :]
    low, high = torch.minimum(above, middle), torch.maximum(above, middle)
    low, middle, high = torch.minimum(low, below), _middle(above, middle, below), torch.maximum(high, below)
    lowest = torch.maximum(torch.maximum(low[..., :-2], low[..., 1:-1]), low[..., 2:])
    highest = torch.minimum(torch.minimum(high[..., :-2], high[..., 1:-1]), high[..., 2:])
    central = _middle(middle[..., :-2], middle[..., 1:-1], middle[..., 2:])
    return _middle(lowest, central, highest)


def _middle(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    return torch.maximum(torch.minimum(a, b), torch.minimum(torch.maximum(a, b), c))
