"""Zip files from outside: a few bytes never become many."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.system.zips import expect_uncompressed, read_arrays, read_member

LARGEST = 2**20


def written(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return path


def header(shape: tuple[int, ...], kind: str = "<f4") -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
    return file.getvalue()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(12, dtype=np.float32).reshape(3, 4),
        np.asfortranarray(np.arange(12).reshape(3, 4)),
        np.zeros((0, 4)),
        np.array(True),
        np.array(["a", "bc"]),
    ],
)
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_are_read_as_numpy_reads_them(tmp_path, save, array):
    save(tmp_path / "a.npz", x=array, other=np.zeros(3))
    (read,) = read_arrays(tmp_path / "a.npz", ["x"], LARGEST).values()
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)
    read[...] = read  # it may be written to


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            header((10**12,)) + bytes(64),
            r"says that it is \(1000000000000,\) float32, 4,000,000,000,000 bytes, but has 64",
        ),
        (header((4,)) + bytes(20), "but has 20"),
        (header((LARGEST,)) + bytes(4 * LARGEST), "expected at most"),
        (header((1,), "|O") + bytes(8), "holds objects"),
        (b"no array", "magic string"),
        (b"", "magic string"),
    ],
)
def test_arrays_that_are_not_what_they_say(tmp_path, content, message):
    with pytest.raises(ValueError, match=message):
        read_arrays(written(tmp_path / "a.npz", x=content), ["x"], LARGEST)


def test_files_that_are_no_archives(tmp_path):
    np.save(tmp_path / "lone.npy", np.zeros(3))
    (tmp_path / "empty.npz").touch()
    for name in ("lone.npy", "empty.npz"):
        with pytest.raises(zipfile.BadZipFile):
            read_arrays(tmp_path / name, ["x"], LARGEST)
    with pytest.raises(KeyError, match="y"):
        read_arrays(written(tmp_path / "a.npz", x=header((0,))), ["y"], LARGEST)


def test_a_member_that_says_less_than_it_has(tmp_path):
    path = written(tmp_path / "a.npz", x=bytes(LARGEST))
    content = path.read_bytes()
    path.write_bytes(content.replace((2**20).to_bytes(4, "little"), (9).to_bytes(4, "little")))
    with zipfile.ZipFile(path) as archive, pytest.raises(zipfile.BadZipFile, match="CRC"):
        read_member(archive, "x.npy", 100)


def test_weights_take_as_many_bytes_as_their_file(tmp_path):
    torch.save({"a": torch.zeros(1000)}, tmp_path / "new.pth")
    torch.save({"a": torch.zeros(1000)}, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for name in ("new.pth", "old.pth"):
        expect_uncompressed(tmp_path / name)
    with pytest.raises(ValueError, match="its parts claim 1,048,576 bytes, it has"):
        expect_uncompressed(written(tmp_path / "bomb.pth", x=bytes(2**20)))


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the largest resident memory is read from /proc")
def test_memory_stays_small(tmp_path):
    with (
        zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("x.npy", "w") as file,
    ):
        file.write(header((2**29 // 4,)))
        for _ in range(2**9):
            file.write(bytes(2**20))
    code = (
        "import re, sys\nfrom pathlib import Path\nfrom harness.system.zips import read_arrays\n"
        "try:\n    read_arrays(Path(sys.argv[1]), ['x'], 2**20)\nexcept ValueError:\n"
        "    print(re.search(r'VmHWM:\\s*(\\d+) kB', Path('/proc/self/status').read_text())[1])\n"
    )
    command = [sys.executable, "-c", code, tmp_path / "bomb.npz"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert int(done.stdout) < 200 * 1024
