"""`harness leaderboard`: pictures of runs come from the store, and from nowhere else."""

from __future__ import annotations

import pytest

from harness.cli.leaderboard import _picture
from harness.store.runs import Store


@pytest.fixture
def store(tmp_path):
    found = Store(tmp_path)
    path = found.picture("a" * 20, "confusion")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"png")
    return found


def test_a_picture_is_read(store, capsys):
    assert _picture(store, "a" * 20, "confusion") == b"png"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["skeletons", "../secret", "/etc/passwd", ""])
def test_what_is_not_there_or_no_short_name_is_left_out_with_a_line(store, name, capsys):
    (store.folder / "pictures" / "secret.png").write_bytes(b"secret")
    assert _picture(store, "a" * 20, name) is None
    said = capsys.readouterr()
    assert repr(name) in said.err
    assert said.out == ""
