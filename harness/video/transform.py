"""Crops and flips of whole batches of clips; every frame of a clip is treated alike."""

from __future__ import annotations

import torch
from torch import Tensor


def crops(clips: Tensor, size: int, count: int) -> Tensor:
    """Squares of `size` pixels: (B, C, T, H, W) -> (B, count, C, T, size, size).

    One crop is the centre; of three the first and last lie at the ends of the longer side.

    >>> crops(torch.arange(12).view(1, 1, 1, 3, 4), 3, 3)[0, :, 0, 0, 0].tolist()
    [[0, 1, 2], [0, 1, 2], [1, 2, 3]]

    Raises:
        ValueError: when a frame is smaller than the crop, or `count` is neither 1 nor 3.
    """
    height, width = clips.shape[-2:]
    if min(height, width) < size:
        msg = f"cannot crop {size} pixels from frames of {height} x {width}"
        raise ValueError(msg)
    if count not in (1, 3):
        msg = f"a view has 1 or 3 crops, got {count}"
        raise ValueError(msg)
    down, right = height - size, width - size
    shares = (0.5,) if count == 1 else (0.0, 0.5, 1.0)
    if down > right:
        corners = [(int(down * share), right // 2) for share in shares]
    else:
        corners = [(down // 2, int(right * share)) for share in shares]
    return torch.stack([clips[..., top : top + size, left : left + size] for top, left in corners], dim=1)


def random_crop(clips: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """A square of `size` pixels from a random place of each clip: (B, C, T, H, W) -> (B, C, T, size, size).

    Args:
        clips: any type.
        size: pixels.
        generator: a CPU generator, so that every device gets the same crops.

    Raises:
        ValueError: when a frame is smaller than the crop.
    """
    batch, _, _, height, width = clips.shape
    if min(height, width) < size:
        msg = f"cannot crop {size} pixels from frames of {height} x {width}"
        raise ValueError(msg)
    place = torch.rand(2, batch, generator=generator, dtype=torch.float64)
    corner = (place * torch.tensor([[height - size + 1], [width - size + 1]])).long().to(clips.device)
    steps = torch.arange(size, device=clips.device)
    rows = corner[0, :, None] + steps
    columns = corner[1, :, None] + steps
    each = torch.arange(batch, device=clips.device)[:, None, None]
    return clips.permute(0, 3, 4, 1, 2)[each, rows[:, :, None], columns[:, None]].permute(0, 3, 4, 1, 2)


def random_flip(clips: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror half of the clips (B, C, T, H, W) left to right, at random by a CPU `generator`.

    A clip of optical flow must also have its horizontal component negated, which this does not do.
    """
    flipped = torch.rand(len(clips), generator=generator) < 0.5
    return torch.where(flipped.to(clips.device).view(-1, 1, 1, 1, 1), clips.flip(-1), clips)
