"""Records of files: found by workers, remembered, and kept through crashes."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import signal
import tarfile

import pytest

from harness.datasets import file_index
from harness.datasets.file_index import records
from harness.system.processes import CrashedError
from harness.video.archive import FileState
from harness.video.probe import probe, unusable

DECODER = """
import os, time
from harness.video.probe import probe

def fragile(path):
    if "crash" in path.name:
        os._exit(3)
    if "hang" in path.name:
        time.sleep(60)
    return probe(path)
"""


@pytest.fixture
def folder(footage, tmp_path):
    copy = tmp_path / "copy"
    copy.mkdir()
    for name, source in zip(("a.avi", "crash.avi", "hang.avi", "b.avi"), footage["Backflip"], strict=False):
        (copy / name).write_bytes(source.read_bytes())
    return copy


def test_crashing_and_hanging_decoders_are_survived(folder, tmp_path, monkeypatch):
    (tmp_path / "decoder_of_the_test.py").write_text(DECODER)  # where a worker can import it
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(file_index, "probe", importlib.import_module("decoder_of_the_test").fragile)
    monkeypatch.setattr(file_index, "PATIENCE", 6.0)
    found = records(folder, ["a.avi", "crash.avi", "hang.avi", "b.avi", "absent.avi"], title="looking")
    reasons = {name: record.reason for name, record in found.items()}
    assert reasons == {"a.avi": "", "b.avi": "", "crash.avi": "crashed", "hang.avi": "hung", "absent.avi": "missing"}
    assert found["a.avi"] == probe(folder / "a.avi")
    assert "exit code 3" in found["crash.avi"].message
    monkeypatch.setattr(
        file_index, "_inspected", lambda folder, names: ((name, probe(folder / name)) for name in names)
    )
    again = records(folder, ["crash.avi", "hang.avi"], title="looking")
    assert {name: record.reason for name, record in again.items()} == {"crash.avi": "", "hang.avi": "hung"}


def test_a_worker_killed_for_memory_says_nothing_of_its_file(folder, monkeypatch):
    def imap(work, items, *, timeout, workers=None):
        yield from ((item, CrashedError(-signal.SIGKILL)) for item in items)

    monkeypatch.setattr(file_index.processes, "imap_isolated", imap)
    record = records(folder, ["a.avi"], title="looking")["a.avi"]
    assert record.reason == "unreadable"  # never left out of a data set, and looked at again
    ending = "(signal 9, SIGKILL) on it, perhaps for want of memory; free some memory, and look again"
    assert record.message.endswith(ending)


def test_long_videos_are_given_the_time_that_they_take(tmp_path, monkeypatch):
    given = []

    def imap(work, items, *, timeout):
        given.extend(map(timeout, items))
        return ((item, unusable("missing", "not looked at")) for item in items)

    monkeypatch.setattr(file_index.processes, "imap_isolated", imap)
    for name, size in (("short.avi", 1000), ("hours.mkv", 10**9)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
    (tmp_path / "frames").mkdir()
    for number in range(30):
        (tmp_path / "frames" / f"{number}.jpg").touch()
    records(tmp_path, ["short.avi", "hours.mkv", "frames"], title="looking")
    with tarfile.open(tmp_path / "shard.tar", "w") as archive:
        (tmp_path / "clip.mp4").write_bytes(bytes(2 * 10**6))
        archive.add(tmp_path / "clip.mp4", "clip.mp4")
    records(tmp_path, ["shard.tar/clip.mp4"], title="looking")
    assert given == pytest.approx([file_index.PATIENCE + more for more in (0.001, 1000, 3, 2)])


def test_what_could_not_be_read_is_looked_at_again(folder, monkeypatch):
    said = ["unreadable", ""]
    monkeypatch.setattr(
        file_index,
        "_inspected",
        lambda folder, names: (
            (name, unusable(reason, "no") if (reason := said.pop(0)) else probe(folder / name)) for name in names
        ),
    )
    assert [records(folder, ["a.avi"], title="looking")["a.avi"].reason for _ in range(2)] == ["unreadable", ""]


def test_files_of_a_broken_archive_are_named_one_by_one(tmp_path):
    (tmp_path / "shard.tar").write_bytes(b"no archive")
    found = records(tmp_path, ["shard.tar/a.mp4", "shard.tar/b.mp4"], title="looking")
    assert all(record.reason for record in found.values())


def test_a_file_that_hung_is_looked_at_again_with_more_patience(folder, monkeypatch):
    said = {"reason": "hung"}
    monkeypatch.setattr(
        file_index, "_inspected", lambda folder, names: ((name, unusable(said["reason"], "no")) for name in names)
    )
    assert records(folder, ["a.avi"], title="looking")["a.avi"].reason == "hung"
    said["reason"] = "corrupt"
    assert records(folder, ["a.avi"], title="looking")["a.avi"].reason == "hung"
    monkeypatch.setattr(file_index, "PATIENCE", 1000.0)
    assert records(folder, ["a.avi"], title="looking")["a.avi"].reason == "corrupt"


def test_a_file_is_not_blamed_for_what_another_left_in_its_worker(folder, tmp_path, monkeypatch):
    (tmp_path / "decoder_after_another.py").write_text("""
import os
from harness.video.probe import probe

seen = []

def fragile(path):
    seen.append(path)
    if len(seen) > 1:
        os.abort()
    return probe(path)
""")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(file_index, "probe", importlib.import_module("decoder_after_another").fragile)
    found = records(folder, ["a.avi", "b.avi", "hang.avi"], title="looking")
    assert {record.reason for record in found.values()} == {""}


def overwrite(path):
    """Change the last byte of a file in place, and keep its size and time of modification."""
    status = path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    with path.open("r+b") as file:
        file.write(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)


@pytest.fixture
def unchanging(monkeypatch):
    """A file system whose times of change tell nothing."""
    monkeypatch.setattr(
        file_index.container, "identity", lambda path: (str(path), FileState(path.stat().st_size, 0, 0, 0))
    )


@pytest.fixture
def hashed(monkeypatch):
    """Names of the files that were hashed, in order."""
    names = []
    digest = file_index.container.digest
    monkeypatch.setattr(file_index.container, "digest", lambda path: names.append(path.name) or digest(path))
    return names


@pytest.mark.usefixtures("in_process")
class TestMemory:
    @pytest.fixture(autouse=True)
    def counting(self, monkeypatch):
        self.seen = []
        monkeypatch.setattr(file_index, "probe", lambda path: self.seen.append(path.name) or probe(path))

    def test_a_file_is_decoded_once_until_it_changes(self, folder):
        first = records(folder, ["a.avi", "b.avi"], title="looking")
        assert records(folder, ["b.avi", "a.avi"], title="looking") == first
        assert self.seen == ["a.avi", "b.avi"]
        (folder / "a.avi").write_bytes((folder / "b.avi").read_bytes())
        again = records(folder, ["a.avi", "b.avi"], title="looking")
        assert again["a.avi"].sha256 == first["b.avi"].sha256
        assert self.seen == ["a.avi", "b.avi", "a.avi"]
        with file_index.force_recheck() as looks:
            records(folder, ["a.avi"], title="looking")
            records(folder, ["a.avi", "b.avi"], title="looking")
        assert self.seen[3:] == ["a.avi", "b.avi"]
        assert {path.name: look.before == look.now for path, look in looks.items()} == {"a.avi": True, "b.avi": True}

    def test_what_is_found_is_written_at_once(self, folder, monkeypatch):
        def stop(path):
            if path.name == "b.avi":
                raise KeyboardInterrupt
            return probe(path)

        with monkeypatch.context() as broken:
            broken.setattr(file_index, "probe", stop)
            with pytest.raises(KeyboardInterrupt):
                records(folder, ["a.avi", "b.avi"], title="looking")
        records(folder, ["a.avi", "b.avi"], title="looking")
        assert self.seen == ["b.avi"]

    def test_a_line_cut_short_is_skipped(self, folder):
        first = records(folder, ["a.avi", "b.avi"], title="looking")
        (book,) = file_index.paths.index().iterdir()
        book.write_text(book.read_text()[:-20])
        assert records(folder, ["a.avi", "b.avi"], title="looking") == first
        assert self.seen == ["a.avi", "b.avi", "b.avi"]

    def test_what_other_code_said_against_a_file_is_not_believed(self, folder):
        first = records(folder, ["a.avi", "b.avi"], title="looking")
        (index,) = file_index.paths.index().iterdir()
        rows = [json.loads(line) for line in index.read_text().splitlines()]
        rows[0].update(reason="truncated", message="the header declares more frames")
        index.write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert records(folder, ["a.avi"], title="looking")["a.avi"].reason == "truncated"  # by this code
        for row in rows:
            del row["code"]
        index.write_text("".join(json.dumps(row) + "\n" for row in rows))
        assert records(folder, ["a.avi", "b.avi"], title="looking") == first
        assert self.seen == ["a.avi", "b.avi", "a.avi"]

    def test_a_crash_is_not_remembered(self, folder, monkeypatch):
        crash = unusable("crashed", "the decoder crashed on it (All workers expired)")
        with monkeypatch.context() as broken:
            broken.setattr(file_index, "probe", lambda path: crash)
            assert records(folder, ["a.avi"], title="looking") == {"a.avi": crash}
        (index,) = file_index.paths.index().iterdir()
        state = file_index.container.identity(folder / "a.avi")[1]
        row = {"name": "a.avi", "stamp": state, "code": file_index._looking_code(), **dataclasses.asdict(crash)}
        index.write_text(json.dumps(row) + "\n")
        assert records(folder, ["a.avi"], title="looking")["a.avi"].reason == ""

    def test_a_file_changed_in_place_with_size_and_time_kept_is_noticed(self, folder):
        path = folder / "a.avi"
        first = records(folder, ["a.avi"], title="looking")
        overwrite(path)
        again = records(folder, ["a.avi"], title="looking")
        assert self.seen == ["a.avi", "a.avi"]
        assert again["a.avi"].sha256 != first["a.avi"].sha256

    def test_a_file_that_was_only_touched_or_copied_is_not_decoded_again(self, folder):
        first = records(folder, ["a.avi", "b.avi"], title="looking")
        os.utime(folder / "a.avi")
        content = (folder / "b.avi").read_bytes()
        (folder / "b.avi").unlink()
        (folder / "b.avi").write_bytes(content)
        assert records(folder, ["a.avi", "b.avi"], title="looking") == first
        assert self.seen == ["a.avi", "b.avi"]

    def test_an_index_without_times_of_change_is_taken_over_once_the_content_is_compared(self, folder):
        first = records(folder, ["a.avi", "b.avi"], title="looking")
        (index,) = file_index.paths.index().iterdir()
        rows = [json.loads(line) for line in index.read_text().splitlines()]
        index.write_text("".join(json.dumps({**row, "stamp": row["stamp"][:2]}) + "\n" for row in rows))
        overwrite(folder / "b.avi")
        again = records(folder, ["a.avi", "b.avi"], title="looking")
        assert self.seen == ["a.avi", "b.avi", "b.avi"]
        assert again["a.avi"] == first["a.avi"]
        assert again["b.avi"].sha256 != first["b.avi"].sha256

    def test_files_that_look_unchanged_are_hashed_on_demand_and_once(self, folder, unchanging, hashed):
        first = records(folder, ["a.avi", "b.avi"], title="looking")
        hashed.clear()
        overwrite(folder / "a.avi")
        assert records(folder, ["a.avi", "b.avi"], title="looking") == first  # nobody could know
        assert hashed == []
        with file_index.verified():
            again = records(folder, ["a.avi", "b.avi"], title="looking")
            hashed.clear()
            assert records(folder, ["b.avi"], title="looking")["b.avi"] == first["b.avi"]
        assert hashed == []
        assert again["a.avi"].sha256 != first["a.avi"].sha256
        assert self.seen == ["a.avi", "b.avi", "a.avi"]

    def test_content_that_is_not_as_expected_is_named(self, folder, hashed):
        expected = {name: probe(folder / name) for name in ("a.avi", "b.avi")}
        hashed.clear()
        assert file_index.altered(folder, expected) == []
        assert file_index.altered(folder, expected) == []
        assert hashed == ["a.avi", "b.avi"]  # once
        overwrite(folder / "b.avi")
        assert file_index.altered(folder, expected) == ["b.avi"]
        assert file_index.altered(folder, expected) == ["b.avi"]
        with file_index.force_recheck():
            assert file_index.altered(folder, expected) == []
        assert self.seen == []

    def test_content_is_compared_on_demand_though_files_look_unchanged(self, folder, unchanging):
        expected = {"a.avi": probe(folder / "a.avi")}
        assert file_index.altered(folder, expected) == []
        overwrite(folder / "a.avi")
        assert file_index.altered(folder, expected) == []  # nobody could know
        with file_index.verified():
            assert file_index.altered(folder, expected) == ["a.avi"]
