"""Videos read in place from tar archives."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pytest

from harness.errors import DataError
from harness.video.archive import members
from harness.video.decode import count_frames, decode
from harness.video.probe import probe
from harness.video.write import write_video

from .conftest import drift


@pytest.fixture
def shard(files, tmp_path):
    path = tmp_path / "000.tar"
    with tarfile.open(path, "w") as tar:
        for name in ("mpeg4.avi", "h264.mp4", "h264.mkv"):
            tar.add(files[name], arcname=f"clips/{name}")
    return path


@pytest.mark.parametrize("name", ["mpeg4.avi", "h264.mp4", "h264.mkv"])
def test_a_member_decodes_as_the_file_does(shard, files, name):
    inside = shard / "clips" / name
    assert count_frames(inside) == count_frames(files[name])
    for frames in (None, [3, 20, 3], [25]):  # the last by seeking
        assert np.array_equal(decode(inside, frames, short_side=32), decode(files[name], frames, short_side=32))
    assert probe(inside) == probe(files[name])


def test_members_that_are_not_there(shard):
    with pytest.raises(DataError, match="no such video"):
        decode(shard / "clips" / "other.avi")
    with pytest.raises(DataError, match="no such video"):
        decode(shard / ".." / shard.name / "clips")


def test_links_and_names_that_lead_outside_lead_nowhere(tmp_path):
    secret = tmp_path / "secret.avi"
    write_video(secret, drift(3), 25)
    path = tmp_path / "evil.tar"
    with tarfile.open(path, "w") as tar:
        for name, kind in (("link.avi", tarfile.SYMTYPE), ("hard.avi", tarfile.LNKTYPE), ("device", tarfile.CHRTYPE)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, str(secret)
            tar.addfile(entry)
        content = b"not a video"
        for name in ("../outside.avi", "/absolute.avi"):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    assert set(members(path)) == {"../outside.avi", "/absolute.avi"}
    assert probe(path / "link.avi").reason == "missing"
    assert probe(path / "../outside.avi").reason in {"missing", "not-video"}
    assert {file.name for file in tmp_path.iterdir()} == {"secret.avi", "evil.tar"}


@pytest.mark.parametrize("damage", ["cut", "compressed", "text"])
def test_archives_that_are_none(shard, damage, tmp_path):
    path = tmp_path / "bad.tar"
    if damage == "cut":
        path.write_bytes(shard.read_bytes()[:2000])
    elif damage == "compressed":
        with tarfile.open(path, "w:gz") as tar:
            tar.add(shard, arcname="a.avi")
    else:
        path.write_text("no archive" * 200)
    with pytest.raises(DataError, match=r"cut short|not an uncompressed tar"):
        members(path)
