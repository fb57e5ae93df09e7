"""CIFAR-10 and CIFAR-100 as published for Python: pickles that execute nothing."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.datasets import cards
from harness.datasets.located import LocatedDataset
from harness.datasets.splits import ArraySplit, describe_images
from harness.errors import DataError, unknown

if TYPE_CHECKING:
    from harness.cards import DatasetCard
    from harness.values import Video

SIDE = 32
PIXELS = 3 * SIDE * SIDE
"""Bytes of an image: all red ones row by row, then green, then blue."""

FILE_BYTES = 2**28
"""No published file is larger; the largest has 155 MB."""


@dataclass(frozen=True, slots=True)
class Layout:
    """File names and keys of a variant."""

    folder: str
    files: Mapping[str, tuple[str, ...]]
    """Files of each split, in order."""
    names: str
    """The file with the names of the classes."""
    labels: Mapping[str, tuple[bytes, bytes]]
    """Keys of the numbers and of the names of each kind of label."""


class CIFAR10(LocatedDataset):
    """60,000 colour images of 32 x 32 pixels in 10 classes of things, 6,000 of each.

    The label is called `action`.

    Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

    On disk: `cifar-10-batches-py/{data_batch_1..5,test_batch,batches.meta}`; the place told may be that folder or the
    one that holds it. The files are pickles, which can contain programs: these are read as data, and anything but
    lists, numbers, texts and arrays of bytes is refused before it runs.
    """

    card: ClassVar[DatasetCard] = cards.CIFAR10
    layout: ClassVar[Layout] = Layout(
        "cifar-10-batches-py",
        {"train": tuple(f"data_batch_{number}" for number in range(1, 6)), "test": ("test_batch",)},
        "batches.meta",
        {"action": (b"labels", b"label_names")},
    )

    @cached_property
    def folder(self) -> Path:
        """The folder of the batches.

        Raises:
            UsageError: when nothing says where the data set lies.
            DataError: when it is not there.
        """
        return self.holding(self.layout.names, (self.layout.folder, ""), "unpack the version for Python there")

    def split(self, name: str) -> ArraySplit:
        """Labelled split `name`, `train` or `test`, in the published order.

        Raises:
            UsageError: when there is no such split, or nothing says where the data set lies.
            DataError: when a file is missing, is no pickle of such arrays, or asks for anything to be executed.
        """
        if name not in self.layout.files:
            raise unknown("split", name, self.layout.files)
        classes = self._classes()
        videos: list[Video] = []
        images = []
        for file in self.layout.files[name]:
            path = self.folder / file
            content = unpickled(path)
            pictures = _images(content, path)
            sizes = {kind: len(names) for kind, names in classes.items()}
            labels = {
                kind: _labels(content, path, key, count=len(pictures), classes=sizes[kind])
                for kind, (key, _) in self.layout.labels.items()
            }
            videos += describe_images(path, pictures, labels, prefix=file)
            images.append(pictures)
        return ArraySplit(name, tuple(videos), np.concatenate(images), classes)

    def _classes(self) -> dict[str, tuple[str, ...]]:
        path = self.folder / self.layout.names
        content = unpickled(path)
        classes = {}
        for kind, (_, key) in self.layout.labels.items():
            names = content.get(key)
            if not isinstance(names, list) or not names or not all(isinstance(name, bytes) for name in names):
                msg = f"{path}: has no list of names {key.decode()!r}; get the official version for Python"
                raise DataError(msg)
            classes[kind] = tuple(name.decode("utf-8", "replace") for name in names)
        return classes


class CIFAR100(CIFAR10):
    """60,000 colour images of 32 x 32 pixels in 100 fine and 20 coarse classes.

    The fine label is called `action`, as everywhere, the coarse one `coarse`.

    Source: Krizhevsky, "Learning multiple layers of features from tiny images", 2009.

    On disk: `cifar-100-python/{train,test,meta}`, else as `CIFAR10`.
    """

    card: ClassVar[DatasetCard] = cards.CIFAR100
    layout: ClassVar[Layout] = Layout(
        "cifar-100-python",
        {"train": ("train",), "test": ("test",)},
        "meta",
        {"action": (b"fine_labels", b"fine_label_names"), "coarse": (b"coarse_labels", b"coarse_label_names")},
    )


def unpickled(path: Path) -> dict[Any, Any]:
    """Read a pickle of dictionaries, lists, numbers, texts and arrays of bytes.

    It is read as data: nothing is executed.

    Raises:
        DataError: when the file is missing, too large or broken, holds something else, or names a function or class.
    """
    try:
        if path.stat().st_size > FILE_BYTES:
            msg = f"{path}: has more than {FILE_BYTES} bytes, so it is no file of CIFAR; get the official version"
            raise DataError(msg)
        content = _Reader(path).load()
    except (DataError, MemoryError):
        raise
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); get the official version for Python"
        raise DataError(msg) from error
    except Exception as error:  # a broken pickle raises nearly anything
        msg = f"{path}: is no pickle that can be read ({type(error).__name__}: {error}); get the official version"
        raise DataError(msg) from error
    if not isinstance(content, dict):
        msg = f"{path}: holds a {type(content).__name__} instead of a dictionary; get the official version for Python"
        raise DataError(msg)
    return content


# In Python, not C: a number in a pickle can make the one in C fill all memory with its table of what was seen.
class _Reader(pickle._Unpickler):
    """Unpickler with stand-ins for the names in an array's pickle, and for no others."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.BytesIO(path.read_bytes()), encoding="bytes")
        self._path = path
        self._known = _stand_ins()

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._known[module, name]
        except KeyError:
            msg = f"{self._path}: asks for {module}.{name}, which no file of CIFAR does; it may be an attack: delete it"
            raise DataError(msg) from None


class _Pickled:
    """An array, or its type, in the pickle's description."""

    def __init__(self, *description: Any) -> None:
        self.description = description
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _stand_ins() -> dict[tuple[str, str], Callable[..., Any] | str]:
    """Make a stand-in for each name, for one file: a pickle may write into them."""

    def described(*description: Any) -> _Pickled:
        return _Pickled(*description)

    def encoded(text: Any, encoding: Any) -> bytes:
        """Encode text as bytes: Python 3 writes the bytes of old protocols so."""
        if not isinstance(text, str) or encoding not in ("latin1", b"latin1"):
            msg = "bytes that are written in another way than as latin1"
            raise ValueError(msg)
        return text.encode("latin1")

    made: dict[tuple[str, str], Callable[..., Any] | str] = {
        ("numpy", "ndarray"): "numpy.ndarray",
        ("numpy", "dtype"): described,
        ("_codecs", "encode"): encoded,
    }
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        made[module, "_reconstruct"] = described
    return made


def _images(content: Mapping[Any, Any], path: Path) -> NDArray[np.uint8]:
    """Reshape the file's array (N, 3072) to (N, 32, 32, 3)."""
    match content.get(b"data"):
        case _Pickled(
            state=(_, (int(count), shape), _Pickled(description=("u1" | b"u1", *_)), by_columns, bytes(pixels))
        ) if shape == PIXELS and len(pixels) == count * PIXELS > 0:
            flat = np.frombuffer(pixels, np.uint8)
            rows = flat.reshape(PIXELS, count).T if by_columns else flat.reshape(count, PIXELS)
            return np.ascontiguousarray(rows.reshape(count, 3, SIDE, SIDE).transpose(0, 2, 3, 1))
    msg = f"{path}: has no array `data` of {PIXELS} bytes for each image; get the official version for Python"
    raise DataError(msg)


def _labels(content: Mapping[Any, Any], path: Path, key: bytes, *, count: int, classes: int) -> Sequence[int]:
    labels = content.get(key)
    if not isinstance(labels, list) or len(labels) != count:
        got = f"{len(labels)}" if isinstance(labels, list) else "none"
        msg = f"{path}: {count} images need as many {key.decode()!r}, it has {got}; get the official version for Python"
        raise DataError(msg)
    for position, label in enumerate(labels):
        if type(label) is not int or not 0 <= label < classes:
            msg = (
                f"{path}: the label of image {position} is {label!r}, not from 0 to {classes - 1}; get the official one"
            )
            raise DataError(msg)
    return labels
