"""Decoded videos kept in memory, so that an epoch after the first decodes nothing."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor

from harness.video.decode import decode

LIMIT = 2 * 2**30
"""Bytes of decoded frames that a process keeps."""


class FrameCache:
    """Whole videos at one size, the least recently used forgotten first; safe to use from several threads.

    Args:
        limit: bytes.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self._bytes = 0
        self._lock = threading.Lock()
        self._videos: OrderedDict[tuple[Path, int | None], Tensor] = OrderedDict()

    def video(self, path: Path, short_side: int | None) -> Tensor:
        """All frames of the file, (T, H, W, C) uint8; not to be written to."""
        key = (path, short_side)
        with self._lock:
            if key in self._videos:
                self._videos.move_to_end(key)
                return self._videos[key]
        frames = torch.from_numpy(decode(path, short_side=short_side))
        with self._lock:
            if key not in self._videos:
                self._videos[key] = frames
                self._bytes += frames.nbytes
            while self._bytes > self.limit and len(self._videos) > 1:
                self._bytes -= self._videos.popitem(last=False)[1].nbytes
        return frames


shared = FrameCache()
"""The cache of this process: all methods, seeds and evaluators read the same videos."""
