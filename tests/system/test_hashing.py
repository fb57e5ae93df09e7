"""Hashes of values do not depend on how they are written."""

from __future__ import annotations

import hashlib

import pytest

from harness.system.hashing import digest, file_hash


def test_the_order_of_keys_does_not_count_and_that_of_lists_does():
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1}) != digest({"a": 1, "b": [2, 1]})


def test_what_json_cannot_say_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        digest({"a": float("nan")})


def test_a_file_is_hashed_again_when_it_changes(tmp_path):
    path = tmp_path / "a"
    for content in (b"one", b"other"):
        path.write_bytes(content)
        assert file_hash(path) == file_hash(path) == hashlib.sha256(content).hexdigest()
