"""Workflows of this repository and those to copy: valid, alike, and careful."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.system import plain_yaml
from tests.gate.conftest import Repository

ROOT = Path(__file__).parent.parent
OWN = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
EXAMPLES = sorted((ROOT / "examples" / "ci").glob("*.yml"))
GITLAB = ROOT / "examples" / "ci" / "gitlab-ci.yml"
GITHUB = [*OWN, *(path for path in EXAMPLES if path != GITLAB)]
OFFICIAL = re.compile(r"actions/[a-z-]+(/[a-z]+)?@v\d+")


def read(path):
    return plain_yaml.read(path)


def steps(path):
    return [step for job in read(path)["jobs"].values() for step in job["steps"]]


def check(schema, *paths):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("schema", "paths"), [("vendor.github-workflows", GITHUB), ("vendor.gitlab-ci", [GITLAB])])
def test_files_are_what_their_schema_says(schema, paths, tmp_path):
    assert (done := check(schema, *paths)).returncode == 0, done.stdout
    broken = tmp_path / "broken.yml"
    broken.write_text(paths[0].read_text(encoding="utf-8") + "\nstages: 3\njobs: {one: {steps: 4}}\n")
    assert check(schema, broken).returncode == 1


@pytest.mark.skipif(shutil.which("actionlint") is None, reason="actionlint is not installed")
def test_actionlint_finds_nothing():
    done = subprocess.run(["actionlint", *map(str, GITHUB)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_this_repository_runs_the_jobs_of_the_example():
    example = read(ROOT / "examples" / "ci" / "github-cpu.yml")["jobs"]
    own = {}
    for path in OWN:
        own |= {name: job for name, job in read(path)["jobs"].items() if name in example}
    assert own == example


def test_all_plugins_and_supported_versions_are_tested():
    plugins = [path.parent.name for path in sorted(ROOT.glob("plugins/*/pyproject.toml"))]
    ci = read(ROOT / ".github" / "workflows" / "ci.yml")
    assert ci["jobs"]["plugins"]["strategy"]["matrix"]["plugin"] == plugins
    assert all(f"-e plugins/{name}" in ci["env"]["INSTALL"] for name in plugins)
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (first,) = re.findall(r'requires-python = ">=(3\.\d+)"', project)
    listed = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', project)
    assert listed[0] == first
    jobs = read(ROOT / ".github" / "workflows" / "scheduled.yml")["jobs"]
    assert jobs["newest"]["strategy"]["matrix"]["python"] == [listed[0], listed[-1]]
    assert jobs["oldest"]["steps"][1]["with"]["python-version"] == listed[0]
    assert jobs["systems"]["strategy"]["matrix"]["system"] == ["windows-latest", "macos-latest"]


@pytest.mark.parametrize("path", GITHUB, ids=lambda path: path.name)
def test_a_workflow_may_do_little_and_not_for_ever(path):
    workflow = read(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"]
    assert "secrets." not in path.read_text(encoding="utf-8")
    assert "pull_request_target" not in path.read_text(encoding="utf-8")
    for name, job in workflow["jobs"].items():
        assert 0 < job["timeout-minutes"] <= 90
        assert name == "pages" or "permissions" not in job
    for step in steps(path):
        assert "uses" not in step or OFFICIAL.fullmatch(step["uses"])
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
        assert "${{ github" not in step.get("run", "")  # text of a pull request is no shell code


@pytest.mark.parametrize("path", [path for path in GITHUB if "bench gate" in path.read_text()], ids=lambda p: p.name)
def test_a_gate_sees_the_base(path):
    jobs = read(path)["jobs"].values()
    (gate,) = [job for job in jobs if any("bench gate" in step.get("run", "") for step in job["steps"])]
    assert gate["steps"][0]["with"]["fetch-depth"] == 0


@pytest.fixture
def gate_step(tmp_path):
    """Run the shell's own lines of an example, with a gate that ends as wanted."""
    if (bash := shutil.which("bash")) is None:
        pytest.skip("bash is not installed")

    def gate_step(name, base, answer, event="pull_request"):
        fake = tmp_path / "harness"
        fake.write_text(f'#!/bin/sh\necho "$@" > told\nmkdir -p gate\necho table > gate/summary.md\nexit {answer}\n')
        fake.chmod(0o755)
        (step,) = [each for each in steps(ROOT / "examples" / "ci" / name) if "bench gate" in each.get("run", "")]
        environment = {
            **os.environ,
            "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
            "BASE": base,
            "GITHUB_EVENT_NAME": event,
            "GIT_CEILING_DIRECTORIES": str(tmp_path.parent),
            "BENCHMARKS": "benchmarks -k decode",
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        }
        command = [bash, "-e", "-o", "pipefail", "-c", step["run"]]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return gate_step


@pytest.mark.parametrize(("answer", "passes"), [(0, True), (1, False), (2, False), (5, True)])
@pytest.mark.parametrize("name", ["github-cpu.yml", "github-gpu.yml", "plugin-gate.yml"])
def test_an_inconclusive_gate_warns_and_passes(gate_step, name, answer, passes, tmp_path):
    done = gate_step(name, "abc", answer)
    assert (done.returncode == 0) == passes, done.stderr
    assert ("::warning" in done.stdout) == (answer == 5)
    told = (tmp_path / "told").read_text().split()
    assert told[:2] == ["bench", "gate"]
    assert "benchmarks" in told
    assert told[told.index("--base") + 1] == "abc"
    if name != "plugin-gate.yml":  # where the summary is a step of its own
        assert (tmp_path / "summary").read_text() == "table\n"


@pytest.mark.parametrize("base", [40 * "0", 40 * "d"], ids=["first", "forced"])
@pytest.mark.parametrize("name", ["github-cpu.yml", "github-gpu.yml"])
def test_a_push_without_its_base_passes(gate_step, name, base, tmp_path):
    Repository(tmp_path).commit()
    done = gate_step(name, base, 2, "push")
    assert done.returncode == 0, done.stderr
    assert "::notice" in done.stdout
    assert not (tmp_path / "told").exists()


@pytest.mark.parametrize("name", ["github-cpu.yml", "github-gpu.yml"])
def test_a_push_is_compared_with_what_was_there_before(gate_step, name, tmp_path):
    before = Repository(tmp_path).commit()
    done = gate_step(name, before, 1, "push")
    assert done.returncode == 1, done.stderr
    assert before in (tmp_path / "told").read_text()


def test_a_pull_request_is_compared_with_what_it_is_merged_with():
    for path in (path for path in GITHUB if "bench gate" in path.read_text()):
        text = path.read_text(encoding="utf-8")
        assert "HEAD^1" in text
        assert "base.sha" not in text
    (line,) = [line for line in read(GITLAB)["gate"]["script"] if "bench gate" in line]
    assert '"${CI_MERGE_REQUEST_TARGET_BRANCH_SHA:-$CI_MERGE_REQUEST_DIFF_BASE_SHA}"' in line


def test_an_inconclusive_gate_without_a_table_passes(tmp_path):
    (step,) = [
        each for each in steps(ROOT / "examples" / "ci" / "plugin-gate.yml") if "summary.md" in each.get("run", "")
    ]
    if (bash := shutil.which("bash")) is None:
        pytest.skip("bash is not installed")
    environment = {**os.environ, "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    subprocess.run([bash, "-e", "-c", step["run"]], cwd=tmp_path, env=environment, check=True)


def test_a_runner_of_ones_own_keeps_the_home_where_no_checkout_cleans():
    path = ROOT / "examples" / "ci" / "github-gpu.yml"
    assert "HARNESS_HOME" not in read(path)["env"]
    (step,) = [step["run"] for step in steps(path) if "HARNESS_HOME" in step.get("run", "")]
    assert step == 'echo "HARNESS_HOME=$HOME/.harness" >> "$GITHUB_ENV"'


def test_gitlab_takes_an_inconclusive_gate_as_a_warning():
    gate = read(GITLAB)["gate"]
    assert gate["allow_failure"] == {"exit_codes": [5]}
    assert gate["variables"]["GIT_DEPTH"] == "0"
