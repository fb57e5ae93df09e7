"""Resize, crop, flip and recolour clips."""

from __future__ import annotations

import functools
from typing import Literal

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from harness.values import Box, Inputs
from harness.video.decode import resized


def crop_box(frames: Tensor, box: Box, short_side: int | None = None) -> Tensor:
    """Cut `box` out of frames (T, H, W, C) uint8 and resize its short side.

    `short_side` is in pixels; None keeps the size. Pixels beyond the picture are black. Resizing takes the mean of the
    pixels covered; bilinear when enlarging.

    >>> picture = torch.arange(16, dtype=torch.uint8).view(1, 4, 4, 1)
    >>> crop_box(picture, Box(2, 2, 5, 4))[0, :, :, 0].tolist()
    [[10, 11, 0], [14, 15, 0]]
    """
    inside = frames[:, max(box.top, 0) : max(box.bottom, 0), max(box.left, 0) : max(box.right, 0)]
    part = frames.new_zeros((len(frames), box.bottom - box.top, box.right - box.left, frames.shape[3]))
    top, left = max(-box.top, 0), max(-box.left, 0)
    part[:, top : top + inside.shape[1], left : left + inside.shape[2]] = inside
    size = resized(*box.size, short_side)
    if size == box.size:
        return part
    how = cv2.INTER_AREA if size < box.size else cv2.INTER_LINEAR
    return torch.from_numpy(np.stack([cv2.resize(frame, size, interpolation=how) for frame in part.numpy()]))


SCALES = (1.0, 2**-0.25, 2**-0.5, 2**-0.75, 0.5)
"""Sides of multi-scale crops, relative to the short side (Hara et al. 2018)."""


def crops(clips: Tensor, size: int, count: int) -> Tensor:
    """Crop squares of `size` pixels: (B, C, T, H, W) -> (B, count, C, T, size, size).

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
        msg = f"expected 1, 3, 5 or 10 crops, got {count}"
        raise ValueError(msg)
    views = [clips[..., top : top + size, left : left + size] for top, left in places]
    squares = torch.stack(views, dim=1) if len(views) > 1 else views[0][:, None]
    return torch.cat([squares, squares.flip(-1)], dim=1) if count == 10 else squares


def random_crop(clips: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """Crop a random square of each clip: (B, C, T, H, W) -> (B, C, T, size, size).

    Args:
        clips: any type.
        size: pixels.
        generator: a CPU generator, so that every device gets the same crops.

    Raises:
        ValueError: when a frame is smaller than the crop.
    """
    down, right = _slack(clips, size)
    place = torch.rand(2, len(clips), generator=generator, dtype=torch.float64)
    corner = (place * torch.tensor([[down + 1], [right + 1]])).long()
    if clips.device.type == "cpu":
        corners = corner.T.tolist()
        squares = [
            clip[..., top : top + size, left : left + size] for clip, (top, left) in zip(clips, corners, strict=True)
        ]
        return torch.stack(squares) if squares else clips[..., :size, :size]
    corner = corner.to(clips.device)
    steps = torch.arange(size, device=clips.device)
    rows = corner[0, :, None] + steps
    columns = corner[1, :, None] + steps
    each = torch.arange(len(clips), device=clips.device)[:, None, None]
    return clips.permute(0, 3, 4, 1, 2)[each, rows[:, :, None], columns[:, None]].permute(0, 3, 4, 1, 2)


def multi_scale_crop(
    clips: Tensor, size: int, generator: torch.Generator, *, position: Literal["corners", "random"] = "corners"
) -> Tensor:
    """Crop a square at a random scale and resize it.

    (B, C, T, H, W) uint8 -> (B, C, T, size, size) uint8. The square's side is one of `SCALES` of the frame's short
    side; it is resized as in `resized_crops`.

    Source: Hara, Kataoka and Satoh 2018; Wang et al., "Temporal segment networks", 2016.

    Args:
        clips: uint8.
        size: pixels.
        generator: a CPU generator, so that every device gets the same crops.
        position: of the square: one of the four corners or the centre, or anywhere (Tokmakov et al. 2020, released).
    """
    height, width = clips.shape[-2:]
    scale = torch.tensor(SCALES)[torch.randint(len(SCALES), (len(clips),), generator=generator)]
    side = (scale * min(height, width)).round().clamp(min=1)
    if position == "random":
        place = torch.rand(len(clips), 2, generator=generator)
    else:
        places = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.5, 0.5]])
        place = places[torch.randint(len(places), (len(clips),), generator=generator)]
    top, left = ((torch.tensor([height, width]) - side[:, None]) * place).round().unbind(1)
    return resized_crops(clips, torch.stack([top, left, side, side], dim=1), size)


def resized_crops(clips: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Crop a rectangle of each clip and resize it to a square.

    (B, C, T, H, W) uint8 -> (B, C, T, size, size) uint8. Bilinear, with the filter as wide as an output pixel where the
    crop is reduced (as Pillow's and torchvision's `antialias`). On the CPU one clip after another, by torch's kernel
    for bytes; elsewhere a matrix for the rows and one for the columns of each clip, so that a whole batch is two
    products. They differ by 1 at most.

    Args:
        clips: uint8.
        boxes: (B, 4) top, left, height and width in whole pixels, inside the frame.
        size: pixels.
    """
    if clips.device.type == "cpu":
        squares = clips.new_empty(*clips.shape[:3], size, size)
        for clip, (top, left, height, width), square in zip(clips, boxes.long().tolist(), squares, strict=True):
            cut = clip[..., top : top + height, left : left + width].transpose(0, 1)  # frames are the batch
            square.copy_(F.interpolate(cut, (size, size), mode="bilinear", antialias=True).transpose(0, 1))
        return squares
    return _by_products(clips, boxes.to(clips.device, torch.float32), size)


def _by_products(clips: Tensor, boxes: Tensor, size: int) -> Tensor:
    height, width = clips.shape[-2:]
    rows = _bilinear(boxes[:, 0], boxes[:, 2], height, size)  # (B, size, H)
    columns = _bilinear(boxes[:, 1], boxes[:, 3], width, size)  # (B, size, W)
    flat = clips.flatten(1, 2).float()  # (B, C T, H, W)
    resized = rows[:, None] @ (flat @ columns.mT[:, None])
    return resized.round_().clamp_(0, 255).to(torch.uint8).view(*clips.shape[:3], size, size)


def random_flip(clips: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror a random half of the clips (B, C, T, H, W) left to right.

    The generator is on the CPU. A clip of optical flow must also have its horizontal component negated:
    `harness.video.flow.flip_flow`.
    """
    flipped = torch.rand(len(clips), generator=generator) < 0.5
    if clips.device.type == "cpu" and len(clips):
        chosen = zip(clips, flipped.tolist(), strict=True)
        return torch.stack([clip.flip(-1) if mirrored else clip for clip, mirrored in chosen])
    return torch.where(flipped.to(clips.device).view(-1, 1, 1, 1, 1), clips.flip(-1), clips)


def random_reversal(clips: Tensor, generator: torch.Generator) -> Tensor:
    """Reverse a random half of the clips (B, C, T, H, W) in time.

    The generator is on the CPU. A clip of optical flow must also be negated: `harness.video.flow.reverse_flow`.
    """
    backwards = torch.rand(len(clips), generator=generator) < 0.5
    return torch.where(backwards.to(clips.device).view(-1, 1, 1, 1, 1), clips.flip(2), clips)


GREY = 0.2
"""Share of clips that `colour_jitter` makes grey."""

_LUMA = (0.299, 0.587, 0.114)


def colour_jitter(clips: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Jitter brightness, contrast, saturation and hue of clips (B, C, T, H, W) uint8.

    A fifth of the clips become grey. Brightness, contrast and saturation are multiplied by factors from [1 - strength,
    1 + strength], one after the other, and the hue is turned by a share of the circle from [-strength, strength].

    Source: the settings of Wu et al., "Unsupervised feature learning via non-parametric instance discrimination", 2018,
    are a strength of 0.4.

    Args:
        clips: uint8 RGB.
        strength: from 0 to 0.5.
        generator: a CPU generator, so that every device gets the same colours.

    Raises:
        ValueError: when the strength is not from 0 to 0.5.
    """
    if not 0 <= strength <= 0.5:
        msg = f"expected a strength of colour jitter from 0 to 0.5, got {strength}"
        raise ValueError(msg)
    drawn = (torch.rand(5, len(clips), generator=generator) * 2 - 1).to(clips.device).view(5, -1, 1, 1, 1, 1)
    if clips.device.type == "cuda":
        return _jittered(clips, strength, drawn)
    # Clip by clip the work stays in a core's cache.
    each = [_jittered(clips[one, None], strength, drawn[:, one, None]) for one in range(len(clips))]
    return torch.cat(each) if each else clips


def _jittered(clips: Tensor, strength: float, drawn: Tensor) -> Tensor:
    """Jitter clips by numbers (5, B, 1, 1, 1, 1) from [-1, 1]."""
    brightness, contrast, saturation = 1 + strength * drawn[:3]
    x = (clips.float() * brightness).clamp_(max=255)
    x = _blend(x, _luma(x).mean((2, 3, 4), keepdim=True), contrast)
    x = _blend(x, _luma(x), saturation)
    x = _hue_turned(x, strength * drawn[3])
    grey = (drawn[4] < 2 * GREY - 1).to(x)
    x = grey * _luma(x) + (1 - grey) * x
    return x.round_().to(torch.uint8)


def _luma(clips: Tensor) -> Tensor:
    return (clips * torch.tensor(_LUMA, device=clips.device).view(1, 3, 1, 1, 1)).sum(1, keepdim=True)


def _blend(clips: Tensor, other: Tensor, share: Tensor) -> Tensor:
    return (share * clips + (1 - share) * other).clamp_(0, 255)


def _hue_turned(clips: Tensor, turn: Tensor) -> Tensor:
    """Rotate the hue of clips (B, C, T, H, W) by `turn` (B, 1, 1, 1, 1) circles."""
    value = clips.amax(1, keepdim=True)
    chroma = value - clips.amin(1, keepdim=True)
    red, green, blue = (clips[:, index : index + 1] for index in range(3))
    # Products with masks, which are several times as fast as a choice on the CPU.
    reddest = (value == red).to(clips)
    greenest = (value == green).to(clips) * (1 - reddest)
    bluest = 1 - reddest - greenest
    sides = reddest * (green - blue) + greenest * (blue - red) + bluest * (red - green)
    sextant = sides / chroma.clamp(min=1e-6) + 2 * greenest + 4 * bluest + 6 * turn
    offsets = torch.tensor([5.0, 3.0, 1.0], device=clips.device).view(1, 3, 1, 1, 1)
    place = offsets + sextant
    place -= 6 * (place / 6).floor()
    return value - chroma * torch.minimum(place, 4 - place).clamp_(0, 1)


def _slack(clips: Tensor, size: int) -> tuple[int, int]:
    """Largest offsets of a crop, down and to the right, in pixels."""
    height, width = clips.shape[-2:]
    if min(height, width) < size:
        msg = f"cannot crop {size} pixels from frames of {height} x {width}"
        raise ValueError(msg)
    return height - size, width - size


def _bilinear(start: Tensor, length: Tensor, pixels: int, size: int) -> Tensor:
    """Interpolation matrices (B, size, pixels) along one side of the crops."""
    step = (length / size)[:, None, None]
    support = step.clamp(min=1)
    centre = start[:, None, None] + (torch.arange(size, device=start.device)[:, None] + 0.5) * step
    pixel = torch.arange(pixels, device=start.device) + 0.5
    weight = (1 - (pixel - centre).abs() / support).clamp(min=0)
    inside = (pixel > start[:, None, None]) & (pixel < (start + length)[:, None, None])
    weight = weight * inside
    return weight / weight.sum(2, keepdim=True)


def normalise(pixels: Tensor, inputs: Inputs) -> Tensor:
    """Normalise pixels (B, C, T, H, W): (pixel * scale - mean) / std, float32."""
    if inputs.order == "bgr":
        pixels = pixels.flip(1)
    mean, std = _channels(inputs.mean, inputs.std, inputs.scale, pixels.device)
    return (pixels - mean).div_(std)


@functools.lru_cache(maxsize=64)
@torch.inference_mode(False)  # else training could not use what encoding asked for first
def _channels(
    mean: tuple[float, ...], std: tuple[float, ...], scale: float, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of pixels, (1, C, 1, 1, 1) on a device.

    Kept there: a copy from the host in each step would wait until a GPU has done all that it was given.
    """
    middle, spread = (torch.tensor(values, device=device).view(1, -1, 1, 1, 1) * (1 / scale) for values in (mean, std))
    return middle, spread
