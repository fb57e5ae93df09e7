"""What is damaged is moved, never deleted, and named in one line."""

from __future__ import annotations

import errno

from harness.system import damage


def test_files_and_folders_are_moved_and_cover_none(tmp_path):
    aside = tmp_path / "damaged" / "kind"
    for content in ("one", "two", "three"):
        (tmp_path / "a.json").write_text(content)
        line = damage.set_aside(tmp_path / "a.json", aside, "broken\nin two")
        assert line.startswith(f"{tmp_path / 'a.json'}: damaged (broken in two); set aside as {aside}")
    (tmp_path / "fit").mkdir()
    (tmp_path / "fit" / "weights").write_text("w")
    damage.set_aside(tmp_path / "fit", aside, "broken")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged"]
    assert {path.name for path in aside.iterdir()} == {"a.json", "a.json.2", "a.json.3", "fit"}
    assert [(aside / f"a.json{end}").read_text() for end in ("", ".2", ".3")] == ["one", "two", "three"]
    assert (aside / "fit" / "weights").read_text() == "w"


def test_what_cannot_be_moved_stays_and_is_named(tmp_path, monkeypatch):
    def read_only(source, target):
        raise OSError(errno.EROFS, "Read-only file system", str(source))

    monkeypatch.setattr(damage.shutil, "move", read_only)
    (tmp_path / "a").write_text("x")
    line = damage.set_aside(tmp_path / "a", tmp_path / "damaged", "broken")
    assert "could not be set aside" in line
    assert "Read-only" in line
    assert (tmp_path / "a").read_text() == "x"
