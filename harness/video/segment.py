"""Parts of longer files that are videos of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Segment:
    """Part of a longer file that is a video of its own."""

    first: int
    """Frame of the file that is its first."""
    total: int
    """Frames of the file."""
    content: str = ""
    """Hash of the file's bytes; empty where it is not told."""

    def frames(self, wanted: Sequence[int]) -> list[int]:
        """Frames of the file that are `wanted` ones of the video.

        >>> Segment(100, 250).frames([0, 5])
        [100, 105]
        """
        return [self.first + frame for frame in wanted]
