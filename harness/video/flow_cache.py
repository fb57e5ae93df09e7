"""Cache of optical flow on disk: computed once, in 8 bits, read frame by frame."""

from __future__ import annotations

import contextlib
import errno
import functools
import io
import json
import struct
import threading
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from harness.errors import DataError
from harness.system import files, paths, progress
from harness.system.code import code_hash
from harness.system.damage import FOLDER, set_aside
from harness.system.hashing import digest
from harness.system.processes import CrashedError, HungError, imap_isolated
from harness.system.text import printable
from harness.system.zips import read_member
from harness.video import container
from harness.video.archive import FileState
from harness.video.container import MOST_PIXELS
from harness.video.decode import count_frames, decode, decoder
from harness.video.flow import SMALLEST, Algorithm, flow, quantised

QUALITY = 95
"""JPEG quality; adds about a tenth to the mean error of 8 bits."""
TIMEOUT = 1800.0
"""Seconds that a worker may take for one video before it is killed."""
_SEGMENT = 64
"""Pairs of frames in memory at a time."""
_DESCRIPTION = "flow.json"
_LARGEST_DESCRIPTION = 2**16
"""Bytes of the description, of which it needs a few hundred."""
_computing = threading.Lock()
"""Held while a video's flow is computed, which takes all processors or a GPU."""
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    KeyError,
    ValueError,
    RuntimeError,
    cv2.error,
)
"""Errors that reading a damaged file may raise."""
_OF_CONTENT = (None, errno.EINVAL)
"""Numbers of an `OSError` by damage: Pillow's has none, a wrong place has EINVAL."""


def _expect_damage(error: Exception) -> None:
    """Raise an error again that is the disk's or the system's fault, not the file's."""
    if isinstance(error, OSError) and error.errno not in _OF_CONTENT:
        raise error


@dataclass(frozen=True, slots=True)
class FlowCache:
    """Flow of whole videos by one algorithm at one size.

    A video's flow is a zip file of its own in the user's cache folder, named by a hash of the video's content and of
    everything the flow depends on. It holds a grey JPEG for each pair of frames, the horizontal component above the
    vertical, with a checksum; a picture viewer shows it. It is there whole or not at all, and is computed again when
    its directory or a picture that is read turns out damaged.

    Args:
        algorithm: how flow is computed.
        short_side: pixels that the frames' short side is resized to before.
        device: where TV-L1 runs. The name of the file leaves it out: devices differ by far less than 8 bits do.

    Raises:
        ValueError: when `short_side` is under 16 pixels.
    """

    algorithm: Algorithm
    short_side: int
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.short_side < SMALLEST:
            msg = f"short_side must be at least {SMALLEST} pixels for flow, got {self.short_side}"
            raise ValueError(msg)

    def path(self, video: Path) -> Path:
        """Path of the flow of `video`, computed or not.

        Raises:
            DataError: when there is no such video.
        """
        name = digest({"video": _content(video), **self._description()})
        return paths.flow() / name[:2] / f"{name}.zip"

    def read(self, video: Path, numbers: Sequence[int] | None = None) -> Tensor:
        """Read flow from each frame in `numbers` to the next one, (n, 2, H, W) uint8.

        Only these pictures are decoded; `harness.video.flow.displacement` turns them into pixels. When the flow is not
        on disk, that of the whole video is computed first.

        Args:
            video: a video file.
            numbers: of frames, in any order, repeats allowed; all but the last frame when None.

        Raises:
            DataError: when the video is missing, does not decode, or has not more frames than asked for.
            ValueError: when a number is negative.
        """
        if numbers is not None and min(numbers, default=0) < 0:
            msg = f"frame numbers count from 0, got {min(numbers)}"
            raise ValueError(msg)
        path = self.path(video)
        with contextlib.suppress(FileNotFoundError, *_BROKEN):
            return self._read(path, video, numbers)
        with _computing:
            try:
                return self._read(path, video, numbers)  # another thread may have computed it
            except FileNotFoundError:
                pass
            except _BROKEN as error:
                _expect_damage(error)
                _set_aside(path, video, error)
            self._compute(path, video)
        return self._read(path, video, numbers)

    def precompute(self, videos: Sequence[Path], *, workers: int | None = None, timeout: float = TIMEOUT) -> None:
        """Compute the flow of all videos that have none yet, in worker processes.

        A worker may crash or hang. A video whose flow fails does not stop the others. What is done stays done, also
        after `kill -9`.

        Args:
            videos: files.
            workers: processes; as many as there are processors when None.
            timeout: seconds that one video may take.

        Raises:
            DataError: at the end, when a video is missing, does not decode, or its worker crashed or hung.
        """
        failures: list[DataError] = []
        with progress.bar(f"{self.algorithm} flow", total=len(videos)) as bar:
            for video, outcome in imap_isolated(self._ensure, videos, timeout=timeout, workers=workers):
                if outcome is not None:
                    failures.append(_failure(video, outcome))
                bar.advance(note=video.name)
        if failures:
            others = f" (and {len(failures) - 1} more videos failed)" if len(failures) > 1 else ""
            msg = f"{failures[0]}{others}"
            raise DataError(msg, reason=failures[0].reason) from failures[0]

    def _description(self) -> dict[str, Any]:
        versions = {"decoder": decoder(), "opencv": cv2.__version__}
        return {"algorithm": self.algorithm, "short_side": self.short_side, "code": code_hash(__name__), **versions}

    def _ensure(self, video: Path) -> None:
        path = self.path(video)
        try:
            self._read(path, video, ())
        except FileNotFoundError:
            self._compute(path, video)
        except _BROKEN as error:
            _expect_damage(error)
            _set_aside(path, video, error)
            self._compute(path, video)

    def _read(self, path: Path, video: Path, numbers: Sequence[int] | None) -> Tensor:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(read_member(archive, _DESCRIPTION, _LARGEST_DESCRIPTION))
            count, height, width = int(about["pairs"]), int(about["height"]), int(about["width"])
            largest = 4 * height * width + _LARGEST_DESCRIPTION  # twice its pixels, of which a grey JPEG needs less
            if not 0 < height * width <= MOST_PIXELS:
                msg = f"pictures of {width} x {height}"
                raise ValueError(msg)
            if len(archive.namelist()) != count + 1:
                msg = f"{len(archive.namelist()) - 1} pictures of {count}"
                raise ValueError(msg)
            wanted = range(count) if numbers is None else numbers
            if max(wanted, default=0) >= count:
                msg = f"{video}: flow from frame {max(wanted)} on was asked for, but {count + 1} frames decode"
                raise DataError(msg)
            fields = np.empty((len(wanted), 2, height, width), np.uint8)
            for field, number in zip(fields, wanted, strict=True):
                content = read_member(archive, _name(number), largest)
                if Image.open(io.BytesIO(content)).size != (width, 2 * height):  # its header says it
                    msg = f"picture {number} is not of {width} x {2 * height}"
                    raise ValueError(msg)
                picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_GRAYSCALE)
                if picture is None:
                    msg = f"picture {number} is no JPEG"
                    raise ValueError(msg)
                field[:] = picture.reshape(field.shape)  # (2H, W)
        return torch.from_numpy(fields).clamp_min_(1)

    def _compute(self, path: Path, video: Path) -> None:
        pairs = count_frames(video) - 1
        if pairs < 1:
            msg = f"{video}: flow needs at least 2 frames, but one decodes; leave it out of the data set"
            raise DataError(msg)
        with files.replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for start in range(0, pairs, _SEGMENT):
                stop = min(start + _SEGMENT, pairs)
                frames = torch.from_numpy(decode(video, range(start, stop + 1), short_side=self.short_side))
                part = quantised(flow(frames.to(self.device), self.algorithm)).cpu().numpy()
                for number, picture in enumerate(part, start):
                    _, encoded = cv2.imencode(
                        ".jpg",
                        picture.reshape(-1, picture.shape[2]),  # (2H, W)
                        [cv2.IMWRITE_JPEG_QUALITY, QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1],
                    )
                    archive.writestr(zipfile.ZipInfo(_name(number)), encoded.tobytes())
            about = {"pairs": pairs, "height": part.shape[2], "width": part.shape[3], **self._description()}
            archive.writestr(zipfile.ZipInfo(_DESCRIPTION), json.dumps(about, indent=1, sort_keys=True))


def damage(path: Path) -> str:
    """Say how a file of flow is damaged; empty when its pictures have their checksums."""
    try:
        with zipfile.ZipFile(path) as archive:
            name = archive.testzip()
            archive.getinfo(_DESCRIPTION)
    except _BROKEN as error:
        return str(error)
    return f"{name} is not as it was written" if name else ""


def _set_aside(path: Path, video: Path, error: Exception) -> None:
    line = set_aside(path, paths.store() / FOLDER / "flow", str(error))
    progress.say(f"{line}; computing the flow of {printable(str(video))} again")


def _name(number: int) -> str:
    return f"{number:06d}.jpg"


def _content(video: Path) -> str:
    """SHA-256 of the file, computed again only when the file has changed."""
    try:
        return _hashed(video, container.last_identity(video))
    except OSError:
        return container.digest(video)[0]  # which says what is wrong


@functools.lru_cache(maxsize=65536)
def _hashed(video: Path, identity: tuple[str, FileState]) -> str:
    return container.digest(video)[0]


def _failure(video: Path, error: Exception) -> DataError:
    if isinstance(error, DataError):
        return error
    if isinstance(error, HungError):
        return DataError(f"{video}: its flow is not computed ({error}); allow more, or leave it out of the data set")
    if isinstance(error, MemoryError) or (isinstance(error, CrashedError) and error.killed):
        msg = f"{video}: its flow is not computed ({str(error) or 'out of memory'}); free some memory, and run it again"
        return DataError(msg, reason="unreadable")
    return DataError(f"{video}: its flow is not computed ({error}); leave it out of the data set")
