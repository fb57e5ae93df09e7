"""Checksums: of bytes, of files, and of arrays as they lie in files."""

from __future__ import annotations

import os

import numpy as np
import xxhash

from harness.system import checksums
from harness.system.checksums import checksum, file_checksum


def test_it_is_xxh3_of_all_bytes(tmp_path, monkeypatch):
    content = os.urandom(3 * 2**20 + 5)
    (tmp_path / "file").write_bytes(content)
    known = xxhash.xxh3_128(content).hexdigest()
    monkeypatch.setattr(checksums, "BLOCK", 1000)
    assert checksum(content) == checksum(content[:7], b"", content[7:]) == known
    assert checksum(np.frombuffer(content, np.uint8)) == known
    assert file_checksum(tmp_path / "file") == known


def test_a_file_is_read_again_when_it_changed(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"one")
    before = file_checksum(path)
    state = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert file_checksum(path) == checksum(b"two") != before
