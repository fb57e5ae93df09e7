"""A model of MTEB as an encoder of whole videos."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from harness.bridges.models.decoder import Decoder
from harness.cards import WholeVideo
from harness.errors import PluginError
from harness.interfaces import Split
from harness.system import files
from harness.system.seeding import seeded
from harness.values import Promise, VideoBatch

RECORD = "mteb.json"
"""File that a stored encoder consists of; the weights stay where MTEB keeps them."""
PROBE = (3, 64, 64, 64)
"""Shape (3, T, H, W) of the black video that tells the length of vectors."""
PROBE_RATE = 25.0
"""Its frames a second."""


class MtebEncoder:
    """Model of MTEB that is handed one video after the other, as MTEB's own tasks do.

    It sees whole videos: MTEB hands over decoders, and each model chooses and resizes frames by itself. Frames are read
    through the split as RGB at the file's size. No video shares a batch with another, because some models give a
    vector that depends on what lies beside it. Models that take instructions are told of a video classification.

    Args:
        model: has MTEB's `encode`.
        about: name, revision and version of MTEB, which `save` writes.
        device: that the model was loaded on.

    Raises:
        PluginError: when the model gives something else than a vector.
    """

    def __init__(self, model: Any, about: Mapping[str, str], device: str = "cpu") -> None:
        self.model = model
        self.about = dict(about)
        self.device = device
        black = Decoder.of_clip(torch.zeros(PROBE, dtype=torch.uint8), PROBE_RATE)
        (dim,) = self._vector(black).shape
        self.promise = Promise(views=(WholeVideo(),), shape=(dim,))

    def encode(self, batch: VideoBatch) -> Tensor:
        """Encode clips, each as a whole video of no known rate, as (B, dim) float32.

        Raises:
            UsageError: when the model chooses frames by their time.
        """
        vectors = [self._vector(Decoder.of_clip(clip)) for clip in batch.clips]
        return torch.stack(vectors).to(batch.clips.device)

    def encode_videos(self, split: Split, done: Container[int]) -> Iterator[tuple[int, Tensor]]:
        """Encode the videos that are not `done`: position and (dim,) float32.

        Raises:
            DataError: when a video does not decode.
        """
        for position in range(len(split)):
            if position not in done:
                yield position, self._vector(Decoder.of_split(split, position))

    def save(self, folder: Path) -> None:
        """Write which model it is."""
        files.write_json(folder / RECORD, self.about)

    def _vector(self, video: Decoder) -> Tensor:
        """Vector (dim,) float32 of a video, on the CPU."""
        rows: Any = _Rows(video)
        loader: DataLoader[Any] = DataLoader(rows, batch_size=1, collate_fn=_listed)
        with torch.no_grad(), seeded(0):  # loaders draw seeds, and models may draw frames
            given = self.model.encode(
                loader, task_metadata=self._task, hf_split="test", hf_subset="default", show_progress_bar=False
            )
        vectors = given.detach() if isinstance(given, Tensor) else torch.from_numpy(np.array(given))
        if vectors.ndim != 2 or len(vectors) != 1:
            msg = f"model {self.about['model']!r} of MTEB: expected a vector (1, dim) of one video, got {vectors.shape}"
            raise PluginError(msg)
        return vectors[0].float().cpu()

    @cached_property
    def _task(self) -> Any:
        """MTEB's metadata of a task of videos alone."""
        from mteb.abstasks.task_metadata import TaskMetadata

        return TaskMetadata(
            name="VideoHarness",
            description="Videos of a data set.",
            dataset={"path": "video-harness/videos", "revision": "1"},
            type="VideoClassification",
            category="v2c",
            eval_splits=["test"],
            eval_langs=["zxx-Zxxx"],  # no linguistic content
            main_score="accuracy",
            modalities=["video"],
        )


class _Rows:
    """Data set of one row, given as a new dictionary, which MTEB changes."""

    features = ("video",)

    def __init__(self, video: Decoder) -> None:
        self._video = video

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> dict[str, Decoder]:
        return {"video": self._video}


def _listed(rows: list[dict[str, Decoder]]) -> dict[str, list[Decoder]]:
    """Collation of MTEB where a model sets none."""
    return {"video": [row["video"] for row in rows]}
