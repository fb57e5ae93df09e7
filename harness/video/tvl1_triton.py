"""Primal-dual iterations of TV-L1 flow as two Triton kernels an iteration."""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

BLOCK = 1024
"""Pixels of a program of a kernel."""


def iterate(
    flow: Tensor,
    dual: Tensor,
    slope: Tensor,
    direction: Tensor,
    offset: Tensor,
    shape: tuple[int, int, int],
    *,
    times: int,
    limit: float,
    steep: float,
    time_step: float,
) -> None:
    """Run all iterations of a warp, in place.

    Args:
        flow: (2, M + row), M pixels of a batch in lines as of `Iterations`.
        dual: (2, 2, row + M).
        slope: (2, M).
        direction: (2, M).
        offset: (1, M).
        shape: batch, and height and width with the row and column of zeros.
        times: iterations.
        limit: longest step of the thresholding, in lengths of the gradient.
        steep: time step over coupling.
        time_step: of the dual ascent.
    """
    pixels = slope.shape[1]
    grid = (triton.cdiv(pixels, BLOCK),)
    for _ in range(times):
        _threshold[grid](flow, dual, slope, direction, offset, pixels, shape[2], limit, BLOCK, enable_fp_fusion=False)
        _ascend[grid](flow, dual, pixels, shape[1], shape[2], steep, time_step, BLOCK, enable_fp_fusion=False)


@triton.jit(do_not_specialize=["pixels", "row"])  # type: ignore[untyped-decorator]
def _threshold(
    flow: tl.tensor,
    dual: tl.tensor,
    slope: tl.tensor,
    direction: tl.tensor,
    offset: tl.tensor,
    pixels: tl.tensor,
    row: tl.tensor,
    limit: tl.tensor,
    block: tl.constexpr,
) -> None:
    """Step along the gradient, and by the divergence of the dual variable."""
    pixel = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    real = pixel < pixels
    line = pixels + row
    x, y = tl.load(flow + pixel, real), tl.load(flow + line + pixel, real)
    along = tl.load(direction + pixel, real) * x + tl.load(direction + pixels + pixel, real) * y
    step = tl.load(offset + pixel, real) + along
    step = tl.minimum(tl.maximum(step, -limit), limit)
    x -= tl.load(slope + pixel, real) * step
    y -= tl.load(slope + pixels + pixel, real) * step
    here = dual + row + pixel
    x += tl.load(here, real) - tl.load(here - 1, real)
    y += tl.load(here + line, real) - tl.load(here + line - 1, real)
    x += tl.load(here + 2 * line, real) - tl.load(here + 2 * line - row, real)
    y += tl.load(here + 3 * line, real) - tl.load(here + 3 * line - row, real)
    tl.store(flow + pixel, x, real)
    tl.store(flow + line + pixel, y, real)


@triton.jit(do_not_specialize=["pixels", "height", "row"])  # type: ignore[untyped-decorator]
def _ascend(
    flow: tl.tensor,
    dual: tl.tensor,
    pixels: tl.tensor,
    height: tl.tensor,
    row: tl.tensor,
    steep: tl.tensor,
    time_step: tl.tensor,
    block: tl.constexpr,
) -> None:
    """Raise the dual variable by the differences of the flow."""
    pixel = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    real = pixel < pixels
    line = pixels + row
    has_right = real & (pixel % row < row - 2)
    has_below = real & (pixel // row % height < height - 2)
    for component in tl.static_range(2):
        here = flow + component * line + pixel
        value = tl.load(here, real)
        across = tl.where(has_right, tl.load(here + 1, has_right) - value, 0.0)
        down = tl.where(has_below, tl.load(here + row, has_below) - value, 0.0)
        length = 1 + steep * tl.sqrt(across * across + down * down)
        right = dual + component * line + row + pixel
        below = right + 2 * line
        tl.store(right, (tl.load(right, real) + time_step * across) / length, real)
        tl.store(below, (tl.load(below, real) + time_step * down) / length, real)
