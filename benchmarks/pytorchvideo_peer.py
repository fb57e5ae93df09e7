"""pytorchvideo as a reader and as a data set, each made to give the clips of `peers`."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import torch

from harness.backbones import _torchvision

_torchvision.models()  # what pytorchvideo imports does not load by itself beside a torch without CUDA

from pytorchvideo.data import LabeledVideoDataset  # noqa: E402
from pytorchvideo.data.clip_sampling import ClipInfo, ClipSampler  # noqa: E402
from pytorchvideo.data.encoded_video import EncodedVideo  # noqa: E402

from .crop import small  # noqa: E402
from .footage import FPS  # noqa: E402


def clip(path, wanted):
    """The clip from the first to the last wanted frame, of which the wanted ones are kept."""
    video = EncodedVideo.from_path(str(path), decode_audio=False, decoder="pyav")
    start, end = (Fraction(2 * number + side, 2 * FPS) for number, side in ((wanted[0], -1), (wanted[-1], 1)))
    read = video.get_clip(start, end)["video"][:, :: wanted[1] - wanted[0]]
    video.close()
    return np.stack([small(frame) for frame in read.permute(1, 2, 3, 0).to(torch.uint8).numpy()])


class Middle(ClipSampler):
    """pytorchvideo's word for the one clip in the middle of a video."""

    def __init__(self, frames):
        super().__init__(Fraction(frames, FPS))

    def __call__(self, last_clip_end, video_duration, annotation):
        frames, length = round(video_duration * FPS), round(self._clip_duration * FPS)
        start = Fraction(2 * ((frames - length) // 2) - 1, 2 * FPS)  # half a frame early, so that no rounding matters
        return ClipInfo(start, start + self._clip_duration, 0, 0, True)


def dataset(paths, frames, stride):
    """pytorchvideo's data set of the middle clips, each resized and cut as `small` does it: (T, 112, 112, 3) uint8."""

    def small_clip(found):
        wanted = found["video"][:, ::stride][:, :frames].permute(1, 2, 3, 0).to(torch.uint8).numpy()
        return np.stack([small(frame) for frame in wanted])

    return LabeledVideoDataset(
        [(str(path), {"label": 0}) for path in paths],
        Middle((frames - 1) * stride + 1),
        video_sampler=torch.utils.data.SequentialSampler,
        transform=small_clip,
        decode_audio=False,
        decoder="pyav",
    )
