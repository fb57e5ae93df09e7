"""Histograms in the tubes around tracks, for many frames at once on CUDA."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from harness_dense_trajectories.rows import blocks
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.trajectories import BINS, CELLS, HISTOGRAMS, STEPS, TIME_CELLS

_FRAME_BINS = sum(HISTOGRAMS.values())
_ARCTANGENT = (0.9997878412794807, -0.3258083974640975, 0.1555786518463281, -0.04432655552792128)
"""Odd coefficients of OpenCV's `fastAtan2`, which `Histograms` bins by.

An exact angle lies up to 2e-4 of a bin beside it, which changes numbers by up to 4e-3 where all flow goes one way.
"""


def describe(pictures: Tensor, flow: Tensor, start: Tensor, points: Tensor, settings: Settings | None = None) -> Tensor:
    """Describe tracks by HOG, HOF, MBHx and MBHy, (n, 396) float32.

    These are the columns `hog` to `mbh_y`, as `Histograms` and `average_in_time` compute them from frame to frame, for
    many frames at once. They are of one size: a level of a video, or of all videos that have a level of this size, one
    after another. The sum over a cell is that of its halves, down to the pixels, for all places at once: faster than an
    integral image, and in float32 without its rounding. Nothing is scattered: a track's numbers are added up in the
    order of its steps, and are the same on every run and whatever else is described with it.

    It is meant for CUDA. On a processor it is right, and a fifth as fast as `Histograms`, whose integral images OpenCV
    computes; `Tables` and `TrajectoryEncoder` describe with these there.

    Memory is that of the arguments, the result, and a block of frames.

    Args:
        pictures: grey, (F, h, w) uint8.
        flow: from each to the next frame without the camera's motion, in pixels of the level, (F, 2, h, w) float32.
        start: number of the frame that each track begins in, (n,) int64; it goes on through the 14 after it.
        points: x and y of each track in these frames, pixels of the level, (n, 15, 2) float32.
        settings: the original's, by default.

    Raises:
        ValueError: when shapes or types are others, frames are smaller than the neighbourhood, or a track is not in
            the frames.
    """
    settings = settings or Settings()
    _check(pictures, flow, start, points, settings)
    count, height, width = pictures.shape
    order = start.argsort(stable=True)
    start, points = start[order], points[order]
    corners = _corners(points, height, width, settings.neighbourhood)
    steps = torch.arange(STEPS, device=start.device)[:, None]
    described = torch.zeros(len(start), TIME_CELLS, CELLS * CELLS * _FRAME_BINS, device=points.device)
    for block in blocks(count, _FRAME_BINS * height * width, pictures.device):
        ends = torch.tensor([block.start, block.stop], device=start.device)
        ranges = torch.searchsorted(start, ends - steps).tolist()  # tracks in their step s in the block are neighbours
        if all(first == last for first, last in ranges):
            continue
        sums = _sums(pictures[block], flow[block], settings)
        for step, (first, last) in enumerate(ranges):
            frame = start[first:last] + (step - block.start)
            roots = _roots(sums, frame, corners[first:last, step], settings)
            described[first:last, step // (STEPS // TIME_CELLS)] += roots
    described /= STEPS // TIME_CELLS
    parts = torch.split(described, [CELLS * CELLS * bins for bins in HISTOGRAMS.values()], dim=2)
    return torch.cat([part.flatten(1) for part in parts], dim=1)[order.argsort()]


def _corners(points: Tensor, height: int, width: int, side: int) -> Tensor:
    """Left and top pixel of the square around each point, moved inside, (n, 15, 2)."""
    last = torch.tensor([width - side, height - side], device=points.device)
    return (points.round().long() - side // 2).clamp(min=torch.zeros_like(last), max=last)


def _sums(pictures: Tensor, flow: Tensor, settings: Settings) -> list[Tensor]:
    """Sum histograms over cells, by upper left pixel, each (bins, F, h', w')."""
    x, y = flow.unbind(1)
    sums = []
    for across, down, still in (
        (*_gradient(pictures.float()), None),
        (x, y, settings.still),
        (*_gradient(x), None),
        (*_gradient(y), None),
    ):
        side = settings.neighbourhood // CELLS
        sums.append(_windows(_windows(_shared(across, down, still), side, -1), side, -2))
    return sums


def _gradient(planes: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences in x and y, times 2; 0 across a border, which mirrors."""
    x, y = torch.zeros_like(planes), torch.zeros_like(planes)
    x[..., 1:-1] = planes[..., 2:] - planes[..., :-2]
    y[..., 1:-1, :] = planes[..., 2:, :] - planes[..., :-2, :]
    return x, y


def _shared(x: Tensor, y: Tensor, still: float | None = None) -> Tensor:
    """Share magnitudes (F, h, w) between orientations, (8 or 9, F, h, w).

    Vectors up to `still`, where it is given, count 1 each in a ninth bin, and in no other.
    """
    magnitude = (x.square() + y.square()).sqrt()
    planes = x.new_empty((BINS if still is None else BINS + 1, *x.shape))
    if still is not None:
        planes[BINS] = standing = magnitude <= still
        magnitude = magnitude.masked_fill(standing, 0)
    bins = torch.arange(BINS, dtype=x.dtype, device=x.device).view(-1, 1, 1, 1)
    away = (_angle(x, y) * (BINS / (2 * math.pi)) - bins).abs_()
    shares = torch.minimum(away, BINS - away, out=planes[:BINS])
    shares.neg_().add_(1).clamp_(min=0).mul_(magnitude)
    return planes


def _angle(x: Tensor, y: Tensor) -> Tensor:
    """Angle from 0 to 2 pi, clockwise from the right as y points down."""
    across, down = x.abs(), y.abs()
    tangent = torch.minimum(across, down) / torch.maximum(across, down).clamp(min=torch.finfo(x.dtype).tiny)
    square = tangent.square()
    angle = torch.zeros_like(tangent)
    for coefficient in reversed(_ARCTANGENT):
        angle = angle * square + coefficient
    angle = angle * tangent
    angle = torch.where(across >= down, angle, math.pi / 2 - angle)
    angle = torch.where(x < 0, math.pi - angle, angle)
    return torch.where(y < 0, 2 * math.pi - angle, angle)


def _windows(planes: Tensor, length: int, axis: int) -> Tensor:
    """Sum over `length` neighbours along an axis, each sum from its two halves."""
    if length == 1:
        return planes
    half, size = _windows(planes, length // 2, axis), planes.shape[axis] - length + 1
    total = half.narrow(axis, 0, size) + half.narrow(axis, length // 2, size)
    return total.add_(planes.narrow(axis, length - 1, size)) if length % 2 else total


def _roots(sums: list[Tensor], frame: Tensor, corners: Tensor, settings: Settings) -> Tensor:
    """Roots of the normalised histograms around one point of each track, (m, 132)."""
    height, width = sums[0].shape[2:]
    left, top = corners.unbind(1)
    cell = torch.arange(CELLS, device=left.device) * (settings.neighbourhood // CELLS)
    place = ((frame * height + top) * width + left)[:, None] + (cell[:, None] + cell * width).flatten()  # (m, cells)
    roots = []
    for part in sums:
        histogram = part.flatten(1)[:, place].permute(1, 2, 0).flatten(1) + settings.epsilon  # (m, cells * bins)
        roots.append((histogram / histogram.sum(1, keepdim=True)).sqrt())
    return torch.cat(roots, dim=1)


def _check(pictures: Tensor, flow: Tensor, start: Tensor, points: Tensor, settings: Settings) -> None:
    count, height, width = pictures.shape if pictures.ndim == 3 else (-1, -1, -1)
    expected = {
        "pictures": (pictures, (count, height, width), torch.uint8),
        "flow": (flow, (count, 2, height, width), torch.float32),
        "start": (start, (len(points),), torch.int64),
        "points": (points, (len(points), STEPS, 2), torch.float32),
    }
    for name, (tensor, shape, dtype) in expected.items():
        if tensor.shape != shape or tensor.dtype != dtype:
            msg = f"{name} must be {shape} {dtype}, got {tuple(tensor.shape)} {tensor.dtype}"
            raise ValueError(msg)
    if min(height, width) < settings.neighbourhood:
        msg = f"frames must be at least {settings.neighbourhood} pixels high and wide, got {(height, width)}"
        raise ValueError(msg)
    if len(start) and (int(start.min()) < 0 or int(start.max()) + STEPS > count):
        msg = f"tracks of {STEPS} steps must be in the {count} frames, got starts {int(start.min())}-{int(start.max())}"
        raise ValueError(msg)
