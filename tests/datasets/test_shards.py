"""Shards as WebDataset packs them, and archives that mean harm."""

from __future__ import annotations

import io
import tarfile

import cv2
import numpy as np
import pytest

from harness.datasets.shards import Shards
from harness.errors import DataError, UsageError
from harness.execution.plan import plan_suite
from harness.execution.sources import DataSources
from harness.plugins.manager import Plugins
from harness.suites.schema import Suite
from harness.testing import failures
from harness.video.archive import members
from harness.video.decode import decode

pytestmark = pytest.mark.usefixtures("in_process")

BLOCK = 512


def header(name, size, kind=tarfile.REGTYPE, link=""):
    """A header by itself, whatever it declares."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.type, entry.linkname = size, kind, link
    return entry.tobuf(tarfile.GNU_FORMAT)


def packed(contents, style=tarfile.PAX_FORMAT):
    """The bytes of an archive with these members."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=style) as tar:
        for name, content in contents:
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def clips(footage):
    return [file.read_bytes() for files in footage.values() for file in files[:2]]


@pytest.fixture
def folder(tmp_path, place):
    folder = tmp_path / "shards"
    folder.mkdir()
    place("shards", folder)
    return folder


@pytest.fixture
def shards(folder, clips):
    """Two archives with three videos each and their classes."""
    for number, archive in enumerate(("000.tar", "a, #2 (b).tar")):
        contents = []
        for key, clip in enumerate(clips[3 * number :][:3]):
            contents += [(f"./part/{key}.avi", clip), (f"./part/{key}.cls", b"%d\n" % (7 * key)), (f"{key}.json", b"{")]
        (folder / archive).write_bytes(packed(contents))
    return folder


def test_it_keeps_what_a_data_set_has_to(shards):
    assert failures(Shards()) == {}


def test_members_are_the_files_that_were_packed(shards, clips, tmp_path):
    train = Shards().split("train")
    assert [video.id for video in train.videos][1:4] == ["000.tar/part/1", "000.tar/part/2", "a, #2 (b).tar/part/0"]
    assert train.classes == {"action": ("0", "7", "14")}
    assert [video.labels["action"] for video in train.videos] == [0, 1, 2, 0, 1, 2]
    for index, clip in enumerate(clips):
        (tmp_path / "one.avi").write_bytes(clip)
        assert np.array_equal(train.read(index).numpy(), decode(tmp_path / "one.avi"))
    assert sorted(path.name for path in shards.rglob("*")) == ["000.tar", "a, #2 (b).tar"]


@pytest.mark.parametrize("content", [None, b"1"])
def test_without_the_class_of_every_video_there_is_one_class(shards, clips, content):
    more = [("x.avi", clips[0])] + ([("y.cls", content)] if content else [])
    (shards / "more.tar").write_bytes(packed(more))
    data = Shards()
    assert data.split("train").classes == {"action": ("unlabelled",)}
    assert failures(data) == {}


def test_one_video_a_key_and_hidden_files(folder, clips):
    picture = cv2.imencode(".jpg", np.zeros((32, 32, 3), np.uint8))[1].tobytes()
    contents = [("a.jpg", picture), ("a.avi", clips[0]), ("b.jpg", picture), ("._a.avi", b"a Mac's"), ("c.txt", b"no")]
    (folder / "one.tar").write_bytes(packed(contents))
    (folder / ".hidden.tar").write_text("no archive")
    (folder / "folder.tar").mkdir()
    assert [video.path.name for video in Shards().split("train").videos] == ["a.avi", "b.jpg"]


def test_members_that_cannot_be_used(shards, clips):
    (shards / "bad.tar").write_bytes(packed([("empty.mp4", b""), ("text.mp4", b"no video"), ("good.avi", clips[0])]))
    with pytest.raises(DataError, match=r"2 of 9 videos of split 'train' cannot be used \(1 empty, 1 not-video\)"):
        Shards().split("train")
    train = Shards(bad="skip").split("train")
    assert train.left_out == {"bad.tar/empty.mp4": "empty", "bad.tar/text.mp4": "not-video"}


@pytest.mark.parametrize(
    "name",
    ["/etc/passwd.mp4", "../outside.mp4", "a/../../outside.mp4", "a\\..\\b.mp4", "line\nbreak.mp4", "esc\x1b[2J.mp4"],
)
@pytest.mark.parametrize("style", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_names_that_lead_out_are_refused(shards, name, style):
    (shards / "evil.tar").write_bytes(packed([(name, b"video")], style))
    before = sorted(shards.parent.rglob("*"))
    with pytest.raises(DataError, match=r"evil\.tar: member .* leads out of it, or is no plain text") as caught:
        Shards(bad="skip").split("train")
    assert str(caught.value).isprintable()
    assert sorted(shards.parent.rglob("*")) == before


def test_a_name_that_is_no_text_is_refused(shards):
    (shards / "evil.tar").write_bytes(packed([("b\udcff.mp4", b"video")], tarfile.GNU_FORMAT))
    with pytest.raises(DataError, match="is no plain text"):
        Shards().split("train")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE]
)
def test_links_devices_and_folders_are_not_looked_at(shards, clips, tmp_path, kind):
    (tmp_path / "secret.avi").write_bytes(clips[0])
    evil = header("evil.avi", 0, kind, str(tmp_path / "secret.avi")) + packed([("good.avi", clips[1])])
    (shards / "evil.tar").write_bytes(evil)
    assert [video.id for video in Shards().split("train").videos][-1] == "evil.tar/good"
    assert len(Shards().split("train")) == 7


def test_doubled_names_and_files_with_holes(shards, clips):
    (shards / "evil.tar").write_bytes(packed([("a.avi", clips[0]), ("./a.avi", clips[1])]))
    with pytest.raises(DataError, match=r"evil\.tar: 'a\.avi' is in it twice"):
        Shards().split("train")
    (shards / "evil.tar").write_bytes(header("a.avi", 0, tarfile.GNUTYPE_SPARSE) + bytes(2 * BLOCK))
    with pytest.raises(DataError, match=r"evil\.tar: 'a\.avi' has holes"):
        Shards().split("train")


@pytest.mark.parametrize("size", [10_000, 2**40, 2**62, 2**70, -5])
@pytest.mark.parametrize(
    "kind", [tarfile.REGTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE]
)
def test_sizes_beyond_the_archive(shards, size, kind):
    (shards / "evil.tar").write_bytes(header("a.avi", size, kind) + bytes(2 * BLOCK))
    with pytest.raises(DataError, match=r"evil\.tar: (cut short|not an uncompressed tar archive)"):
        Shards().split("train")


@pytest.mark.parametrize("where", ["in a header", "in a video", "after a video", "at the start", "everything"])
def test_archives_that_are_cut_short(shards, where):
    whole = (shards / "000.tar").read_bytes()
    second = members(shards / "000.tar")["part/1.avi"]
    end = members(shards / "000.tar")["2.json"]
    length = {
        "in a header": second.start - 100,
        "in a video": second.start + second.size // 2,
        "after a video": end.start + BLOCK,
        "at the start": 100,
        "everything": 0,
    }[where]
    (shards / "000.tar").write_bytes(whole[:length])
    with pytest.raises(DataError, match=r"000\.tar: (cut short|not an uncompressed tar archive)"):
        Shards().split("train")


def test_archives_that_are_broken_in_the_middle_or_two(shards):
    whole = (shards / "000.tar").read_bytes()
    second = members(shards / "000.tar")["part/1.avi"].start
    (shards / "000.tar").write_bytes(whole[: second - BLOCK] + b"?" * BLOCK + whole[second:])
    with pytest.raises(DataError, match=r"broken after '(0|2)\.json'"):
        Shards().split("train")
    (shards / "000.tar").write_bytes(whole + whole)
    with pytest.raises(DataError, match=r"broken after '(0|2)\.json'"):
        Shards().split("train")


@pytest.mark.parametrize("content", [b"", b"-1", b"1.5", b"cat", b"1" * 19, b" " * 21, b"1" + b"\n" * 5000])
def test_classes_that_are_no_numbers(shards, clips, content):
    (shards / "bad.tar").write_bytes(packed([("a.avi", clips[0]), ("a.cls", content)]))
    with pytest.raises(DataError, match=r"bad\.tar/a\.avi: its \.cls should be a whole number"):
        Shards().split("train")


def test_nothing_to_read(folder, tmp_path, place):
    with pytest.raises(DataError, match=r"no \*\.tar in this folder"):
        Shards().split("train")
    (folder / "empty.tar").write_bytes(packed([("readme.txt", b"no videos")]))
    with pytest.raises(DataError, match="name no videos for split 'train'"):
        Shards().split("train")
    place("shards", tmp_path / "shards" / "empty.tar")
    with pytest.raises(DataError, match=r"no \*\.tar in this folder"):
        Shards().split("train")
    with pytest.raises(UsageError, match="unknown split 'test'; known: train"):
        Shards().split("test")


def test_a_suite_learns_from_shards_and_measures_elsewhere(shards, ucf101, place):
    place("ucf101", ucf101)
    suite = {
        "name": "packed",
        "title": "Packed",
        "frames": 1000,
        "methods": ["supervised"],
        "backbones": ["small_2d"],
        "pretraining": ["shards"],
        "data": ["ucf101"],
        "evaluators": ["knn"],
        "seeds": [0],
    }
    plugins = Plugins()
    sources = DataSources(plugins)
    (cell,) = plan_suite(Suite.model_validate(suite), plugins, sources).cells
    assert set(cell.protocol["manifests"]) == {"train", "test"}
    training = sources.training(cell.identity.pretraining, supervised=False)
    assert len(training) == 6
    assert not training.labelled
