"""Records of files: found by workers, remembered, and kept through crashes."""

from __future__ import annotations

import importlib

import pytest

from harness.datasets import file_index
from harness.datasets.file_index import records
from harness.video.probe import probe

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
