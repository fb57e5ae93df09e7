"""Pictures of first-layer filters, and of pairs of people."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from harness.evaluators.pose.feature_maps import squares
from harness.pictures.sheet import sheet

if TYPE_CHECKING:
    from harness.evaluators.pose.frames import Frames
    from harness.pictures.sheet import Frame

SCALE = 6
"""Pixels of the picture for each weight."""
SHOWN = 12
"""Pairs of people in a picture."""
HEIGHT = 96
"""Pixels of a person."""


def filter_sheet(network: nn.Module, order: Literal["rgb", "bgr"]) -> bytes:
    """Draw the filters of the first convolution as a PNG.

    They fill a square. Each is scaled to use all of the range, with 0 in the middle.

    Args:
        network: of images.
        order: of the channels that it takes.

    Source: Purushwalkam and Gupta 2016, Fig. 3.
    """
    weights = next(module.weight for module in network.modules() if isinstance(module, nn.Conv2d | nn.Conv3d))
    filters = (
        weights.detach().float().cpu().flatten(2, -3)[:, :, 0] if weights.ndim == 5 else weights.detach().float().cpu()
    )
    if order == "bgr":
        filters = filters.flip(1)
    scaled = filters / filters.abs().amax((1, 2, 3), keepdim=True).clamp(min=1e-12)
    tiles = (127.5 + 127.5 * scaled).round().byte().permute(0, 2, 3, 1).numpy()  # (N, h, w, 3)
    columns = int(np.ceil(np.sqrt(len(tiles))))
    height, width = (SCALE * side + 2 for side in tiles.shape[1:3])
    picture = np.full((-(-len(tiles) // columns) * height + 2, columns * width + 2, 3), 255, np.uint8)
    for number, tile in enumerate(tiles):
        top, left = 2 + number // columns * height, 2 + number % columns * width
        large = tile.repeat(SCALE, 0).repeat(SCALE, 1)
        picture[top : top + large.shape[0], left : left + large.shape[1]] = large
    png = io.BytesIO()
    Image.fromarray(picture).save(png, "PNG", optimize=True)
    return png.getvalue()


def pair_sheet(frames: Frames, nearest: Tensor) -> bytes:
    """Draw 12 frames of a split, each beside its nearest one, as a PNG.

    They are evenly spaced over the split.

    Args:
        frames: of a split.
        nearest: (N,) the nearest frame of each.

    Raises:
        DataError: when a video does not decode.

    Source: Purushwalkam and Gupta 2016, Fig. 4.
    """
    chosen = torch.linspace(0, len(frames) - 1, min(SHOWN, len(frames))).round().long().tolist()
    pairs = [(_person(frames, index), _person(frames, int(nearest[index]))) for index in chosen]
    half = -(-len(pairs) // 2)
    blank = np.full((HEIGHT, HEIGHT // 4, 3), 255, np.uint8)
    rows = []
    for row in range(half):
        left, right = pairs[row], pairs[row + half] if row + half < len(pairs) else ()
        rows.append(("", [*left, *([blank, *right] if right else [])]))
    return sheet(rows, HEIGHT)


def _person(frames: Frames, index: int) -> Frame:
    """The square around a person, (H, W, 3) uint8."""
    (square,) = squares(frames, torch.tensor([index]), HEIGHT, torch.Tensor.float)
    person: Frame = square.round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
    return person
