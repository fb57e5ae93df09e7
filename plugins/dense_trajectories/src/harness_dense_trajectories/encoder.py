"""Encoder of whole videos by their trajectories."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from harness.cards import WholeVideo
from harness.errors import DataError
from harness.system import progress
from harness.values import Promise
from harness_dense_trajectories import store
from harness_dense_trajectories.encodings import Encoding, Fisher, Words
from harness_dense_trajectories.extract import extract
from harness_dense_trajectories.many import extract_many
from harness_dense_trajectories.pictures import illustrations
from harness_dense_trajectories.rows import offsets
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.tables import Tables, grey, on_cuda, stack, stored_device
from harness_dense_trajectories.trajectories import COLUMNS, span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.interfaces import Split
    from harness.values import VideoBatch
    from harness_dense_trajectories.projections import Sketch

JOINT = "joint"
"""Name of all descriptors as one."""
ROWS = 2**18
"""Trajectories encoded at a time."""


class TrajectoryEncoder:
    """Encoder of whole videos: an encoding of the descriptors of their trajectories.

    A video without trajectories (shorter than 16 frames, static, without texture) has the zero vector; how many these
    are is said on stderr.

    Args:
        settings: of the extractor.
        parts: for `joint` or each descriptor, its encoding; their vectors follow each other.
        sketch: to fewer dimensions, after all else; None keeps them.
        boxes: the name of humans' boxes, which the camera's motion is not estimated from; "" for none.
        device: on CUDA tubes are described there.
    """

    def __init__(
        self,
        settings: Settings,
        parts: Mapping[str, Encoding],
        sketch: Sketch | None = None,
        boxes: str = "",
        device: str = "cpu",
    ) -> None:
        self.settings = settings
        self.parts = dict(parts)
        self.sketch = sketch
        self.boxes = boxes
        self.device = device

    @property
    def promise(self) -> Promise:
        """Vectors of whole videos: of the sketch, or of all parts beside each other."""
        dim = sum(part.dim for part in self.parts.values()) if self.sketch is None else self.sketch.dim
        return Promise(views=(WholeVideo(),), shape=(dim,))

    def encode(self, batch: VideoBatch) -> Tensor:
        """Encode clips, each as a whole video without boxes, as (B, dim) float32."""
        clips = (grey(clip.permute(1, 2, 3, 0)) for clip in batch.clips)
        if on_cuda(self.device):
            trajectories = extract_many(clips, self.settings, device=self.device)
        else:
            trajectories = [extract(clip, self.settings) for clip in clips]
        groups = [self._encode(group) for _, group in _groups([each.table for each in trajectories])]
        return torch.cat(groups).to(batch.clips.device)

    def encode_videos(self, split: Split, done: Container[int]) -> Iterator[tuple[int, Tensor]]:
        """Encode the videos that are not `done`: position and (dim,) float32.

        Trajectories that are not on disk are computed.

        Raises:
            DataError: when a video does not decode.
        """
        left = [position for position in range(len(split)) if position not in done]
        tables = Tables(self.settings, self.device, self.boxes).load(split, left)
        empty = sum(len(table) == 0 for table in tables)
        if empty:
            progress.say(f"{empty} of {len(left)} videos of {split.name} have no trajectories: their vector is zero")
        for first, group in _groups(tables):
            yield from zip(left[first:], self._encode(group), strict=False)

    def _encode(self, group: Sequence[NDArray[np.float32]]) -> Tensor:
        """Encode tables together, (V, dim) float32."""
        counts = [len(table) for table in group]
        x = torch.from_numpy(stack(group, sum(counts)))
        segments = offsets(counts)
        parts = [part(x[:, columns(name)], segments) for name, part in self.parts.items()]
        joined = torch.cat(parts, dim=1).float()
        return joined if self.sketch is None else self.sketch.project(joined)

    def illustrations(self, split: Split) -> dict[str, bytes]:
        """Draw some videos' trajectories: `trajectories.png`, `trajectories.mp4`."""
        return illustrations(split, self.settings, self.boxes)

    def save(self, folder: Path) -> None:
        """Write everything into `folder`: tensors as safetensors, the rest as JSON."""
        fitted: dict[str, store.Fitted] = {} if self.sketch is None else {"sketch": self.sketch}
        parts: list[tuple[str, str]] = []
        for name, part in self.parts.items():
            if isinstance(part, Words):
                parts.append((name, "words"))
                fitted[f"{name}-words"] = part.centres
            else:
                parts.append((name, part.form))
                fitted |= {f"{name}-pca": part.pca, f"{name}-gmm": part.gmm}
        device = torch.device(self.device).type
        options = {"settings": asdict(self.settings), "parts": parts, "boxes": self.boxes, "device": device}
        store.save(fitted, folder, options)

    @classmethod
    def load(cls, folder: Path) -> TrajectoryEncoder:
        """Load the encoder that `save` wrote.

        Raises:
            DataError: when a file is missing, or not what was written.
        """
        stored, options = store.load(folder)
        fitted: dict[str, Any] = dict(stored)
        try:
            device = stored_device(options["device"])
            if on_cuda(device):
                fitted = dict(store.load(folder, device)[0])
            parts = {
                name: Words(fitted[f"{name}-words"])
                if kind == "words"
                else Fisher(fitted[f"{name}-pca"], fitted[f"{name}-gmm"], kind)
                for name, kind in options["parts"]
            }
            return cls(Settings(**options["settings"]), parts, fitted.get("sketch"), options["boxes"], device)
        except (ValueError, KeyError, TypeError) as error:
            msg = f"{folder}: the stored encoder cannot be read ({error}); delete the folder and run again"
            raise DataError(msg) from error


def columns(name: str) -> slice:
    """Return the columns of a descriptor, or of all descriptors as one.

    >>> columns("joint"), columns("hog")
    (slice(10, 436, None), slice(40, 136, None))
    """
    return span("shape", "mbh_y") if name == JOINT else COLUMNS[name]


def _groups(tables: Sequence[NDArray[np.float32]]) -> Iterator[tuple[int, Sequence[NDArray[np.float32]]]]:
    """Group tables of up to `ROWS` rows together, with the position of the first."""
    first = rows = 0
    for index, table in enumerate(tables):
        if index > first and rows + len(table) > ROWS:
            yield first, tables[first:index]
            first, rows = index, 0
        rows += len(table)
    if first < len(tables):
        yield first, tables[first:]
