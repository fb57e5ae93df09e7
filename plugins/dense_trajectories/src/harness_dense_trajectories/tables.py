"""Trajectories of videos on disk: computed once by worker processes, named by what they are computed from."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from harness.datasets.splits import VideoSplit
from harness.errors import DataError
from harness.system import files, paths, processes, progress
from harness.system.hashing import digest, source_hash
from harness.video.decode import decoder
from harness_dense_trajectories.boxes import read_boxes
from harness_dense_trajectories.extract import extract
from harness_dense_trajectories.many import extract_many, on_cuda
from harness_dense_trajectories.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from harness.interfaces import Split, Video

PATIENCE = 3600.0
"""Seconds that a worker may take for one video before it is killed."""

Job = tuple[int, "NDArray[np.uint8]", Path, Path | None]
"""Position of a video, its grey frames (T, H, W), the file that its table goes to, and that of humans' boxes."""


@dataclass(frozen=True, slots=True)
class Tables:
    """The trajectories of whole videos, (n, 436) float32 each, memory-mapped from files of their own.

    Args:
        settings: of the extractor.
        device: on CUDA the workers describe what they follow there; these tables have names of their own.
        boxes: the name of humans' boxes, which the camera's motion is not estimated from, see `humans_of`; "" for none.
    """

    settings: Settings
    device: str = "cpu"
    boxes: str = ""

    def of(self, split: Split, chosen: Sequence[int] | None = None) -> list[NDArray[np.float32]]:
        """The table of each video of `split`, in its order; those that are not on disk are computed first.

        A file is there whole or not at all, so that what is done stays done when the process is killed.

        Args:
            split: whose videos.
            chosen: positions of some of them, in another order; all when None.

        Raises:
            DataError: when a video does not decode, its boxes are missing or not what they should be, or a worker
                crashed or hung on it, naming the video.
        """
        chosen = range(len(split)) if chosen is None else chosen
        targets: dict[int, Path] = {}
        work = functools.partial(_compute, settings=self.settings, device=self.device)
        with progress.bar(f"trajectories of {split.name}", total=len(chosen)) as bar:
            for (index, *_), outcome in processes.imap_isolated(
                work, self._jobs(split, chosen, targets, bar), timeout=PATIENCE
            ):
                video = split.videos[index].id
                if isinstance(outcome, Exception):
                    msg = f"video {video!r}: its trajectories are not computed ({outcome}); leave it out"
                    raise DataError(msg) from outcome
                bar.advance(note=video)
        return [np.load(targets[index], mmap_mode="r", allow_pickle=False) for index in chosen]

    def _jobs(self, split: Split, chosen: Sequence[int], targets: dict[int, Path], bar: progress.Bar) -> Iterator[Job]:
        """What is not on disk; `targets` learns where each table is."""
        recipe = self._recipe()
        for index in chosen:
            frames = None
            if isinstance(split, VideoSplit) and split.videos[index].box is None:
                content = split.digests[split.videos[index].id]
            else:
                frames = split.read(index)
                content = hashlib.sha256(frames.numpy().tobytes()).hexdigest()
            humans = humans_of(self.boxes, split.videos[index])
            around = {} if humans is None else {"boxes": hashlib.sha256(humans.read_bytes()).hexdigest()}
            name = digest({"content": content, **around, **recipe})
            targets[index] = paths.home() / "trajectories" / name[:2] / f"{name}.npy"
            if targets[index].exists():
                bar.advance()
            else:
                yield index, grey(split.read(index) if frames is None else frames), targets[index], humans

    def _recipe(self) -> dict[str, Any]:
        code = source_hash(f"harness_dense_trajectories.{'many' if on_cuda(self.device) else 'extract'}")
        return {"settings": asdict(self.settings), "code": code, "decoder": decoder(), "opencv": cv2.__version__}


def grey(frames: Tensor) -> NDArray[np.uint8]:
    """RGB frames (T, H, W, 3) uint8 as grey ones (T, H, W) uint8, by the weights of ITU-R BT.601."""
    return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames.cpu().numpy()])


def humans_of(boxes: str, video: Video) -> Path | None:
    """The file that `read_boxes` reads the boxes of a video from, of those named `boxes`; None when they are "".

    Those of `Biking/v_Biking_g01_c01.avi` are in `$HARNESS_HOME/boxes/NAME/Biking/v_Biking_g01_c01.npz`, or `.json`.

    Raises:
        DataError: when there is no such file.
    """
    if not boxes:
        return None
    folder = paths.home() / "boxes" / boxes / video.path.parent.name
    for suffix in (".npz", ".json"):
        path = folder / (video.path.stem + suffix)
        if path.is_file():
            return path
    msg = f"{video.path}: no boxes at {folder / video.path.stem}.npz or .json; write them there, or leave `boxes` out"
    raise DataError(msg)


def _compute(job: Job, settings: Settings, device: str) -> None:
    _, frames, target, humans = job
    boxes = None if humans is None else read_boxes(humans, len(frames))
    if on_cuda(device):
        (found,) = extract_many([frames], settings, boxes=[boxes], device=device)
    else:
        found = extract(frames, settings, boxes=boxes)
    with files.replacing(target) as temporary, temporary.open("wb") as file:
        np.save(file, found.table, allow_pickle=False)
