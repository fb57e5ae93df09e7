"""Cache of decoded videos in memory, so that later epochs decode nothing."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future
from pathlib import Path

import torch
from torch import Tensor

from harness.video.archive import FileState
from harness.video.container import last_identity
from harness.video.decode import decode
from harness.video.shared_frames import SharedFrames

Key = tuple[tuple[str, FileState], int | None]
"""File as it is now, and the short side of its frames."""
LIMIT = 2 * 2**30
"""Bytes of decoded frames that a process keeps."""


class FrameCache:
    """Least-recently-used cache of whole videos; safe to use from several threads.

    Args:
        limit: bytes.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self._bytes = 0
        self._lock = threading.Lock()
        self._videos: OrderedDict[Key, Future[Tensor]] = OrderedDict()
        self._shared: SharedFrames | None = None

    def share(self, folder: Path) -> None:
        """Read from and add to what processes share in a folder; see `shared_frames`."""
        self._shared = SharedFrames(folder)

    def video(self, path: Path, short_side: int | None, total: int | None = None) -> Tensor:
        """Decode or recall all frames of a file, (T, H, W, C) uint8, not to be changed.

        Threads that want the same video at the same time wait for one of them to decode it.

        Args:
            path: a video file.
            short_side: pixels; the file's own size when None.
            total: how many frames of the file decode, where that is known.

        Raises:
            DataError: when the file is missing or does not decode.
        """
        try:
            key = (last_identity(path), short_side)
        except OSError:
            return torch.from_numpy(decode(path, short_side=short_side, total=total))  # which says what is wrong
        with self._lock:
            known = self._videos.get(key)
            if known is None:
                ours = self._videos[key] = Future()
            else:
                self._videos.move_to_end(key)
        if known is not None:
            return known.result()
        try:
            frames = self._decoded(path, key, total)
        except BaseException as error:
            with self._lock:
                del self._videos[key]
            ours.set_exception(error)
            raise
        with self._lock:
            ours.set_result(frames)
            self._bytes += frames.nbytes
            self._forget(key)
        return frames

    def _decoded(self, path: Path, key: Key, total: int | None) -> Tensor:
        """Frames of a file that this process has not read yet."""
        name = repr(key)
        if self._shared is not None and (known := self._shared.read(name)) is not None:
            return known
        frames = torch.from_numpy(decode(path, short_side=key[1], total=total))
        return frames if self._shared is None else self._shared.write(name, frames)

    def _forget(self, newest: Key) -> None:
        """Drop the least recently used videos until the others fit; the newest stays."""
        if self._bytes <= self.limit:
            return
        for key, future in list(self._videos.items()):
            if self._bytes <= self.limit:
                break
            if key != newest and future.done():
                self._bytes -= self._videos.pop(key).result().nbytes


shared = FrameCache()
"""Cache of this process, as methods, seeds and evaluators read the same videos."""
