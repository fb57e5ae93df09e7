"""Features on disk: written batch by batch, gone on with after a kill, and never half complete."""

from __future__ import annotations

import signal
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from harness.cards import View
from harness.encoders import frozen
from harness.encoders.frozen import CachedEncoder
from harness.errors import DataError
from harness.store import features
from harness.store.features import FeatureFile
from harness.testing import MovingSquares
from harness.values import Encoding, Promise

SHAPE = (10, 3)
VALUES = np.arange(30).reshape(SHAPE)
BATCH = 4
SPLIT = MovingSquares().split("test")


def write(file, dtype="float32", values=VALUES, upto=None):
    """Write the rows that are missing, a batch at a time; gives the rows that were."""
    rows, written = file.partial(values.shape, dtype)
    missing = [start for start in range(0, len(values), BATCH) if not written[start : start + BATCH].all()]
    for start in missing[:upto]:
        rows[start : start + BATCH] = values[start : start + BATCH]
        written[start : start + BATCH] = 1
    return missing


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_is_written_is_read_mapped(tmp_path, dtype):
    file = FeatureFile(tmp_path / "features", "k")
    assert file.read(10) is None
    write(file, dtype)
    complete = file.complete()
    assert names(tmp_path / "features") == ["k.npy"]
    for stored in (complete, file.read(10)):
        assert isinstance(stored, np.memmap)
        assert not stored.flags.writeable
        assert stored.dtype == dtype
        assert np.array_equal(stored, VALUES)
    assert np.array_equal(np.load(tmp_path / "features" / "k.npy"), VALUES)  # anybody can read it


def test_what_is_not_complete_is_not_read(tmp_path):
    file = FeatureFile(tmp_path, "k")
    write(file, upto=2)
    assert file.read(10) is None
    assert names(tmp_path) == ["k.partial.npy", "k.partial.rows"]


def test_a_disk_without_the_room_is_told_before_anything_is_written(tmp_path, monkeypatch, capsys):
    """UCF101 with 30 maps of 512 x 14 x 14 of each video: 160 GB."""
    shape = (13_320, 30, 512, 14, 14)
    free = SimpleNamespace(free=1e9)
    monkeypatch.setattr(features.shutil, "disk_usage", lambda folder: free)
    file = FeatureFile(tmp_path / "features", "key")
    with pytest.raises(DataError, match=r"features of 160\.4 GB in .*, which has 1\.0 GB free: .*float16"):
        file.partial(shape, "float32")
    assert list((tmp_path / "features").iterdir()) == []
    free.free = 81e9
    with pytest.raises(DataError, match=r"160\.4 GB"):
        file.partial(shape, "float32")
    values, _ = file.partial(shape, "float16")  # a file with holes
    assert values.shape == shape
    assert "features of 80.2 GB" in capsys.readouterr().err


def test_what_is_written_already_needs_no_room(tmp_path, monkeypatch):
    file = FeatureFile(tmp_path, "key")
    values, _ = file.partial((1000, 1000), "float32")
    values[:] = 1
    values.flush()
    monkeypatch.setattr(features.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1e5))
    file.partial((1000, 1000), "float32")
    with pytest.raises(DataError):
        FeatureFile(tmp_path, "other").partial((1000, 1000), "float32")


def test_what_is_discarded_is_gone(tmp_path):
    file = FeatureFile(tmp_path, "k")
    write(file, upto=2)
    file.discard()
    assert names(tmp_path) == []
    assert write(file) == [0, 4, 8]


WRITER = """
import os, signal, sys
import numpy as np
from pathlib import Path
from harness.store.features import FeatureFile

values, inside = np.arange(30).reshape(10, 3), sys.argv[2] == "inside"
rows, written = FeatureFile(Path(sys.argv[1]), "k").partial(values.shape, "float32")
rows[:4], written[:4] = values[:4], 1
if inside:
    rows[4:6] = -1.0
os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(script, *arguments):
    done = subprocess.run([sys.executable, "-c", script, *map(str, arguments)], check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize("where", ["between", "inside"])
def test_a_killed_process_is_gone_on_with(tmp_path, where):
    killed(WRITER, tmp_path / "killed", where)
    once, resumed = FeatureFile(tmp_path / "once", "k"), FeatureFile(tmp_path / "killed", "k")
    assert resumed.read(10) is None
    assert write(resumed) == [4, 8]
    write(once)
    once.complete()
    resumed.complete()
    assert (tmp_path / "killed" / "k.npy").read_bytes() == (tmp_path / "once" / "k.npy").read_bytes()


@pytest.mark.parametrize(
    ("shape", "dtype"), [((10, 2), "float32"), ((9, 3), "float32"), ((10, 3, 1), "float32"), ((10, 3), "float16")]
)
def test_the_partial_of_another_shape_or_type_is_not_used(tmp_path, shape, dtype):
    file = FeatureFile(tmp_path, "k")
    write(file, upto=2)
    values = 100 + np.arange(np.prod(shape)).reshape(shape)
    assert write(file, dtype, values) == [0, 4, 8]
    assert np.array_equal(file.complete(), values)


@pytest.mark.parametrize("lost", ["k.partial.npy", "k.partial.rows"])
@pytest.mark.parametrize("content", [None, b"", b"\x93NUMPY"])
def test_a_partial_that_cannot_be_read_is_begun_anew(tmp_path, lost, content):
    file = FeatureFile(tmp_path, "k")
    write(file, upto=2)
    (tmp_path / lost).unlink()
    if content is not None:
        (tmp_path / lost).write_bytes(content)
    assert write(file) == [0, 4, 8]
    assert np.array_equal(file.complete(), VALUES)


class Brightness:
    """The mean brightness of each frame; counts its batches."""

    promise = Promise(views=(View(frames=6, stride=2, size=24),), shape=(6,))

    def __init__(self):
        self.batches = 0

    def encode(self, batch):
        self.batches += 1
        return batch.clips.float().mean((1, 3, 4))


TWO = Encoding(clips=2)
ENCODER = """
import os, signal, sys
from pathlib import Path
from harness.encoders import frozen
from harness.values import Encoding, Promise
from harness.cards import View
from harness.testing import MovingSquares

class Killed:
    promise = Promise(views=(View(frames=6, stride=2, size=24),), shape=(6,))
    left = int(sys.argv[2])

    def encode(self, batch):
        if not self.left:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1
        return batch.clips.float().mean((1, 3, 4))

frozen.BATCH = 10
encoding = Encoding(precision=sys.argv[3], clips=2)
frozen.CachedEncoder(Killed(), key="x", folder=Path(sys.argv[1])).features(MovingSquares().split("test"), encoding)
"""


@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_an_encoding_that_was_killed_goes_on_with_the_same_bytes(tmp_path, monkeypatch, precision):
    monkeypatch.setattr(frozen, "BATCH", 10)
    killed(ENCODER, tmp_path / "killed", 3, precision)
    counts = []
    for folder in ("killed", "once"):
        encoder = Brightness()
        cached = CachedEncoder(encoder, key="x", folder=tmp_path / folder)
        cached.features(SPLIT, Encoding(precision=precision, clips=2))
        counts.append(encoder.batches)
    assert counts == [7 - 3, 7]  # 64 clips by tens; nothing twice
    (resumed,), (once,) = ([*(tmp_path / folder).iterdir()] for folder in ("killed", "once"))
    assert resumed.name == once.name
    assert resumed.read_bytes() == once.read_bytes()


@pytest.mark.parametrize(
    "damage", [lambda whole: whole[: len(whole) // 2], lambda whole: b"", lambda whole: b"x" * 200]
)
def test_a_damaged_file_is_encoded_again(tmp_path, capsys, damage):
    first = CachedEncoder(Brightness(), key="x", folder=tmp_path).features(SPLIT, TWO).per_clip()
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(damage(whole))
    encoder = Brightness()
    again = CachedEncoder(encoder, key="x", folder=tmp_path).features(SPLIT, TWO).per_clip()
    assert encoder.batches == 2
    assert torch.equal(again, first)
    assert path.read_bytes() == whole
    assert f"{path}: unreadable features" in capsys.readouterr().err


def test_a_file_of_another_shape_is_encoded_again(tmp_path, capsys):
    CachedEncoder(Brightness(), key="x", folder=tmp_path).features(SPLIT, TWO)
    (path,) = tmp_path.iterdir()
    np.save(path, np.zeros((5, 6), "float32"))
    encoder = Brightness()
    assert CachedEncoder(encoder, key="x", folder=tmp_path).features(SPLIT, TWO).per_clip().any()
    assert encoder.batches == 2
    assert "unreadable features" in capsys.readouterr().err
