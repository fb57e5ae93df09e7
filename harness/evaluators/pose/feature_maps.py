"""Squares around people, and an encoder's feature maps of them."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from harness.cards import WholeVideo
from harness.encoders.layers import output_of
from harness.encoders.network import only_stream
from harness.errors import DataError, PluginError, UsageError, out_of_memory
from harness.evaluators.cards import POSE
from harness.evaluators.shown_frames import expect_frames
from harness.functional.autocast import autocast
from harness.system import progress
from harness.system.prefetch import pinned_to_device
from harness.system.processes import allowed_processors
from harness.video.decode_processes import in_processes
from harness.video.loader import THREADS
from harness.video.transforms import normalise

if TYPE_CHECKING:
    from harness.evaluators.pose.frames import Frames
    from harness.interfaces import FrozenEncoder
    from harness.values import ComputePrecision, Inputs

GRID = 15
"""Cells of a feature map along each side."""

BATCH = 64
"""Frames read and encoded at a time."""


def feature_maps(encoder: FrozenEncoder, frames: Frames, size: int) -> Tensor:
    """Encode the square of every frame, resized to `size` pixels: (N, c, 15, 15).

    Normalised as the encoder's inputs say, and 0 outside of the image. A feature map of another size is resized to
    15 x 15 by linear interpolation.

    Raises:
        DataError: when a video does not decode, or a feature map is NaN or infinite, naming the video.
        PluginError: as in `mapper`.
    """
    to_maps, inputs = mapper(encoder)
    joined = torch.empty(0)
    with (
        progress.bar(f"feature maps of {frames.split.name}", total=len(frames)) as bar,
        contextlib.closing(_batches(frames, size, inputs)) as batches,
    ):
        for start, images in batches:
            maps = to_maps(pinned_to_device(images, encoder.device))
            _expect_finite(maps, frames, start)
            if not start:
                joined = maps.new_empty((len(frames), maps.shape[1], GRID, GRID))
            if maps.shape[2:] != (GRID, GRID):
                maps = interpolate(maps, (GRID, GRID), mode="bilinear", antialias=True)
            joined[start : start + len(maps)] = maps
            bar.advance(len(maps))
    return joined


def _expect_finite(maps: Tensor, frames: Frames, start: int) -> None:
    broken = (~maps.isfinite()).flatten(1).any(1).nonzero()
    if len(broken):
        video = frames.split.videos[int(frames.videos[start + int(broken[0])])]
        msg = f"the encoder's feature map of a frame of video {video.id!r} is NaN or infinite"
        raise DataError(msg)


def crops(frames: Frames, size: int, inputs: Inputs) -> Tensor:
    """Read the squares around people once: (N, 3, `size`, `size`) float16 on the CPU.

    Normalised as `inputs` say, and 0 outside of the image.

    Raises:
        DataError: when a video does not decode.
    """
    cached = torch.empty((len(frames), 3, size, size), dtype=torch.float16)
    with (
        progress.bar(f"squares of {frames.split.name}", total=len(frames)) as bar,
        contextlib.closing(_batches(frames, size, inputs)) as batches,
    ):
        for start, images in batches:
            cached[start : start + len(images)] = images
            bar.advance(len(images))
    return cached


def input_size(encoder: FrozenEncoder, size: int | None = None) -> tuple[int, tuple[int, int]]:
    """Find the input size that gives a feature map of 15 x 15.

    Returns the side of the squares in pixels, and height and width of the feature map that it does give.

    The stride is what the feature map grows by between images of 256 and 512 pixels. Of its multiples, 15 to 20 times,
    the first one with a map of 15 x 15 is taken; when there is none, the size of the encoder's view.

    Args:
        encoder: with a spatial layer.
        size: in pixels, to be taken whatever its feature map.

    Raises:
        PluginError: as in `mapper`.
        UsageError: when the network does not take images of that size.
    """
    to_maps, inputs = mapper(encoder)

    def grid(size: int) -> tuple[int, int]:
        height, width = to_maps(torch.zeros((1, 3, size, size), device=encoder.device)).shape[2:]
        return height, width

    if size is not None:
        try:
            return size, grid(size)
        except (RuntimeError, ValueError, AssertionError) as error:
            if out_of_memory(error):
                raise
            reason = " ".join(str(error).split())
            msg = f"expected a size that the encoder's network takes, got {size} ({reason}); choose another, or none"
            raise UsageError(msg) from error
    try:
        small, large = grid(256)[0], grid(512)[0]
        if large > small:
            for cells in range(GRID, GRID + 6):
                size = round(cells * 256 / (large - small))
                if grid(size) == (GRID, GRID):
                    return size, (GRID, GRID)
    except (RuntimeError, ValueError, AssertionError) as error:
        if out_of_memory(error):
            raise  # else it is a network of one size only
    own = 224 if isinstance(inputs.view, WholeVideo) else inputs.view.size
    return own, grid(own)


def mapper(encoder: FrozenEncoder) -> tuple[Callable[[Tensor], Tensor], Inputs]:
    """Get the encoder's spatial layer as a function of images, and its inputs.

    The function takes normalised images (B, 3, H, W) to maps (B, c, h, w) as `spatial_maps` does, in evaluation mode
    and without gradients.

    Raises:
        PluginError: when the encoder has no spatial layer, or it gives no maps.
    """
    module, layer, inputs, precision = spatial_network(encoder)
    module.eval()

    @torch.no_grad()
    def to_maps(images: Tensor) -> Tensor:
        return spatial_maps(module, layer, images, precision)

    return to_maps, inputs


def spatial_network(encoder: FrozenEncoder) -> tuple[nn.Module, str, Inputs, ComputePrecision]:
    """Copy the encoder's network to its device, with layer, inputs and precision.

    Raises:
        PluginError: when the encoder has no spatial layer.
        UsageError: when the network sees optical flow, or has several streams.
    """
    network, layer = encoder.network(), encoder.promise.spatial
    if network is None or not layer:
        msg = f"the pose protocol needs an encoder with a spatial layer, got one that promises {encoder.promise}"
        raise PluginError(msg)
    expect_frames(network.inputs, POSE.name)
    return network.module.to(encoder.device), layer, only_stream(network.inputs), network.precision


def spatial_maps(module: nn.Module, layer: str, images: Tensor, precision: ComputePrecision = "fp32") -> Tensor:
    """Compute a layer's maps (B, c, h, w) float32 of normalised images (B, 3, H, W).

    The network sees clips of one frame, and multiplies in `precision`; a layer with a time axis is averaged over it.

    Raises:
        PluginError: when the layer gives no maps.
    """
    with autocast(images.device, precision):
        maps = output_of(module, layer, images[:, :, None]).float()
    maps = maps.mean(2) if maps.ndim == 5 else maps
    if maps.ndim != 4 or len(maps) != len(images):
        msg = f"expected maps ({len(images)}, c, h, w) of layer {layer!r}, got {tuple(maps.shape)}"
        raise PluginError(msg)
    return maps


def _batches(frames: Frames, size: int, inputs: Inputs) -> Generator[tuple[int, Tensor], None, None]:
    """Iterate over normalised squares, reading a batch ahead in threads.

    Yields the start of a batch and its (B, 3, `size`, `size`).
    """

    def read(chosen: Tensor) -> Tensor:
        return squares(frames, chosen, size, lambda images: normalise(images[:, :, None], inputs)[:, :, 0])

    threads = min(allowed_processors(), THREADS)
    with in_processes(threads), ThreadPoolExecutor(THREADS, thread_name_prefix="decode") as pool:
        waiting = deque[tuple[int, list[Future[Tensor]]]]()
        for batch in torch.split(torch.arange(len(frames)), BATCH):
            counts = torch.unique_consecutive(frames.videos[batch], return_counts=True)[1].tolist()
            waiting.append((int(batch[0]), [pool.submit(read, chosen) for chosen in torch.split(batch, counts)]))
            if len(waiting) > 1:
                yield _concatenate(*waiting.popleft())
        yield _concatenate(*waiting.popleft())


def _concatenate(start: int, parts: list[Future[Tensor]]) -> tuple[int, Tensor]:
    return start, torch.cat([part.result() for part in parts])


def squares(frames: Frames, chosen: Tensor, size: int, prepare: Callable[[Tensor], Tensor]) -> Tensor:
    """Read the squares around people in frames of one video.

    (B, 3, `size`, `size`), 0 outside of the image.

    Args:
        frames: of a split.
        chosen: (B,) int64 which of them.
        size: in pixels.
        prepare: makes uint8 RGB (B, 3, H, W) floating point.

    Raises:
        DataError: when the video does not decode.
    """
    read = frames.split.read(int(frames.videos[chosen[0]]), frames.numbers[chosen].tolist())
    return crop(prepare(read.permute(0, 3, 1, 2)), frames.corners[chosen], frames.sides[chosen], size)


def crop(images: Tensor, corners: Tensor, sides: Tensor, size: int) -> Tensor:
    """Crop a square of each image, resized to `size` pixels; 0 outside of the image.

    Linear interpolation, over more pixels when shrinking, so that nothing aliases.

    Args:
        images: (B, C, H, W) floating point.
        corners: (B, 2) left and top in pixels, the centre of the first at 0.
        sides: (B,) of the squares, in pixels.
        size: of the result, in pixels.

    Returns:
        (B, C, `size`, `size`).
    """
    steps = (torch.arange(size, device=images.device, dtype=torch.float64) + 0.5) / size
    centres = corners[:, :, None] + steps * sides[:, None, None]  # (B, 2, size)
    reach = (sides / size).clamp(min=1)[:, None, None]
    across, down = (
        _triangle(centres[:, axis, :, None], reach, images.shape[3 - axis]).to(images.dtype) for axis in (0, 1)
    )  # (B, size, W), (B, size, H)
    return down[:, None] @ images @ across[:, None].mT


def _triangle(centres: Tensor, reach: Tensor, count: int) -> Tensor:
    pixels = torch.arange(count, device=centres.device, dtype=torch.float64)
    weights = (1 - (pixels - centres).abs() / reach).clamp(min=0)
    total = weights.sum(-1, keepdim=True)
    return weights / total.where(total > 0, 1)
