"""Trajectories of a split's videos on disk, computed once by worker processes."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import cv2
import numpy as np

from harness.errors import DataError, out_of_memory
from harness.system import files, paths, processes, progress
from harness.system.code import code_hash
from harness.system.hashing import digest
from harness.video.decode import decoder
from harness_dense_trajectories.boxes import find_boxes, read_boxes
from harness_dense_trajectories.extract import extract
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.trajectories import WIDTH

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from harness.interfaces import Split
    from harness.values import Budget

TIMEOUT = 3600.0
"""Seconds that a worker may take for one video before it is killed."""

CONTEXTS = 8
"""Most workers of a CUDA device: each holds a context of half a gigabyte there."""

Job = tuple[int, "NDArray[np.uint8]", Path, Path | None]
"""Position of a video, grey frames (T, H, W), file of its table and of boxes."""


@dataclass(frozen=True, slots=True)
class Tables:
    """Tables of the trajectories of whole videos, memory-mapped from one file a video.

    Args:
        settings: of the extractor.
        device: on CUDA the workers describe tracks there; these tables have file names of their own.
        boxes: the name of humans' boxes, which the camera's motion is not estimated from, see `find_boxes`; "" for
            none.
    """

    settings: Settings
    device: str = "cpu"
    boxes: str = ""

    def load(self, split: Split, chosen: Sequence[int] | None = None) -> MappedTables:
        """Load the table (n, 436) of each video, computing those not on disk.

        A file is there whole or not at all, so that what is done stays done when the process is killed.

        Args:
            split: whose videos.
            chosen: positions of some of them, in another order; all when None.

        Raises:
            DataError: when a video does not decode, its boxes are missing or not what they should be, or a worker
                crashed or hung on it, naming the video.
            MemoryError: when a worker had no memory left, on the GPU or beside it.
        """
        chosen = range(len(split)) if chosen is None else chosen
        targets: dict[int, Path] = {}
        work = functools.partial(_compute, settings=self.settings, device=self.device)
        with progress.bar(f"trajectories of {split.name}", total=len(chosen)) as bar:
            jobs = self._jobs(split, chosen, targets, bar)
            # The GPU is this machine's; workers of a cluster need not have one.
            here = functools.partial(processes.imap_here, workers=min(processes.allowed_processors(), CONTEXTS))
            mapped = here if on_cuda(self.device) else processes.imap_isolated
            outcomes = mapped(work, jobs, timeout=TIMEOUT, size=lambda job: job[1].nbytes)
            for (index, *_), outcome in outcomes:
                video = split.videos[index].id
                if isinstance(outcome, Exception):
                    raise failure(f"video {video!r}: its trajectories are not computed", outcome) from outcome
                bar.advance(note=video)
        return MappedTables([targets[index] for index in chosen])

    def sample(self, train: Split, budget: Budget, per_video: int, *, videos: int, least: int) -> NDArray[np.float32]:
        """Draw rows (n, 436) of random videos, as many as the budget has frames for.

        Memory is that of the rows drawn, at most `videos * per_video` of them.

        Args:
            train: whose videos.
            budget: bounds the frames of the videos drawn; its seed draws them.
            per_video: largest number of rows of a video.
            videos: largest number of videos.
            least: smallest number of rows.

        Raises:
            DataError: when a video does not decode or has no boxes, or there are fewer than `least` rows.
        """
        random = np.random.default_rng(budget.seed)
        order = random.permutation(len(train))
        read = np.cumsum([train.videos[index].frames for index in order])
        paid = int(np.searchsorted(read, budget.frames, side="right"))
        tables = self.load(train, order[: max(1, min(paid, videos))].tolist())
        kept = [np.sort(random.permutation(len(table))[:per_video]) for table in tables]
        ends = np.cumsum([len(numbers) for numbers in kept])
        if ends[-1] < least:
            msg = (
                f"split {train.name!r} gave {ends[-1]} trajectories, fewer than the {least} components or words: ask "
                "for fewer, or learn from longer or larger videos"
            )
            raise DataError(msg)
        return stack((table[numbers] for table, numbers in zip(tables, kept, strict=True)), int(ends[-1]))

    def _jobs(self, split: Split, chosen: Sequence[int], targets: dict[int, Path], bar: progress.Bar) -> Iterator[Job]:
        """Yield jobs for tables not on disk; note every table's file in `targets`."""
        recipe = self._recipe()
        for index in chosen:
            video = split.videos[index]
            frames = None
            content = video.content
            if not content or video.box is not None:
                frames = split.read(index)
                content = hashlib.sha256(frames.numpy().tobytes()).hexdigest()
            humans = find_boxes(self.boxes, video)
            around = {} if humans is None else {"boxes": hashlib.sha256(humans.read_bytes()).hexdigest()}
            name = digest({"content": content, **around, **recipe})
            targets[index] = paths.home() / "trajectories" / name[:2] / f"{name}.npy"
            if targets[index].exists():
                bar.advance()
            else:
                yield index, grey(split.read(index) if frames is None else frames), targets[index], humans

    def _recipe(self) -> dict[str, Any]:
        code = code_hash(f"harness_dense_trajectories.{'many' if on_cuda(self.device) else 'extract'}")
        return {"settings": asdict(self.settings), "code": code, "decoder": decoder(), "opencv": cv2.__version__}


class MappedTables(Sequence["NDArray[np.float32]"]):
    """Tables (n, 436) of videos, each mapped from its file when it is asked for.

    None is held: a process may have fewer files open than a data set has videos.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths

    def __len__(self) -> int:
        return len(self._paths)

    @overload
    def __getitem__(self, index: int) -> NDArray[np.float32]: ...
    @overload
    def __getitem__(self, index: slice) -> MappedTables: ...
    def __getitem__(self, index: int | slice) -> NDArray[np.float32] | MappedTables:
        if isinstance(index, slice):
            return MappedTables(self._paths[index])
        path = self._paths[index]
        try:
            table: NDArray[np.float32] = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            msg = f"{path}: the trajectories of a video cannot be read ({error}); delete the file and run again"
            raise DataError(msg) from error
        return table


def stack(tables: Iterable[NDArray[np.float32]], count: int) -> NDArray[np.float32]:
    """Stack the `count` rows of tables, holding one table beside them.

    >>> stack((np.full((rows, WIDTH), rows) for rows in (1, 2)), 3)[:, 0]
    array([1., 2., 2.], dtype=float32)
    """
    rows = np.empty((count, WIDTH), np.float32)
    end = 0
    for table in tables:
        rows[end : end + len(table)] = table
        end += len(table)
    return rows


def failure(fault: str, error: Exception) -> Exception:
    """Build the error for a video that a worker failed on.

    >>> failure("video 'a': its trajectories are not computed", ValueError("too small"))
    DataError("video 'a': its trajectories are not computed (too small); leave it out")
    """
    if isinstance(error, DataError):  # which says what to do
        return DataError(f"{fault}: {error}")
    killed = isinstance(error, processes.CrashedError) and "SIGKILL" in str(error)  # as the system does for memory
    if killed or out_of_memory(error):
        return MemoryError(f"{fault} for want of memory ({error}); end what else needs it, and run again")
    return DataError(f"{fault} ({error}); leave it out")


def grey(frames: Tensor) -> NDArray[np.uint8]:
    """Convert RGB frames (T, H, W, 3) to grey ones (T, H, W) by ITU-R BT.601."""
    return np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames.cpu().numpy()])


def on_cuda(device: str) -> bool:
    """Tell whether `device` is a CUDA device, where tracks are described together.

    >>> on_cuda("cuda:1"), on_cuda("cpu")
    (True, False)
    """
    return device.partition(":")[0] == "cuda"


def stored_device(device: str) -> str:
    """Device of this process for what was stored as of `cpu` or `cuda`.

    On CUDA it is the current one with its number: workers have no current one of their own.
    """
    import torch  # workers start without it

    if not on_cuda(device) or not torch.cuda.is_available():
        return "cpu"
    return f"cuda:{torch.cuda.current_device()}"


def _compute(job: Job, settings: Settings, device: str) -> None:
    _, frames, target, humans = job
    boxes = None if humans is None else read_boxes(humans, len(frames))
    if on_cuda(device):
        from harness_dense_trajectories.many import extract_many

        (trajectories,) = extract_many([frames], settings, boxes=[boxes], device=device)
    else:
        trajectories = extract(frames, settings, boxes=boxes)
    with files.replacing(target) as temporary, temporary.open("wb") as file:
        np.save(file, trajectories.table, allow_pickle=False)
