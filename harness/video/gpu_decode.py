"""Decoding on a GPU by torchcodec.

An option where it gives the pixels that FFmpeg gives here.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import UsageError
from harness.video.decode import decode_here, resized

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from harness.video.decode import Decoder


@dataclass(frozen=True)
class GPUDecoder:
    """A decoder for `decode.decoded_by` that uses torchcodec's NVDEC.

    Frames are resized by the mean of the pixels covered, as FFmpeg's area filter does, in floating point.

    Args:
        device: such as `cuda` or `cuda:1`.
        open_file: path and device -> torchcodec's `VideoDecoder`.
    """

    device: str
    open_file: Callable[[Path, str], Any]

    def __call__(
        self, path: Path, wanted: list[int] | None, short_side: int | None, total: int | None
    ) -> NDArray[np.uint8]:
        """Decode as `decode.decode_here`; a file that torchcodec refuses is decoded there."""
        import torch.nn.functional as F

        try:
            video = self.open_file(path, self.device)
            frames = video.get_frames_in_range(0, len(video)) if wanted is None else video.get_frames_at(wanted)
        except (RuntimeError, ValueError, IndexError, OSError):
            return decode_here(path, wanted, short_side, total)
        pixels = frames.data  # (T, C, H, W) uint8
        height, width = pixels.shape[-2:]
        size = resized(width, height, short_side)
        if size != (width, height):
            pixels = F.interpolate(pixels.float(), (size[1], size[0]), mode="area").round().byte()
        moved: NDArray[np.uint8] = pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()
        return moved


def gpu_decoder(device: str = "cuda") -> GPUDecoder:
    """Build the decoder of a GPU.

    Raises:
        UsageError: when torchcodec is not installed or does not load, or there is no such GPU.
    """
    import torch

    try:
        torchcodec = importlib.import_module("torchcodec.decoders")
    except (ImportError, RuntimeError, OSError) as error:
        reason = " ".join(str(error).split())[:120]
        msg = (
            f"decoding on a GPU needs torchcodec with CUDA, which does not load here ({reason}); pip install torchcodec"
        )
        raise UsageError(msg) from error
    if not torch.cuda.is_available():
        msg = f"decoding on {device!r} needs a GPU, and torch finds none here; decode on the CPU"
        raise UsageError(msg)
    return GPUDecoder(device, lambda path, where: torchcodec.VideoDecoder(str(path), device=where))


def same_pixels(decoder: Decoder, path: Path, *, frames: int = 16, short_side: int | None = None) -> bool:
    """Tell if a decoder gives the first frames of a file to the bit as FFmpeg.

    Where it does, numbers made with it are those of the CPU and have their keys; elsewhere the decoder belongs into
    the keys.

    Raises:
        DataError: when the file does not decode here.
    """
    wanted = list(range(frames))
    here = decode_here(path, wanted, short_side, None)
    return np.array_equal(decoder(path, wanted, short_side, None), here)
