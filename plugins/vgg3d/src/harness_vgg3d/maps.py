"""Outputs of a frozen image network for the frames of videos, kept on disk."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from harness.cards import View
from harness.datasets.split_views import Subset
from harness.errors import DataError
from harness.system import files, paths, progress
from harness.system.code import code_hash
from harness.system.hashing import digest
from harness.video.anonymous import content_name
from harness.video.loader import clips
from harness.video.transforms import normalise

if TYPE_CHECKING:
    from harness.interfaces import Split
    from harness.values import Inputs, Video

BATCH = 4
"""Videos computed at a time."""
LARGE = 10**9
"""Bytes of maps from which on their size is said before they are computed."""


@dataclass(frozen=True, slots=True)
class FrameMaps:
    """Maps of frames of videos, one file a video, in half precision.

    A file is named by what its video shows and lies in a folder of its network, so that folds, seeds and trainings
    share it. It is there whole or not at all: what is done stays done when the process is killed.

    Args:
        network: normalised float clips (B, 3, T, H, W) -> (B, c, T, ...), frozen; on its device.
        inputs: of the network, with a view of one clip and crop.
    """

    network: nn.Module
    inputs: Inputs

    @property
    def folder(self) -> Path:
        """Folder of the network's files."""
        kinds = {type(module) for module in self.network.modules()}
        code = code_hash(__name__, *(kind for kind in kinds if not kind.__module__.startswith("torch.")))
        content = {"weights": _weights(self.network), "layers": repr(self.network), "inputs": asdict(self.inputs)}
        return paths.home() / "frame_maps" / digest({**content, "code": code})

    def of(self, split: Split, *, rank: int = 0, world: int = 1) -> StoredMaps:
        """Maps of a split's videos, computing those that are not on disk.

        Args:
            split: whose videos.
            rank: number of this process, which computes its share.
            world: number of processes.

        Raises:
            DataError: when a video does not decode, the disk has not the room, or a map is NaN, infinite or too large
                for half precision.
        """
        folder = self.folder
        assert isinstance(self.inputs.view, View)  # methods that concatenate frames make it
        files_of_videos = tuple(_path(folder, split, video) for video in split.videos)
        stored = StoredMaps(files_of_videos, self.inputs.view.frames)
        share = range(rank, len(stored.paths), world)  # by position: others may be writing theirs already
        missing = [position for position in share if not stored.paths[position].exists()]
        if missing:
            self._compute(Subset(split, missing), [stored.paths[position] for position in missing])
        return stored

    @torch.no_grad()
    def _compute(self, split: Split, targets: Sequence[Path]) -> None:
        view = self.inputs.view
        assert isinstance(view, View)  # methods that concatenate frames make it
        device = next(self.network.parameters()).device
        self.network.eval()
        with contextlib.ExitStack() as stack:
            bar = stack.enter_context(progress.bar("maps of frames", total=len(targets)))
            reading = clips(split, view, batch_size=BATCH, device=str(device))
            for first, batch in stack.enter_context(contextlib.closing(reading)):
                maps = self.network(normalise(batch, self.inputs)).movedim(1, -1).half().cpu()  # (B, T, ..., c)
                for position, values in enumerate(maps, first):
                    if not bool(values.isfinite().all()):
                        msg = f"the frame maps of video {split.videos[position].id!r} are NaN or infinite as float16"
                        raise DataError(msg)
                    if not position:
                        _expect_room(targets[0].parent, values.nbytes * len(targets))
                    with files.replacing(targets[position]) as temporary, temporary.open("wb") as file:
                        np.save(file, values.numpy())
                    bar.advance()


@dataclass(frozen=True, slots=True)
class StoredMaps:
    """Maps on disk of the videos of a split."""

    paths: tuple[Path, ...]
    frames: int
    """Frames of each."""

    def read(self, positions: Sequence[int]) -> Tensor:
        """Read maps as (B, c, T, ...) float16, channels last in memory.

        Raises:
            DataError: when a file is missing or damaged.
        """
        maps = [self._mapped(self.paths[position]) for position in positions]
        return torch.from_numpy(np.stack(maps)).movedim(-1, 1)

    def _mapped(self, path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.float16]]:
        try:
            stored: np.ndarray[tuple[int, ...], np.dtype[np.float16]] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            msg = f"{path}: the maps of a video cannot be read ({error}); delete the file and run again"
            raise DataError(msg) from error
        if stored.dtype != np.float16 or stored.shape[:1] != (self.frames,):
            msg = (
                f"{path}: expected maps of {self.frames} frames as float16, got {stored.shape} {stored.dtype}; "
                "delete the file and run again"
            )
            raise DataError(msg)
        return stored


def _path(folder: Path, split: Split, video: Video) -> Path:
    name = content_name(video) if video.content else digest({"split": split.manifest, "video": video.id})
    return folder / name[:2] / f"{name}.npy"


def _weights(network: nn.Module) -> str:
    """Hash of all weights and buffers of a network."""
    sha = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        sha.update(name.encode())
        sha.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()


def _expect_room(folder: Path, size: int) -> None:
    """Expect the disk to have `size` bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    needs = f"frame maps of {size / 1e9:,.1f} GB in {folder.parent}, which has {free / 1e9:,.1f} GB free"
    if size > free:
        msg = f"{needs}: set HARNESS_HOME to a larger disk"
        raise DataError(msg)
    if size >= LARGE:
        progress.say(needs)
