"""From the trajectories of a video to its vector."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from harness.cards import View
from harness.errors import DataError
from harness.system import files, progress
from harness_dense_trajectories import store
from harness_dense_trajectories.columns import COLUMNS
from harness_dense_trajectories.encodings import Encoding, Fisher, Words
from harness_dense_trajectories.extract import extract
from harness_dense_trajectories.many import extract_many, on_cuda
from harness_dense_trajectories.pictures import illustrations
from harness_dense_trajectories.segments import offsets
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.tables import Tables, grey

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.interfaces import Split, VideoBatch
    from harness_dense_trajectories.sketch import Sketch

DESCRIPTORS = ("shape", "hog", "hof", "mbh_x", "mbh_y")
JOINT = "joint"
"""The name of all descriptors as one."""

DESCRIPTION = "trajectories.json"
ROWS = 2**18
"""Trajectories encoded at a time."""


class TrajectoryEncoder:
    """The vectors of the trajectories of whole videos.

    A video without trajectories (shorter than 16 frames, static, without texture) has the zero vector; how many these
    are is said on stderr.

    Args:
        settings: of the extractor.
        parts: for `joint` or each descriptor, what it is encoded by; their vectors follow each other.
        sketch: to fewer dimensions, after all else; None keeps them.
        boxes: the name of humans' boxes, which the camera's motion is not estimated from; "" for none.
        device: on CUDA tubes are described there.
    """

    view = View(whole=True)

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
    def dim(self) -> int:
        """That of the sketch, or of all parts together."""
        return sum(part.dim for part in self.parts.values()) if self.sketch is None else self.sketch.dim

    def encode(self, batch: VideoBatch) -> Tensor:
        """(B, dim) float32 of clips (B, C, T, H, W), each taken for a whole video in which nobody has a box."""
        clips = (grey(clip.permute(1, 2, 3, 0)) for clip in batch.clips)
        if on_cuda(self.device):
            found = extract_many(clips, self.settings, device=self.device)
        else:
            found = [extract(clip, self.settings) for clip in clips]
        return self._encoded([each.table for each in found]).to(batch.clips.device)

    def encode_videos(self, split: Split) -> Tensor:
        """(N, dim) float32; trajectories that are not on disk are computed first, by worker processes.

        Raises:
            DataError: when a video does not decode.
        """
        tables = Tables(self.settings, self.device, self.boxes).of(split)
        empty = sum(len(table) == 0 for table in tables)
        if empty:
            progress.say(f"{empty} of {len(split)} videos of {split.name} have no trajectories: their vector is zero")
        return self._encoded(tables)

    def _encoded(self, tables: Sequence[NDArray[np.float32]]) -> Tensor:
        vectors = torch.zeros(len(tables), self.dim)
        for first, group in _groups(tables):
            x = torch.from_numpy(np.concatenate(group))
            segments = offsets([len(table) for table in group])
            found = [part(x[:, columns(name)], segments) for name, part in self.parts.items()]
            joined = torch.cat(found, dim=1).float()
            vectors[first : first + len(group)] = joined if self.sketch is None else self.sketch.project(joined)
        return vectors

    def illustrations(self, split: Split) -> dict[str, bytes]:
        """Trajectories over frames of some videos of `split`: `trajectories.png` and `trajectories.mp4`."""
        return illustrations(split, self.settings, self.boxes)

    def save(self, folder: Path) -> None:
        """Write everything into `folder`: tensors as safetensors, the rest as JSON."""
        fitted: dict[str, store.Fitted] = {}
        parts: list[tuple[str, str]] = []
        for name, part in self.parts.items():
            if isinstance(part, Words):
                parts.append((name, "words"))
                fitted[f"{name}-words"] = part.centres
            else:
                parts.append((name, part.form))
                fitted |= {f"{name}-pca": part.pca, f"{name}-gmm": part.gmm}
        store.save(fitted if self.sketch is None else {**fitted, "sketch": self.sketch}, folder)
        described = {
            "settings": asdict(self.settings),
            "parts": parts,
            "boxes": self.boxes,
            "device": torch.device(self.device).type,
        }
        files.write_json(folder / DESCRIPTION, described)

    @classmethod
    def load(cls, folder: Path) -> TrajectoryEncoder:
        """What `save` wrote.

        Raises:
            DataError: when a file is missing, or not what was written.
        """
        fitted: Any = store.load(folder)
        try:
            described = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
            parts = {
                name: Words(fitted[f"{name}-words"])
                if kind == "words"
                else Fisher(fitted[f"{name}-pca"], fitted[f"{name}-gmm"], kind)
                for name, kind in described["parts"]
            }
            device = described["device"] if torch.cuda.is_available() else "cpu"
            settings = Settings(**described["settings"])
            return cls(settings, parts, fitted.get("sketch"), described["boxes"], device)
        except (OSError, ValueError, KeyError, TypeError) as error:
            msg = f"{folder}: the stored encoder cannot be read ({error}); delete the folder and run again"
            raise DataError(msg) from error


def columns(name: str) -> slice:
    """The columns of a descriptor, or of all descriptors as one.

    >>> columns("joint"), columns("hog")
    (slice(10, 436, None), slice(40, 136, None))
    """
    if name == JOINT:
        return slice(COLUMNS[DESCRIPTORS[0]].start, COLUMNS[DESCRIPTORS[-1]].stop)
    return COLUMNS[name]


def _groups(tables: Sequence[NDArray[np.float32]]) -> Iterator[tuple[int, list[NDArray[np.float32]]]]:
    """Tables of up to `ROWS` rows together, and the position of the first."""
    group: list[NDArray[np.float32]] = []
    for index, table in enumerate(tables):
        if group and sum(map(len, group)) + len(table) > ROWS:
            yield index - len(group), group
            group = []
        group.append(np.asarray(table))
    if group:
        yield len(tables) - len(group), group
