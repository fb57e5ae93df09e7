"""What the distributions say of themselves: one version, one address, dependencies that are imported."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from harness.cli.doctor import IMPORTED_AS
from harness.system import plain_yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parent.parent
FOLDERS = [ROOT, *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))]
PROJECTS = {
    folder: tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"] for folder in FOLDERS
}
CORE = PROJECTS[ROOT]
GROUPS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["dependency-groups"]
HOME = CORE["urls"]["Homepage"]
RAW = HOME.replace("github.com", "raw.githubusercontent.com")
DEPENDENCIES = [*CORE["dependencies"], *(one for extra in CORE["optional-dependencies"].values() for one in extra)]


def test_all_have_one_version():
    versions = {folder.name: project["version"] for folder, project in PROJECTS.items()}
    versions["citation"] = plain_yaml.read(ROOT / "CITATION.cff")["version"]
    (versions["changelog"], *_) = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert set(versions.values()) == {CORE["version"]}, versions


@pytest.mark.parametrize("folder", FOLDERS[1:], ids=lambda folder: folder.name)
def test_a_plugin_says_what_the_core_says(folder):
    project = PROJECTS[folder]
    for field in ("authors", "license", "requires-python"):
        assert project[field] == CORE[field]
    assert project["urls"]["Homepage"] == f"{HOME}/tree/main/plugins/{folder.name}"
    assert {name: project["urls"][name] for name in ("Source", "Issues", "Changelog")}.items() <= CORE["urls"].items()
    needed = [Requirement(one) for one in project["dependencies"]]
    ours = [one for one in needed if one.name.startswith("video-harness")]
    assert "video-harness" in {one.name for one in ours}
    assert all(CORE["version"] in one.specifier and one.specifier for one in ours)


def test_no_newer_python_is_shut_out():
    bounds = {one.operator for one in SpecifierSet(CORE["requires-python"])}
    assert bounds == {">="}


def test_what_is_pinned_installs_on_the_oldest_python():
    oldest = CORE["requires-python"].removeprefix(">=")
    named = [one for group in GROUPS.values() for one in group if isinstance(one, str)]
    seen = set()
    for one in map(Requirement, [*DEPENDENCIES, *named]):
        if not any(bound.operator == "==" for bound in one.specifier):
            continue
        if one.marker and not one.marker.evaluate({"python_version": oldest, "python_full_version": f"{oldest}.0"}):
            continue
        try:
            there = metadata.distribution(one.name)
        except metadata.PackageNotFoundError:
            continue
        if there.version in one.specifier:
            seen.add(one.name)
            assert SpecifierSet(there.metadata["Requires-Python"] or "").contains(oldest), one
    assert {"mmengine-lite"} <= seen


def test_the_oldest_pandas_is_one_for_the_oldest_numpy():
    named = [one for one in GROUPS["test"] if isinstance(one, str)]
    bounds = {one.name: one.specifier for one in map(Requirement, [*CORE["dependencies"], *named])}
    assert not bounds["numpy"].contains("1.26.4")  # which no OpenCV that is allowed takes
    assert not bounds["pandas"].contains("2.2.1")  # the last that is built for NumPy 1


def test_both_commands_are_the_same():
    assert CORE["scripts"] == dict.fromkeys(("harness", "video-harness"), "harness.cli.app:main")


@pytest.mark.parametrize("dependency", DEPENDENCIES)
def test_what_is_depended_on_is_imported(dependency):
    name = Requirement(dependency).name.lower()
    module = {**IMPORTED_AS, "torchvision": "torchvision", "tensorboard": "torch.utils.tensorboard"}.get(
        name, name.replace("-", "_")
    )
    text = "\n".join(path.read_text(encoding="utf-8") for path in sorted((ROOT / "harness").rglob("*.py")))
    imported = re.compile(rf"^\s*(import|from) {re.escape(module)}\b|\"{re.escape(module)}[\".]", flags=re.MULTILINE)
    assert imported.search(text)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_links_of_a_readme_work_on_an_index(folder):
    text = (folder / PROJECTS[folder]["readme"]).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#\s][^)\s]*)\)", text)
    assert links
    assert all(link.startswith(("https://", "http://")) for link in links)
    for link in links:
        place = re.fullmatch(rf"(?:{HOME}/(?:blob|tree)|{RAW})/main/(.*)", link)
        left_out = place and place[1].startswith("leaderboards") and not (ROOT / "leaderboards").exists()  # in an sdist
        assert place is None or left_out or (ROOT / place[1]).exists(), link


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="what is committed is asked of git")
def test_an_sdist_has_everything_but_the_committed_boards():
    words = (ROOT / "MANIFEST.in").read_text(encoding="utf-8").split()
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    tops = {path.partition("/")[0] for path in listed.splitlines()}
    of_setuptools = {"LICENSE", "README.md", "MANIFEST.in", "pyproject.toml", "harness"}
    assert tops - set(words) - of_setuptools == {".gitattributes", ".gitignore"}
    assert "prune leaderboards" in " ".join(words)


def test_the_citation_is_what_its_schema_says():
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.citation-file-format"]
    done = subprocess.run([*command, ROOT / "CITATION.cff"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    citation = plain_yaml.read(ROOT / "CITATION.cff")
    assert citation["url"] == HOME
    assert [{"name": author["name"]} for author in citation["authors"]] == CORE["authors"]
    assert citation["license"] == CORE["license"]
