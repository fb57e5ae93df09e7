"""TV-L1 optical flow of batches of frame pairs, on any device."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.video.tvl1_iterations import Iterations

LEVELS = 5
"""Levels of the pyramid, each half as large as the one below."""
SMALLEST = 12
"""Pixels of the short side of the smallest level."""
WARPS = 5
"""Linearisations of the second frame at each level."""
_FLAT = 1e-4
"""Squared gradient below which a pixel has no data term."""
_PIXELS = {"cpu": 2**17, "cuda": 2**24}
"""Pixels that are computed together; on a processor they stay in its caches."""


def tvl1(first: Tensor, second: Tensor) -> Tensor:
    """Compute flow (B, 2, H, W) float32 in pixels from `first` to `second` (B, H, W).

    Minimises lambda |second(x + u(x)) - first(x)| + |grad u_x| + |grad u_y|, summed over the pixels.
    Zach, Pock and Bischof 2007: the data term is linearised around the flow of the level above, then thresholding
    (their equation 15) and dual ascent on the total variation (equations 9 to 11) take turns. As in Sanchez,
    Meinhardt-Llopis and Facciolo (IPOL 2013), the second frame is warped with cubic interpolation several times at
    each level; a median of 3x3 pixels after each warp takes outliers out (Wedel et al. 2009).

    On a processor each of as many threads as torch is set to computes pairs of its own: operators are too short to be
    shared between threads. On CUDA the iterations are two kernels each (`tvl1_triton`), and nothing waits for the
    device.

    Devices and types differ by roundings, which a warp multiplies where the data term is at its limit: there the flow
    moves along the gradient at the place that it points to, by up to lambda theta = 0.045 gradients in each of 15
    iterations, so that a change of the flow comes back up to 0.7 times the second derivative of the frame, in grey
    levels per squared pixel. Where a flow explains the second frame the data term is within its limit, and changes die
    out: float32 and float64 are within 0.006 pixels on moving waves of 240 x 320. On frames of unrelated noise, blurred
    over 5 x 5 pixels, they are up to 0.38 pixels apart (in the mean 0.0002; over 0.1 in 1 of 20,000 pixels, each of
    which is left with a difference of at least 6 grey levels), and one unit in the last place of the first frame
    makes 0.86; unrelated frames of white noise have no stable flow in any arithmetic.

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
    on_cpu = first.device.type == "cpu"
    threads = torch.get_num_threads() if on_cpu else 1
    fitting = _PIXELS["cpu" if on_cpu else "cuda"] // first.shape[1:].numel()
    pairs = max(1, min(fitting, -(-len(first) // threads)))
    parts = torch.split(first.float(), pairs), torch.split(second.float(), pairs)
    if threads == 1:
        return torch.cat(list(map(_flow, *parts)))
    try:
        with ThreadPoolExecutor(threads, "tvl1", torch.set_num_threads, (1,)) as pool:
            return torch.cat(list(pool.map(_flow, *parts)))
    finally:
        torch.set_num_threads(threads)  # threads that are started later take over the number that was set last


def _flow(first: Tensor, second: Tensor) -> Tensor:
    """Compute the flow of a batch, from the smallest level of the pyramid on.

    In the frames' type.
    """
    pyramid = [(first[:, None], second[:, None])]
    while len(pyramid) < LEVELS and min(pyramid[-1][0].shape[2:]) >= 2 * SMALLEST:
        pyramid.append((_halved(pyramid[-1][0]), _halved(pyramid[-1][1])))
    flow = first.new_zeros((len(first), 2, *pyramid[-1][0].shape[2:]))
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
    enlarged = F.interpolate(flow, (height, width), mode="bilinear", align_corners=False)
    enlarged[:, 0] *= width / flow.shape[3]
    enlarged[:, 1] *= height / flow.shape[2]
    return enlarged


def _level(flow: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Refine the flow of the level above on one level of the pyramid."""
    padded = F.pad(second, (1, 1, 1, 1), mode="replicate")
    across = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    down = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    pictures = torch.cat([second, across, down], dim=1)  # (B, 3, H, W)
    iterations = Iterations(flow)
    for _ in range(WARPS):
        warped, inside = _warped(pictures, flow)
        slope = warped[:, 1:] * inside  # (B, 2, H, W)
        power = slope.square().sum(1, keepdim=True)
        inverse = torch.where(power > _FLAT, 1 / power.clamp_min(_FLAT), 0.0)
        offset = (warped[:, :1] - first - (slope * flow).sum(1, keepdim=True)) * inverse
        flow = _median(iterations(flow, slope, slope * inverse, offset))
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
