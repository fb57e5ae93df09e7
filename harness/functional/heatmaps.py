"""Heat maps of joints: targets, loss, and the point of a map."""

from __future__ import annotations

import torch
from torch import Tensor

REACH = 1
"""Pixels around a joint's own, in every direction, that are positive too."""

BRIGHTEST = 20
"""Number of highest pixels whose centroid is the point of a map of 60 x 60."""


def heatmap_targets(points: Tensor, size: int) -> Tensor:
    """Build targets: +1 on the 3 x 3 pixels around each point, -1 elsewhere.

    The whole map of a point that cannot be learnt is NaN.

    Pixel u of a map covers [u / size, (u + 1) / size) of its side. At the border the square is cut off.

    Args:
        points: (..., 2) floating point, x and y as shares of the map's side. One that is NaN or outside of [0, 1)
            cannot be learnt.
        size: of the maps, in pixels.

    Returns:
        (..., size, size) in the points' type, rows first.

    Source: Purushwalkam and Gupta, "Pose from Action", 2016, the experiment on FLIC.

    >>> heatmap_targets(torch.tensor([0.1, 0.5]), 4).int().tolist()
    [[-1, -1, -1, -1], [1, 1, -1, -1], [1, 1, -1, -1], [1, 1, -1, -1]]
    """
    inside = ((points >= 0) & (points < 1)).all(-1)  # false for NaN
    pixels = (points.where(inside[..., None], 0.0) * size).floor()
    near = (torch.arange(size, device=points.device) - pixels[..., None]).abs() <= REACH  # (..., 2, size)
    positive = near[..., 1, :, None] & near[..., 0, None, :]
    return torch.where(positive, 1.0, -1.0).to(points.dtype).where(inside[..., None, None], torch.nan)


def balanced_loss(maps: Tensor, targets: Tensor) -> Tensor:
    """Half the squared error of heat maps, balanced between positives and negatives.

    A positive pixel weighs 1 / #positives of its map, a negative one 1 / #negatives; without that, the best a network
    could do soon is -1 everywhere. Maps of zeros cost 1. The result is the mean over the maps that can be learnt, and 0
    when there are none.

    Args:
        maps: (..., H, W) what a network says.
        targets: (..., H, W) of `heatmap_targets`.

    Raises:
        ValueError: when the shapes differ.

    Source: Purushwalkam and Gupta, "Pose from Action", 2016, the experiment on FLIC.

    >>> targets = heatmap_targets(torch.tensor([[0.5, 0.5], [float("nan"), 0.5]]), 60)
    >>> balanced_loss(torch.zeros(2, 60, 60), targets).item()
    1.0
    """
    if maps.shape != targets.shape:
        msg = f"maps and targets must be of one shape, got {tuple(maps.shape)} and {tuple(targets.shape)}"
        raise ValueError(msg)
    pixels = targets.shape[-2] * targets.shape[-1]
    positives = (targets.sum((-2, -1), keepdim=True) + pixels) / 2  # NaN for a map that cannot be learnt
    learnt = ~positives.isnan()
    of_positive, of_negative = (
        torch.where(learnt, 1 / count.clamp(min=1), 0.0) for count in (positives, pixels - positives)
    )
    weights = torch.where(targets > 0, of_positive, of_negative)
    errors = (maps - targets.where(learnt, 0.0)).square() * weights
    return errors.sum() / 2 / learnt.sum().clamp(min=1)


def brightest_pixels(side: int) -> int:
    """Number of highest pixels that cover as much of a map as 20 do of 60 x 60.

    Args:
        side: of the map, in pixels.

    >>> [brightest_pixels(side) for side in (60, 56, 28, 4)]
    [20, 17, 4, 1]
    """
    return max(1, round(BRIGHTEST * (side / 60) ** 2))


def heatmap_points(maps: Tensor, count: int = BRIGHTEST) -> Tensor:
    """Centroid of each map's highest pixels: (..., 2) in shares of its sides.

    All weigh the same; of equal pixels the first in reading order are taken. Pixel u stands for (u + 0.5) / size.

    Args:
        maps: (..., H, W) floating point, finite, of at least `count` pixels.
        count: how many pixels, at least 1; the paper takes 20 of 60 x 60.

    Raises:
        ValueError: when a map has fewer pixels, or the count is not positive.

    Source: Purushwalkam and Gupta, "Pose from Action", 2016, the experiment on FLIC.

    >>> maps = torch.zeros(10, 10)
    >>> maps[2:6, 4:9] = 1.0
    >>> [round(share, 6) for share in heatmap_points(maps).tolist()]
    [0.65, 0.4]
    """
    height, width = maps.shape[-2:]
    if not 1 <= count <= height * width:
        msg = f"expected a count of at least 1 and maps of at least {count} pixels, got {height} x {width}"
        raise ValueError(msg)
    flat = maps.flatten(-2)
    least = flat.topk(count).values[..., -1:]
    above, equal = flat > least, flat == least
    wanted = count - above.sum(-1, keepdim=True)
    taken = (above | (equal & (equal.cumsum(-1) <= wanted))).view(maps.shape)
    columns, rows = taken.sum(-2), taken.sum(-1)  # (..., W), (..., H)
    ends = [
        (counts.to(maps.dtype) @ (torch.arange(n, device=maps.device, dtype=maps.dtype) + 0.5)) / (count * n)
        for counts, n in ((columns, width), (rows, height))
    ]
    return torch.stack(ends, dim=-1)
