"""`harness new plugin`: what it writes is clean, tested, and on a board at once."""

from __future__ import annotations

import csv
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.plugins.scaffold import write_plugin
from harness.system import plain_yaml

pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")  # of copier before 9.12
KINDS = ("method", "backbone", "dataset", "evaluator")
ROOT = Path(__file__).parent.parent.parent
SMALL = ["--set", "frames=512", "--set", "evaluators=[knn]"]


@pytest.fixture
def fresh(harness, monkeypatch):
    """Make a plugin of a kind and put it on the path, as if pip had installed it; gives its folder."""
    pytest.importorskip("copier")

    def fresh(kind):
        done = harness("new", "plugin", "fresh", "--kind", kind)
        assert done.returncode == 0, done.stderr
        folder = harness.folder / "harness-fresh"
        project = (folder / "pyproject.toml").read_text()
        point = re.search(r'^\[project\.entry-points\.harness\]\n(\w+ = )"(\w+)"$', project, re.MULTILINE)
        metadata = harness.folder / "installed" / "harness_fresh-0.1.0.dist-info"
        metadata.mkdir(parents=True)
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: harness-fresh\nVersion: 0.1.0\n")
        (metadata / "entry_points.txt").write_text(f"[harness]\n{point[1]}{point[2]}\n")
        path = [str(metadata.parent), str(folder), os.environ.get("PYTHONPATH", "")]
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
        return folder

    return fresh


def python(*arguments, cwd):
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=cwd)


@pytest.mark.parametrize("kind", KINDS)
def test_its_own_tests_and_benchmark_pass(kind, fresh):
    pytest.importorskip("pytest_benchmark")
    folder = fresh(kind)
    options = ["-q", "-rs", "-W", "error", "-p", "no:cacheprovider", "--benchmark-disable"]
    done = python("-m", "pytest", *options, "tests", "benchmarks/test_speed.py", cwd=folder)
    assert done.returncode == 0, done.stdout
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) > 10
    assert "skipped" not in done.stdout
    listed = python("-m", "harness", "list", f"{kind}s", "--filter", "fresh", "--json", cwd=folder)
    assert [(row["name"], row["from"]) for row in json.loads(listed.stdout)] == [("fresh", "harness-fresh 0.1.0")]


@pytest.mark.skipif(importlib.util.find_spec("ruff") is None, reason="ruff is not installed")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["a", "x" * 40])
def test_what_is_written_is_clean(name, kind, harness):
    pytest.importorskip("copier")
    assert harness("new", "plugin", name, "--kind", kind, "-o", "new").returncode == 0
    for command in (["check"], ["format", "--check"]):
        done = python("-m", "ruff", *command, "--no-cache", cwd=harness.folder / "new")
        assert done.returncode == 0, done.stdout
        assert "No Python files" not in done.stderr


def board(folder, *changes):
    """Run the suite on little, and read the table of its board."""
    done = python("-m", "harness", "run", "suite.yaml", *SMALL, *changes, cwd=folder)
    assert done.returncode == 0, done.stderr
    with (folder / "leaderboards" / "fresh" / "table.csv").open(newline="", encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["primary"] == "yes"]


def test_a_method_is_on_its_board(fresh):
    rows = board(fresh("method"), "--set", "pretraining=[blobs]")
    assert {row["method"]: row["status"] for row in rows} == {"random_init": "done", "fresh": "done"}
    assert {row["data"] for row in rows} == {"blobs"}


@pytest.mark.long
def test_a_data_set_is_on_its_board(fresh):
    folder = fresh("dataset")
    assert python("tests/tiny_copy.py", "data", cwd=folder).returncode == 0
    (row,) = board(folder, "--set", "pretraining=[fresh]")
    assert (row["data"], row["status"], row["videos"]) == ("fresh", "done", "8")


@pytest.mark.parametrize("kind", ["backbone", "evaluator"])
def test_its_suite_has_a_plan(kind, fresh):
    folder = fresh(kind)
    done = python("-m", "harness", "run", "suite.yaml", "--dry-run", "--set", "pretraining=[blobs]", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "fresh" in done.stdout


def test_its_workflow_is_one(tmp_path):
    pytest.importorskip("copier")
    for kind in KINDS:
        write_plugin("fresh", kind, tmp_path / kind)
    paths = [str(tmp_path / kind / ".github" / "workflows" / "ci.yml") for kind in KINDS]
    done = python("-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", *paths, cwd=ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_its_workflow_has_the_jobs_of_the_example(kind, fresh):
    path = fresh(kind) / ".github" / "workflows" / "ci.yml"
    text = (ROOT / "examples" / "ci" / "github-cpu.yml").read_text(encoding="utf-8")
    example, own = plain_yaml.parse(text), plain_yaml.read(path)
    if kind == "dataset":
        own["jobs"]["quickstart"]["steps"].remove({"run": "python tests/tiny_copy.py data"})
    del example["jobs"]["pages"]
    assert own["jobs"] == example["jobs"]
    assert all(own[key] == example[key] for key in ("permissions", "concurrency", "on"))
    assert own["env"].keys() == example["env"].keys()


def test_its_files_are_told_and_the_next_command(harness):
    pytest.importorskip("copier")
    done = harness("new", "plugin", "my_own", "--kind", "backbone", "--json")
    written = json.loads(done.stdout)
    assert "harness-my-own/harness_my_own/backbone.py" in written
    assert {*map(Path, written)} == {
        path.relative_to(harness.folder) for path in harness.folder.rglob("*") if path.is_file()
    }
    assert done.stderr == "next: cd harness-my-own && pip install -e '.[test]' && pytest && harness run suite.yaml\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Wrong", "--kind", "method"], "NAME 'Wrong': expected lower-case letters"),
        (["class", "--kind", "method"], "NAME 'class': a keyword of Python"),
        (["toy", "--kind", "method"], "NAME 'toy': the plugin 'toy' of harness-toy 1.0 is installed already"),
        (["mine", "--kind", "method", "-o", "full"], "full: has files already; give a new folder"),
        (["mine", "--kind", "method", "-o", "full/file"], "-o full/file: expected a folder"),
    ],
)
def test_a_wrong_command_is_one_line_and_writes_nothing(arguments, message, harness):
    pytest.importorskip("copier")
    (harness.folder / "full").mkdir()
    (harness.folder / "full" / "file").touch()
    done = harness("new", "plugin", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"harness: {message}")
    assert done.stderr.count("\n") == 1
    assert [path for path in harness.folder.rglob("*") if path.is_file()] == [harness.folder / "full" / "file"]


def test_an_unknown_kind_is_a_usage_error(harness):
    done = harness("new", "plugin", "mine", "--kind", "suite")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'--kind'" in done.stderr
    assert not [*harness.folder.iterdir()]


def test_without_copier_it_says_what_to_install(harness, monkeypatch):
    monkeypatch.setitem(sys.modules, "copier", None)
    done = harness("new", "plugin", "mine", "--kind", "method")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "harness: a new plugin needs copier: pip install 'video-harness[new]'\n"
    assert not [*harness.folder.iterdir()]
