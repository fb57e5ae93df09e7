"""Fingerprints of videos: perceptual hashes and thumbnails of a few frames."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.system import paths, progress
from harness.system.code import code_hash
from harness.system.processes import allowed_processors
from harness.video.anonymous import content_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.values import Video

FRAMES = 3
"""Frames of a video, in the middle of its thirds; 1 of images."""
SHORT_SIDE, SIDE = 64, 12
"""Pixels of the frames that are hashed, and of the thumbnails."""
BITS, BYTES = 64, 8
PIXELS = SIDE * SIDE * 3
FLAT = 3.0
"""Standard deviation of the pixels below which a frame shows nothing, of 255."""
NEAR = 10
"""Bits in which hashes of one picture may differ after compression or scaling."""
ALIKE = 0.93
"""Least correlation of their thumbnails.

Frames of drawn videos keep 0.95 when they are halved, cut by 3 % on each side, compressed to a JPEG of quality 20,
brightened by a fifth or made noisy; those of different places have at most 0.87 where their hashes are near.
"""
CHUNK = 2**24
"""Pairs of frames that are compared at a time."""


@dataclass(frozen=True)
class Fingerprints:
    """Fingerprints of N videos."""

    hashes: NDArray[np.uint8]
    """Perceptual hashes of F frames, (N, F, 8): `cv2.img_hash.PHash`, 64 bits each.

    Source: Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010.
    """
    thumbnails: NDArray[np.uint8]
    """(N, F, PIXELS) RGB."""

    def __len__(self) -> int:
        return len(self.hashes)

    def similar(self, other: Fingerprints) -> dict[int, int]:
        """Find near copies of videos of `other`: positions here, and of the most alike.

        Every frame of the one has to be near to a frame of the other: the hash proposes, the thumbnails confirm.
        Frames that show nothing are left aside.
        """
        pairs: dict[int, int] = {}
        if not len(self) or not len(other):
            return pairs
        theirs, their_shown = _signs(other.hashes), _shown(other)
        rows = max(1, CHUNK // (self.hashes.shape[1] * their_shown.numel()))
        for start in range(0, len(self), rows):
            part = Fingerprints(self.hashes[start : start + rows], self.thumbnails[start : start + rows])
            agreement = _agreement(_signs(part.hashes), theirs, _shown(part), their_shown)
            proposed = agreement >= 1 - 2 * NEAR / BITS
            for index in proposed.any(1).nonzero()[:, 0].tolist():
                positions = proposed[index].nonzero()[:, 0].tolist()
                candidates = Fingerprints(other.hashes[positions], other.thumbnails[positions])
                one = Fingerprints(part.hashes[[index]], part.thumbnails[[index]])
                alike = _agreement(_standard(one), _standard(candidates), _shown(one), _shown(candidates))[0]
                if float(alike.max()) >= ALIKE:
                    pairs[start + index] = int(positions[int(alike.argmax())])
        return pairs


def _signs(hashes: NDArray[np.uint8]) -> Tensor:
    """Bits as -1 or 1 over 8, (N, F, 64), so that a product is 1 for equal hashes."""
    return torch.from_numpy(np.unpackbits(hashes, axis=-1)).float().mul(2).sub(1).div(BITS**0.5)


def _standard(one: Fingerprints) -> Tensor:
    """Thumbnails of mean 0 and length 1, (N, F, PIXELS)."""
    pixels = torch.from_numpy(one.thumbnails).float()
    pixels = pixels - pixels.mean(-1, keepdim=True)
    return torch.nn.functional.normalize(pixels, dim=-1)


def _shown(one: Fingerprints) -> Tensor:
    """Frames that show something, (N, F)."""
    return torch.from_numpy(one.thumbnails.std(-1) >= FLAT)


def _agreement(ours: Tensor, theirs: Tensor, shown: Tensor, their_shown: Tensor) -> Tensor:
    """Agreement (N, M) of videos: that of the frame which agrees least.

    A frame agrees with the other video's as much as with the best of them; of both directions the better counts.

    Args:
        ours: (N, F, D) of length 1.
        theirs: (M, G, D) of length 1.
        shown: (N, F) frames that count.
        their_shown: (M, G).
    """
    frames = (ours.flatten(0, 1) @ theirs.flatten(0, 1).T).view(*shown.shape, *their_shown.shape)  # (N, F, M, G)
    frames.masked_fill_(~shown[:, :, None, None], -1).masked_fill_(~their_shown, -1)
    covered = frames.amax(3).masked_fill(~shown[:, :, None], 1).amin(1)  # (N, M)
    covering = frames.amax(1).masked_fill(~their_shown, 1).amin(2)
    empty = ~shown.any(1)[:, None] | ~their_shown.any(1)
    return torch.maximum(covered, covering).masked_fill(empty, -1)


class Readable(Protocol):
    """Part of a split that fingerprints are made of."""

    @property
    def name(self) -> str:
        """Name of the split."""
        ...

    @property
    def videos(self) -> Sequence[Video]:
        """Videos in a fixed order."""
        ...

    def read(self, index: int, frames: Sequence[int] | None = None, *, short_side: int | None = None) -> Tensor:
        """Read frames of a video, see `harness.interfaces.Split.read`."""
        ...


def fingerprints(split: Readable) -> Fingerprints:
    """Compute the fingerprints of a split's videos, or recall them by content.

    Each is written down at once, so that a process that is killed loses only those it was at.

    Raises:
        DataError: when a video does not decode.
    """
    count = 1 if all(video.frames == 1 for video in split.videos) else FRAMES
    names = [f"{content_name(video)}-{count}" for video in split.videos]
    file = paths.home() / "fingerprints" / f"{code_hash(__name__)}.jsonl"
    known = _read(file)
    todo = {name: index for index, name in enumerate(names) if name not in known}
    if todo:
        file.parent.mkdir(parents=True, exist_ok=True)
        with (
            file.open("a", encoding="utf-8") as lines,
            ThreadPoolExecutor(allowed_processors(), thread_name_prefix="fingerprint") as pool,
            progress.bar(f"fingerprints of {split.name}", total=len(todo)) as bar,
        ):
            for name, prints in zip(
                todo, pool.map(lambda index: _compute(split, index, count), todo.values()), strict=True
            ):
                known[name] = prints
                if split.videos[todo[name]].content:
                    lines.write(json.dumps({"name": name, "prints": base64.b64encode(prints).decode()}) + "\n")
                    lines.flush()
                bar.advance()
    stacked = np.frombuffer(b"".join(known[name] for name in names), np.uint8).reshape(
        len(names), count, BYTES + PIXELS
    )
    return Fingerprints(stacked[..., :BYTES], stacked[..., BYTES:])


def _read(file: Path) -> dict[str, bytes]:
    known: dict[str, bytes] = {}
    if file.exists():
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
                known[row["name"]] = base64.b64decode(row["prints"], validate=True)
            except (ValueError, KeyError, TypeError):
                continue  # what a killed process left half
    return known


def _compute(split: Readable, index: int, count: int) -> bytes:
    """Hash and thumbnail of each frame, BYTES + PIXELS bytes each."""
    total = split.videos[index].frames
    frames = split.read(index, [(2 * n + 1) * total // (2 * count) for n in range(count)], short_side=SHORT_SIDE)
    hasher = cv2.img_hash.PHash.create()
    prints = []
    for frame in frames.numpy():
        grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
        thumbnail = cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        prints += [hasher.compute(grey).tobytes(), thumbnail.tobytes()]
    return b"".join(prints)
