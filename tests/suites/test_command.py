"""Commands that boards show: complete, and without private paths."""

from __future__ import annotations

import shlex

import pytest

from harness.suites.command import run_command


@pytest.mark.parametrize(
    ("suite", "shown"),
    [
        ("quickstart", "quickstart"),
        ("/home/somebody/secret/mine.yaml", "mine.yaml"),
        ("suites/mine.yaml", "suites/mine.yaml"),
        ("../../somebody/mine.yml", "mine.yml"),
        ("~/secret/mine.yaml", "mine.yaml"),
    ],
)
def test_a_suite_is_named_by_a_path_that_says_nothing_of_the_machine(suite, shown):
    assert run_command(suite) == f"harness run {shown}"


def test_a_path_below_the_current_folder_is_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = run_command(tmp_path / "suites" / "mine.yaml", [f"data.0.file={tmp_path}/lists/a b.csv"])
    assert shlex.split(command) == ["harness", "run", "suites/mine.yaml", "--set", "data.0.file=lists/a b.csv"]


@pytest.mark.parametrize("change", ["paths.ucf101=/data/ucf", "paths={ucf101: /data/ucf}", "paths={}"])
def test_places_of_data_are_left_out(change):
    assert run_command("quickstart", [change, "frames=10"]) == "harness run quickstart --set frames=10"


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        ("data=[{name: manifest, file: /home/me/My Data/list.csv}]", 'data=[{"name": "manifest", "file": "list.csv"}]'),
        ("data.0.file=C:\\Users\\me\\list.csv", "data.0.file=list.csv"),
        ("data.0.file=~me/list.csv", "data.0.file=list.csv"),
        ("data.0.file=lists/list.csv", "data.0.file=lists/list.csv"),
        ("methods.0.url=https://example.org/x", "methods.0.url=https://example.org/x"),
        ("methods.0.margin=~", "methods.0.margin=~"),
        ("seeds=[0,  1]", "seeds=[0,  1]"),
        ("seeds=[0", "seeds=[0"),  # no YAML, which loading the suite refuses
    ],
)
def test_private_paths_in_settings_become_names_and_all_else_stays(change, shown):
    assert shlex.split(run_command("quickstart", [change])) == ["harness", "run", "quickstart", "--set", shown]
