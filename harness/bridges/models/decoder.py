"""Videos with the part of torchcodec's decoder that models of MTEB call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from torch import Tensor

from harness.errors import UsageError
from harness.interfaces import Split


@dataclass(frozen=True, slots=True)
class Metadata:
    """Size and length of a video, as `VideoDecoder.metadata` names them."""

    num_frames: int
    height: int
    width: int
    rate: float | None = None
    """Frames a second; None where nobody knows."""

    @property
    def average_fps(self) -> float:
        """Frames a second.

        Raises:
            UsageError: when it is not known.
        """
        if not self.rate:
            msg = "the model chooses frames by their time, which clips without a rate do not have; give it whole videos"
            raise UsageError(msg)
        return self.rate

    @property
    def duration_seconds(self) -> float:
        """Length in seconds; errors as in `average_fps`."""
        return self.num_frames / self.average_fps

    @property
    def begin_stream_seconds(self) -> float:
        """Time of the first frame."""
        return 0.0

    @property
    def end_stream_seconds(self) -> float:
        """Time at which the last frame ends; errors as in `average_fps`."""
        return self.duration_seconds


@dataclass(frozen=True, slots=True)
class Frames:
    """Decoded frames, as torchcodec's `FrameBatch` holds them."""

    data: Tensor
    """(N, 3, H, W) uint8 RGB."""


class Decoder:
    """A video whose frames are read when they are asked for.

    Args:
        metadata: size and length.
        read: gives frames (N, H, W, 3) uint8 RGB by their numbers.
    """

    def __init__(self, metadata: Metadata, read: Callable[[list[int]], Tensor]) -> None:
        self.metadata = metadata
        self._read = read

    @classmethod
    def of_split(cls, split: Split, index: int) -> Decoder:
        """A video of a split; errors while reading are those of `Split.read`."""
        video = split.videos[index]
        metadata = Metadata(video.frames, video.height, video.width, video.fps or None)
        return cls(metadata, lambda frames: split.read(index, frames))

    @classmethod
    def of_clip(cls, clip: Tensor, rate: float | None = None) -> Decoder:
        """A clip (3, T, H, W) uint8 RGB, and its frames a second where they are known."""
        shown = clip.permute(1, 2, 3, 0).cpu()
        count, height, width, _ = shown.shape
        return cls(Metadata(count, height, width, rate), lambda frames: shown[frames])

    def __len__(self) -> int:
        return self.metadata.num_frames

    def __getitem__(self, key: int | slice) -> Tensor:
        """One frame (3, H, W), or those of a slice (N, 3, H, W)."""
        if isinstance(key, slice):
            return self.get_frames_at(range(len(self))[key]).data
        return self.get_frames_at([key]).data[0]

    def get_frames_at(self, indices: Iterable[int]) -> Frames:
        """Read frames by their numbers, in any order; negative ones count from the end.

        Raises:
            IndexError: when the video has no such frame.
        """
        every = range(len(self))
        frames = self._read([every[int(index)] for index in indices])
        return Frames(frames.permute(0, 3, 1, 2).contiguous())
