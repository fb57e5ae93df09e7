"""Features on disk: written batch by batch, gone on with after a kill, and never half complete."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from harness.cards import View
from harness.encoders import frozen
from harness.encoders.frozen import CachedEncoder
from harness.errors import StoreError
from harness.store import features
from harness.store.features import FeatureFile
from harness.system.checksums import checksum, row_checksums
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
        written[start : start + BATCH] = row_checksums(rows[start : start + BATCH])
    return missing


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_what_is_written_is_read_mapped(tmp_path, dtype):
    file = FeatureFile(tmp_path / "features", "k")
    assert file.read(10) is None
    write(file, dtype)
    complete = file.complete()
    assert names(tmp_path / "features") == ["k.npy", "k.verified"]
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
    monkeypatch.setattr(features, "_reserve", lambda path: None)  # a file with holes
    file = FeatureFile(tmp_path / "features", "key")
    with pytest.raises(StoreError, match=r"features of 160\.4 GB in .*, which has 1\.0 GB free: .*float16"):
        file.partial(shape, "float32")
    assert list((tmp_path / "features").iterdir()) == []
    free.free = 81e9
    with pytest.raises(StoreError, match=r"160\.4 GB"):
        file.partial(shape, "float32")
    values, _ = file.partial(shape, "float16")
    assert values.shape == shape
    assert "features of 80.2 GB" in capsys.readouterr().err


def test_what_is_written_already_needs_no_room(tmp_path, monkeypatch):
    file = FeatureFile(tmp_path, "key")
    values, _ = file.partial((1000, 1000), "float32")
    values[:] = 1
    values.flush()
    monkeypatch.setattr(features.shutil, "disk_usage", lambda folder: SimpleNamespace(free=1e5))
    file.partial((1000, 1000), "float32")
    with pytest.raises(StoreError):
        FeatureFile(tmp_path, "other").partial((1000, 1000), "float32")


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="the system reserves no room")
def test_room_is_taken_before_a_mapped_file_outgrows_the_disk(tmp_path):
    """A process that writes past a full disk through a map is killed by SIGBUS."""
    shape = (1000, 1000)
    for _ in range(2):  # the second time it goes on
        FeatureFile(tmp_path, "key").partial(shape, "float32")
        assert 512 * (tmp_path / "key.partial.npy").stat().st_blocks >= 4 * 10**6
        with (tmp_path / "key.partial.npy").open("r+b") as file:
            file.truncate(128)
            file.truncate(128 + 4 * 10**6)  # holes, as older versions left


LIMITED = """
import resource, sys
from pathlib import Path
from harness.errors import StoreError
from harness.store.features import FeatureFile

resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    FeatureFile(Path(sys.argv[1]) / "features", "k").partial((1000, 1000), "float32")
except StoreError as error:
    print(error)
"""


def test_a_disk_that_takes_no_more_is_an_error_of_the_store(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path))
    done = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, check=True)
    assert str(tmp_path) in done.stdout
    assert "HARNESS_HOME" in done.stdout
    assert write(FeatureFile(tmp_path / "features", "k")) == [0, 4, 8]


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
from harness.system.checksums import row_checksums

values, inside = np.arange(30).reshape(10, 3), sys.argv[2] == "inside"
rows, written = FeatureFile(Path(sys.argv[1]), "k").partial(values.shape, "float32")
rows[:4] = values[:4]
written[:4] = row_checksums(rows[:4])
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


@pytest.mark.parametrize("lost", [slice(0, 4), slice(3, 4)])
def test_rows_that_a_power_failure_kept_from_the_disk_are_written_again(tmp_path, lost):
    """The system may have written the checksums and not yet the rows, all or a page of them."""
    file = FeatureFile(tmp_path, "k")
    write(file, upto=2)
    rows, _ = file.partial(SHAPE, "float32")
    rows[lost] = 0
    assert write(file) == [0, 8]
    assert np.array_equal(file.complete(), VALUES)


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
    (resumed,), (once,) = ([*(tmp_path / folder).glob("*.npy")] for folder in ("killed", "once"))
    assert resumed.name == once.name
    assert resumed.read_bytes() == once.read_bytes()


@pytest.fixture
def store(tmp_path):
    """Folder of features with one file; gives the file, its values and a second reading."""
    folder = tmp_path / "features"
    values = CachedEncoder(Brightness(), key="x", folder=folder).features(SPLIT, TWO).per_clip()
    (path,) = folder.glob("*.npy")
    time.sleep(0.02)  # what tests do to it has another time

    def again():
        encoder = Brightness()
        read = CachedEncoder(encoder, key="x", folder=folder).features(SPLIT, TWO).per_clip()
        assert torch.equal(read, values)
        return encoder.batches

    return SimpleNamespace(folder=folder, path=path, again=again, damaged=tmp_path / "damaged" / "features")


def flipped(place):
    return lambda whole: whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:-1],
        lambda whole: b"",
        lambda whole: b"x" * 200,
        flipped(20),
        flipped(300),
        flipped(-50),
        flipped(-5),
        lambda whole: whole[:512] + bytes(512) + whole[1024:],
    ],
)
def test_a_damaged_file_is_set_aside_and_encoded_again(store, capsys, damage):
    whole = store.path.read_bytes()
    broken = damage(whole)
    store.path.write_bytes(broken)
    store.path.with_suffix(".json").write_text("where the damaged ones came from")
    assert store.again() == 2
    assert not store.path.with_suffix(".json").exists()
    assert store.path.read_bytes() == whole
    assert (store.damaged / store.path.name).read_bytes() == broken
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "damaged" in line]
    assert line.startswith(f"{store.path}: damaged (")
    assert line.endswith(f"; set aside as {store.damaged / store.path.name}; encoding again")
    assert store.again() == 0


def test_a_second_damaged_file_covers_no_first_one(store):
    for content in (b"one", b"two"):
        store.path.write_bytes(content)
        assert store.again() == 2
    kept = {path.name: path.read_bytes() for path in store.damaged.iterdir()}
    assert kept == {store.path.name: b"one", f"{store.path.name}.2": b"two"}


def test_a_file_of_another_shape_is_encoded_again(store, capsys):
    np.save(store.path, np.zeros((5, 6), "float32"))
    assert store.again() == 2
    assert "damaged (expected 64 rows, got 5)" in capsys.readouterr().err


def test_a_file_of_an_older_version_has_no_checksum_and_is_read(store):
    np.save(store.path, np.load(store.path))
    assert store.again() == 0
    assert not FeatureFile(store.folder, store.path.stem).is_checked()


def test_a_file_is_verified_once_a_day_and_when_it_changed(store, monkeypatch):
    sums = []
    monkeypatch.setattr(features, "checksum", lambda *parts: sums.append(1) or checksum(*parts))
    stamp = store.path.with_suffix(".verified")

    def verified():
        sums.clear()
        assert store.again() == store.again() == 0
        return len(sums)

    assert verified() == 0  # when it was written
    for seconds, times in ((-60, 0), (-features.TRUSTED - 60, 1), (3600, 1)):  # the last when a clock was set back
        os.utime(stamp, (time.time() + seconds,) * 2)
        assert verified() == times
    for change in (
        lambda: os.utime(store.path, ns=(1, 1)),
        lambda: shutil.move(shutil.copy2(store.path, store.folder / "copy"), store.path),
        stamp.unlink,
        lambda: stamp.write_text("half"),
    ):
        change()
        assert verified() == 1


def test_a_changed_file_whose_time_was_put_back_is_noticed(store):
    state, content = store.path.stat(), store.path.read_bytes()
    store.path.write_bytes(content[:-60] + b"?" + content[-59:])
    os.utime(store.path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert store.again() == 2


def test_damage_under_an_unchanged_file_is_found_when_all_is_checked(store, monkeypatch):
    """As a disk loses bytes: its times tell nothing."""
    monkeypatch.setattr(FeatureFile, "_identity", lambda file: "as ever")
    FeatureFile(store.folder, store.path.stem)._trust()
    content = store.path.read_bytes()
    store.path.write_bytes(content[:-60] + b"?" + content[-59:])
    file = FeatureFile(store.folder, store.path.stem)
    assert file.read(64) is not None
    assert file.damage() == "its bytes are not those that were written"
    os.utime(store.path.with_suffix(".verified"), (0, 0))
    assert file.read(64) is None


def test_a_file_that_may_not_be_read_is_no_damaged_one(store, monkeypatch):
    def denied(path, **how):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setenv("HARNESS_HOME", str(store.folder.parent))
    monkeypatch.setattr(features, "open_memmap", denied)
    with pytest.raises(StoreError, match=r"permission denied; .*HARNESS_HOME"):
        store.again()
    assert store.path.exists()


def test_what_a_killed_process_wrote_behind_the_values_is_written_once(tmp_path):
    file = FeatureFile(tmp_path, "k")
    write(file)
    with (tmp_path / "k.partial.npy").open("ab") as values:
        values.write(b"half a checksum")
    assert write(file) == []
    file.complete()
    assert FeatureFile(tmp_path, "k").damage() == ""
    assert np.array_equal(FeatureFile(tmp_path, "k").read(10), VALUES)
