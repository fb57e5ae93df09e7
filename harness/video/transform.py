"""Crops, flips and reversals of whole batches of clips; every frame of a clip is treated alike."""

from __future__ import annotations

import torch
from torch import Tensor

SCALES = (1.0, 2**-0.25, 2**-0.5, 2**-0.75, 0.5)
"""Sides of multi-scale crops, as shares of the frame's short side (Hara, Kataoka and Satoh 2018)."""


def crops(clips: Tensor, size: int, count: int) -> Tensor:
    """Squares of `size` pixels: (B, C, T, H, W) -> (B, count, C, T, size, size).

    One crop is the centre; three are the two ends and the centre of the longer side; five are the four corners (top
    left, top right, bottom left, bottom right) and the centre; ten are these five and their mirror images.

    >>> crops(torch.arange(12).view(1, 1, 1, 3, 4), 3, 3)[0, :, 0, 0, 0].tolist()
    [[0, 1, 2], [0, 1, 2], [1, 2, 3]]
    >>> picture = torch.tensor([[1, 2, 3], [4, 5, 6], [7, 8, 9]]).view(1, 1, 1, 3, 3)
    >>> crops(picture, 1, 10).flatten().tolist()
    [1, 3, 7, 9, 5, 1, 3, 7, 9, 5]

    Raises:
        ValueError: when a frame is smaller than the crop, or `count` is not 1, 3, 5 or 10.
    """
    down, right = _slack(clips, size)
    if count == 1:
        places = [(down // 2, right // 2)]
    elif count == 3 and down > right:
        places = [(0, right // 2), (down // 2, right // 2), (down, right // 2)]
    elif count == 3:
        places = [(down // 2, 0), (down // 2, right // 2), (down // 2, right)]
    elif count in (5, 10):
        places = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    else:
        msg = f"a view has 1, 3, 5 or 10 crops, got {count}"
        raise ValueError(msg)
    found = torch.stack([clips[..., top : top + size, left : left + size] for top, left in places], dim=1)
    return torch.cat([found, found.flip(-1)], dim=1) if count == 10 else found


def random_crop(clips: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """A square of `size` pixels from a random place of each clip: (B, C, T, H, W) -> (B, C, T, size, size).

    Args:
        clips: any type.
        size: pixels.
        generator: a CPU generator, so that every device gets the same crops.

    Raises:
        ValueError: when a frame is smaller than the crop.
    """
    down, right = _slack(clips, size)
    place = torch.rand(2, len(clips), generator=generator, dtype=torch.float64)
    corner = (place * torch.tensor([[down + 1], [right + 1]])).long().to(clips.device)
    steps = torch.arange(size, device=clips.device)
    rows = corner[0, :, None] + steps
    columns = corner[1, :, None] + steps
    each = torch.arange(len(clips), device=clips.device)[:, None, None]
    return clips.permute(0, 3, 4, 1, 2)[each, rows[:, :, None], columns[:, None]].permute(0, 3, 4, 1, 2)


def multi_scale_crop(clips: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """A corner or the centre of each clip, at a random scale: (B, C, T, H, W) uint8 -> (B, C, T, size, size) uint8.

    The square's side is one of `SCALES` of the frame's short side; it is resized as in `resized_crops`.

    Source: Hara, Kataoka and Satoh 2018; Wang et al., "Temporal segment networks", 2016.

    Args:
        clips: uint8.
        size: pixels.
        generator: a CPU generator, so that every device gets the same crops.
    """
    height, width = clips.shape[-2:]
    scale = torch.tensor(SCALES)[torch.randint(len(SCALES), (len(clips),), generator=generator)]
    side = (scale * min(height, width)).round().clamp(min=1)
    places = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.5, 0.5]])
    place = places[torch.randint(len(places), (len(clips),), generator=generator)]
    top, left = ((torch.tensor([height, width]) - side[:, None]) * place).round().unbind(1)
    return resized_crops(clips, torch.stack([top, left, side, side], dim=1), size)


def resized_crops(clips: Tensor, boxes: Tensor, size: int) -> Tensor:
    """A rectangle of each clip as a square: (B, C, T, H, W) uint8 -> (B, C, T, size, size) uint8.

    Bilinear, with the filter as wide as an output pixel where the crop is reduced (as Pillow's and torchvision's
    `antialias`): a matrix for the rows and one for the columns of each clip, so that a whole batch is two products.

    Args:
        clips: uint8.
        boxes: (B, 4) top, left, height and width in pixels, inside the frame.
        size: pixels.
    """
    height, width = clips.shape[-2:]
    boxes = boxes.to(clips.device, torch.float32)
    rows = _bilinear(boxes[:, 0], boxes[:, 2], height, size)  # (B, size, H)
    columns = _bilinear(boxes[:, 1], boxes[:, 3], width, size)  # (B, size, W)
    flat = clips.flatten(1, 2).float()  # (B, C T, H, W)
    found = rows[:, None] @ (flat @ columns.mT[:, None])
    return found.round_().clamp_(0, 255).to(torch.uint8).view(*clips.shape[:3], size, size)


def random_flip(clips: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror half of the clips (B, C, T, H, W) left to right, at random by a CPU `generator`.

    A clip of optical flow must also have its horizontal component negated: `harness.video.flow.flip_flow`.
    """
    flipped = torch.rand(len(clips), generator=generator) < 0.5
    return torch.where(flipped.to(clips.device).view(-1, 1, 1, 1, 1), clips.flip(-1), clips)


def random_reversal(clips: Tensor, generator: torch.Generator) -> Tensor:
    """Play half of the clips (B, C, T, H, W) backwards, at random by a CPU `generator`.

    A clip of optical flow must also be negated: `harness.video.flow.reverse_flow`.
    """
    backwards = torch.rand(len(clips), generator=generator) < 0.5
    return torch.where(backwards.to(clips.device).view(-1, 1, 1, 1, 1), clips.flip(2), clips)


def _slack(clips: Tensor, size: int) -> tuple[int, int]:
    """How far a crop can be moved down and to the right."""
    height, width = clips.shape[-2:]
    if min(height, width) < size:
        msg = f"cannot crop {size} pixels from frames of {height} x {width}"
        raise ValueError(msg)
    return height - size, width - size


def _bilinear(start: Tensor, length: Tensor, pixels: int, size: int) -> Tensor:
    """(B, size, pixels) float32: what each of `pixels` adds to each of `size` places along a crop's side."""
    step = (length / size)[:, None, None]
    support = step.clamp(min=1)
    centre = start[:, None, None] + (torch.arange(size, device=start.device)[:, None] + 0.5) * step
    pixel = torch.arange(pixels, device=start.device) + 0.5
    weight = (1 - (pixel - centre).abs() / support).clamp(min=0)
    inside = (pixel > start[:, None, None]) & (pixel < (start + length)[:, None, None])
    weight = weight * inside
    return weight / weight.sum(2, keepdim=True)
