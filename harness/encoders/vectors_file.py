"""Vectors of videos in a file, computed elsewhere, and their encoder.

The file is safetensors: a tensor `vectors` (N, D), float16 or float32, and in the metadata `videos`, a JSON list of the
N ids that the vectors are of.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import safetensors
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.cards import Elsewhere
from harness.errors import DataError, UsageError, out_of_memory
from harness.system import files
from harness.values import Promise, VideoBatch

VECTORS = "vectors"
VIDEOS = "videos"
FILE = "vectors.safetensors"
"""Name of the file in the folder of a fit."""
TYPES = {"F16": torch.float16, "F32": torch.float32}
"""Types of vectors by their names in safetensors."""
_CHUNK = 4096


def save_features(path: str | Path, vectors: Tensor | NDArray[Any], videos: Sequence[str]) -> None:
    """Write vectors that were computed elsewhere, for the method `features`.

    The file is there whole or not at all.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "mine.safetensors")
    ...     save_features(path, np.eye(2, 3, dtype=np.float32), ["walk/1", "run/1"])
    ...     read_vectors(path)[1]
    ('walk/1', 'run/1')

    Args:
        path: of the file.
        vectors: (N, D) finite, float16 or float32.
        videos: N ids of the data set, `Video.id`, each once.

    Raises:
        UsageError: when they are not so.
    """
    try:
        tensor = torch.as_tensor(vectors if isinstance(vectors, Tensor) else np.ascontiguousarray(vectors))
    except (TypeError, ValueError, RuntimeError) as error:
        if out_of_memory(error):
            raise
        msg = f"features {path}: expected vectors (N, D) in float16 or float32, got no such array ({error})"
        raise UsageError(msg) from error
    tensor = tensor.detach().cpu().contiguous()
    if isinstance(videos, str):
        msg = f"features {path}: expected a list of ids, one a vector, got the text {videos!r}"
        raise UsageError(msg)
    names = [*videos]
    wrong = _type_fault(tensor.dtype) or _fault(tuple(tensor.shape), names) or _not_finite(tensor, names)
    if wrong:
        msg = f"features {path}: {wrong}"
        raise UsageError(msg)
    with files.replacing(Path(path)) as temporary:
        safetensors.torch.save_file({VECTORS: tensor}, temporary, metadata={VIDEOS: json.dumps(names)})


def read_vectors(path: Path) -> tuple[Tensor, tuple[str, ...]]:
    """Read vectors (N, D) and the ids of their videos; no code of the file is run.

    Raises:
        DataError: when the file is missing, is not of the format, or says something wrong.
    """
    if not path.is_file():
        msg = f"features {path}: there is no such file; correct the path"
        raise DataError(msg)
    try:
        with safetensors.safe_open(path, "pt") as file:
            names = _names((file.metadata() or {}).get(VIDEOS))
            tensors = [*file.keys()]
            if tensors != [VECTORS]:
                raise _WrongError(f"expected one tensor {VECTORS!r}, got {', '.join(sorted(tensors)[:5]) or 'none'}")
            part = file.get_slice(VECTORS)
            wrong = _type_fault(TYPES.get(part.get_dtype(), part.get_dtype())) or _fault(tuple(part.get_shape()), names)
            if wrong:
                raise _WrongError(wrong)
            vectors: Tensor = file.get_tensor(VECTORS)
    except _WrongError as error:
        msg = f"features {path}: {error}"
        raise DataError(msg) from None
    except (safetensors.SafetensorError, OSError, RecursionError) as error:
        problem = " ".join(str(error).split())[:160]
        msg = f"features {path}: not a safetensors file ({problem}); write it with harness.save_features"
        raise DataError(msg) from error
    if wrong := _not_finite(vectors, names):
        msg = f"features {path}: {wrong}"
        raise DataError(msg)
    return vectors, tuple(names)


def _composed(video: str) -> str:
    """Write accents in one with their letters, as ids of data sets have them."""
    return unicodedata.normalize("NFC", video)


class VectorsEncoder:
    """Encoder that looks vectors up by the ids of videos, and sees no frame.

    Args:
        vectors: (N, D) float16 or float32.
        videos: N ids, each once.
    """

    def __init__(self, vectors: Tensor, videos: Sequence[str]) -> None:
        self._vectors = vectors
        self._videos = tuple(videos)
        self._places = {_composed(video): place for place, video in enumerate(self._videos)}

    @classmethod
    def read(cls, path: Path) -> VectorsEncoder:
        """Encoder of a file; errors as in `read_vectors`."""
        return cls(*read_vectors(path))

    @property
    def promise(self) -> Promise:
        """A vector a video, computed elsewhere."""
        return Promise(views=(Elsewhere(),), shape=(self._vectors.shape[1],))

    def vectors(self, videos: Sequence[str]) -> Tensor:
        """Vectors of videos, (N, D) float32.

        Raises:
            DataError: when a video has none.
        """
        missing = [video for video in videos if _composed(video) not in self._places]
        if missing:
            more = f" and {len(missing) - 1} more of {len(videos)}" if len(missing) > 1 else ""
            msg = (
                f"the file of features has no vector of video {missing[0]!r}{more}; its first is of "
                f"{self._videos[0]!r}: name vectors by `Video.id` of the data set"
            )
            raise DataError(msg)
        return self._vectors[[self._places[_composed(video)] for video in videos]].float()

    def encode(self, batch: VideoBatch) -> NoReturn:
        """Always raise: the network that computed the vectors is not available.

        Raises:
            UsageError: always.
        """
        msg = "vectors of a file were computed elsewhere, so that no further clip can be encoded"
        raise UsageError(msg)

    def save(self, folder: Path) -> None:
        """Write all vectors, so that the user's file is not needed again."""
        save_features(folder / FILE, self._vectors, self._videos)


class _WrongError(Exception):
    """Fault of a file in words."""


def _names(written: str | None) -> list[str]:
    """Ids as the metadata has them."""
    if written is None:
        raise _WrongError(f"its metadata has no {VIDEOS!r}, a JSON list of the ids of the videos")
    try:
        names = json.loads(written)
    except ValueError as error:
        raise _WrongError(f"its metadata {VIDEOS!r} is no JSON ({error})") from None
    if not isinstance(names, list):
        raise _WrongError(f"its metadata {VIDEOS!r} is no list, but {type(names).__name__}")
    return names


def _type_fault(kind: object) -> str:
    return "" if kind in TYPES.values() else f"expected vectors in float16 or float32, got {str(kind)[:20]}"


def _fault(shape: tuple[int, ...], names: Sequence[object]) -> str:
    """Describe what is wrong with shape or names; empty when nothing is."""
    if len(shape) != 2 or 0 in shape:
        return f"expected vectors (N, D), a row a video, got {shape}"
    if len(names) != shape[0]:
        return f"{shape[0]} vectors and {len(names)} ids of videos; each vector needs one"
    seen: set[object] = set()
    for place, name in enumerate(names):
        if not isinstance(name, str) or not name:
            return f"id {place} of its videos is {str(name)[:60]!r}, which is no text"
        if _composed(name) in seen:
            return f"video {name[:200]!r} has two vectors; leave one out"
        seen.add(_composed(name))
    return ""


def _not_finite(vectors: Tensor, names: Sequence[str]) -> str:
    for start in range(0, len(vectors), _CHUNK):
        finite = torch.isfinite(vectors[start : start + _CHUNK]).all(1)
        if not finite.all():
            return f"the vector of video {names[start + int(np.argmin(finite.numpy()))]!r} is NaN or infinite"
    return ""
