"""`harness site`: boards by folder and by name, and what cannot be shown."""

from __future__ import annotations

import json

import pytest


@pytest.fixture
def boards(harness, once):
    """The folder of a board that `harness run` wrote."""
    result = once("run", "toy", "--set", "methods=[counted]", "--set", "seeds=[0]", "--set", "evaluators=[knn]")
    assert result.returncode == 0, result.stderr
    return harness.folder / "leaderboards"


def test_boards_by_name_and_by_folder_become_a_site_and_its_changes(harness, boards):
    written = harness("site", "toy", "-o", "site", "--json")
    assert written.returncode == 0, written.stderr
    there = {str(path.relative_to(harness.folder)) for path in (harness.folder / "site").rglob("*") if path.is_file()}
    assert set(json.loads(written.stdout)) == there
    assert {"site/index.html", "site/methods/counted.html", "site/boards/toy/index.html"} <= there
    again = harness("site", "leaderboards/toy", "-o", "site", "--before", "site")
    assert again.returncode == 0, again.stderr
    assert "site/changes.html\n" in again.stdout
    changes = (harness.folder / "site" / "changes.html").read_text()
    assert "0 numbers changed" in changes
    assert (harness.folder / "site/boards/toy/table.csv").read_bytes() == (boards / "toy/table.csv").read_bytes()


def test_what_cannot_be_shown_is_one_line_and_writes_nothing(harness, boards):
    (harness.folder / "newer").mkdir()
    content = json.loads((boards / "toy" / "results.json").read_text())
    (harness.folder / "newer" / "results.json").write_text(json.dumps({**content, "format": 2}))
    for arguments, code, said in (
        (["tpy"], 2, "unknown board 'tpy'; did you mean 'toy'?"),
        (["leaderboards"], 4, "leaderboards/results.json does not exist"),
        (["newer"], 4, "its format is 2, this version of video-harness reads 1; install a newer one"),
        (["toy", "toy"], 2, "leaderboards/toy and leaderboards/toy would be one folder in the site"),
        (["toy", "--before", "nowhere"], 2, "nowhere: expected a site, or a folder of boards"),
    ):
        result = harness("site", *arguments, "-o", "site")
        assert (result.returncode, result.stdout) == (code, "")
        assert said in result.stderr
        assert not (harness.folder / "site").exists()
    result = harness("site", "toy", "-o", "leaderboards")
    assert result.returncode == 2
    assert "leaderboards: expected a new or empty folder, or a site to write again" in result.stderr
    assert [path.name for path in boards.iterdir()] == ["toy"]
