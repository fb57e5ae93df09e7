"""The template: what may be a name, what is written, what copier does with it by hand and later."""

from __future__ import annotations

import glob
import keyword
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.plugins.manager import Plugins
from harness.plugins.scaffold import TEMPLATE, expect_free, project_name, write_plugin
from harness.system import plain_yaml

copier = pytest.importorskip("copier")
pytestmark = pytest.mark.filterwarnings("ignore:GitWildMatchPattern:DeprecationWarning")  # of copier before 9.12
ROOT = Path(__file__).parent.parent.parent
KEYWORDS = [*(word for word in keyword.kwlist if word.islower()), "true", "false", "null"]
WRONG = ["", "My-method", "3d", "a--b", "a-", "-a", "a b", "a.b", "é", "a\n", "x" * 41, "harness-a"]


@pytest.fixture
def plugins(toy):
    return Plugins()


@pytest.fixture
def repository(tmp_path):
    """The template in a git repository laid out as this one, at tag v0.1.0; gives `git` in it."""
    folder = tmp_path / "repository"
    shutil.copytree(TEMPLATE, folder / TEMPLATE.relative_to(ROOT))
    shutil.copy(ROOT / "copier.yml", folder)
    git = git_in(folder)
    git("init", "-q")
    commit(git, "v0.1.0")
    git.folder = folder
    return git


def git_in(folder):
    names = ["-c", "user.name=A", "-c", "user.email=a@example.org"]

    def git(*arguments):
        subprocess.run(["git", "-C", str(folder), *names, *arguments], check=True, capture_output=True)

    return git


def commit(git, tag=""):
    git("add", "-A")
    git("commit", "-q", "-m", "A change")
    if tag:
        git("tag", tag)


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", [*WRONG, *KEYWORDS])
def test_what_is_no_name(name, tmp_path):
    with pytest.raises(UsageError, match=f"^NAME {re.escape(repr(name))}: [^\n]+$"):
        project_name(name)
    with pytest.raises(UsageError, match=r"^NAME"):
        write_plugin(name, "method", tmp_path / "new")
    with pytest.raises(ValueError, match="name"):
        copier.run_copy(str(TEMPLATE), tmp_path / "new", data={"name": name, "kind": "method"}, quiet=True)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("name", ["a", "my-method", "my_method", "x" * 40, "i3d-v2"])
def test_what_is_a_name(name, plugins, tmp_path):
    expect_free(name, "method", plugins)
    write_plugin(name, "method", tmp_path / "new")
    assert f'name = "{project_name(name)}"' in (tmp_path / "new" / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    ("name", "kind", "owner"),
    [
        ("supervised", "method", "the method 'supervised' of builtin"),
        ("reads-labels", "method", "the method 'reads_labels' of harness-toy 1.0"),
        ("small_2d", "backbone", "the backbone 'small_2d' of builtin"),
        ("blobs", "dataset", "the data set 'blobs' of harness-toy 1.0"),
        ("knn", "evaluator", "the evaluator 'knn' of builtin"),
        ("toy", "evaluator", "the plugin 'toy' of harness-toy 1.0"),
        ("hostile", "method", "the package harness_hostile"),
        ("other", "method", "the project harness-other"),
    ],
)
def test_what_is_taken(name, kind, owner, plugins, tmp_path, monkeypatch):
    metadata = tmp_path / "harness_other-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: harness-other\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(ROOT / "tests" / "hostile_plugin")
    with pytest.raises(UsageError) as error:
        expect_free(name, kind, plugins)
    assert str(error.value) == f"NAME {name!r}: {owner} is installed already; choose another"
    expect_free("supervised", "evaluator", plugins)


@pytest.mark.parametrize("there", [True, False])
def test_written_whole_or_not_at_all(there, tmp_path, monkeypatch):
    folder = tmp_path / "some" / "folder"
    if there:
        folder.mkdir(parents=True)

    def stops(source, target, **options):
        (target / "half").touch()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(copier, "run_copy", stops)
        with pytest.raises(KeyboardInterrupt):
            write_plugin("mine", "method", folder)
    assert folder.exists() == there
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    written = write_plugin("mine", "method", folder)
    assert written == sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert {path.name for path in folder.parent.iterdir()} == {"folder"}


def test_a_folder_with_files_stays_as_it_is(tmp_path):
    (tmp_path / "mine").touch()
    for folder in (tmp_path, tmp_path / "mine"):
        with pytest.raises(UsageError, match=rf"^{folder}: has files already; give a new folder$"):
            write_plugin("mine", "method", folder)
    assert [*tmp_path.iterdir()] == [tmp_path / "mine"]


@pytest.mark.parametrize("kind", ["method", "backbone", "dataset", "evaluator"])
def test_copier_by_hand_gives_the_same(kind, tmp_path):
    write_plugin("my-own", kind, tmp_path / "new")
    copier.run_copy(str(TEMPLATE), tmp_path / "hand", data={"name": "my-own", "kind": kind}, defaults=True, quiet=True)
    assert contents(tmp_path / "new") == contents(tmp_path / "hand")
    files = {path.as_posix() for path in contents(tmp_path / "new")}
    assert {file for file in files if file.startswith("harness_my_own/")} == {
        f"harness_my_own/{name}" for name in ("__init__.py", f"{kind}.py", "py.typed")
    }
    assert f"tests/test_{kind}.py" in files
    assert not [file for file in files if "{" in file or file.endswith(".jinja")]


def test_packages_of_this_project_have_the_whole_template():
    tomllib = pytest.importorskip("tomllib", reason="part of Python since 3.11")
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    patterns = [glob.escape(str(TEMPLATE.parent.parent)) + f"/{one}" for one in tools["package-data"]["harness"]]
    packed = {Path(path) for pattern in patterns for path in glob.glob(pattern, recursive=True)}  # noqa: PTH207
    assert [path for path in TEMPLATE.rglob("*") if path.is_file() and path not in packed] == []


def test_the_template_runs_no_code():
    for path in (ROOT / "copier.yml", TEMPLATE / "copier.yml"):
        keys = set(re.findall(r"^(_\w+):", path.read_text(encoding="utf-8"), re.MULTILINE))
        assert keys <= {"_min_copier_version", "_subdirectory", "_envops", "_exclude"}


def test_the_extra_is_what_the_template_asks_for():
    least = plain_yaml.read(TEMPLATE / "copier.yml")["_min_copier_version"]
    extra = re.search(r'^new = \["copier>=([\d.]+)"\]$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert least == f"{extra[1]}.0"


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")
@pytest.mark.parametrize("by_hand", [True, False])
def test_an_update_follows_the_template(by_hand, repository, tmp_path):
    mine = tmp_path / "mine"
    if by_hand:
        copier.run_copy(
            str(repository.folder), mine, data={"name": "mine", "kind": "method"}, defaults=True, quiet=True
        )
    else:
        write_plugin("mine", "method", mine)
        answers = (mine / ".copier-answers.yml").read_text()
        answers = answers.replace("# _src_path: https://...", f"_src_path: {repository.folder}")
        (mine / ".copier-answers.yml").write_text(answers.replace("# _commit: v...", "_commit: v0.1.0"))
    own = mine / "harness_mine" / "method.py"
    own.write_text(re.sub(r"lr: float = [0-9.]+", "lr: float = 0.5", own.read_text()))
    git = git_in(mine)
    git("init", "-q")
    commit(git)
    hooks = repository.folder / TEMPLATE.relative_to(ROOT) / "project" / "{{package}}" / "__init__.py.jinja"
    hooks.write_text(hooks.read_text().replace("def harness_methods(", "def harness_newer_methods("))
    commit(repository, "v0.2.0")
    copier.run_update(mine, defaults=True, overwrite=True, quiet=True)
    assert "def harness_newer_methods(" in (mine / "harness_mine" / "__init__.py").read_text()
    assert "lr: float = 0.5" in own.read_text()
    answers = plain_yaml.read(mine / ".copier-answers.yml")
    assert (answers["_commit"], answers["name"], answers["kind"]) == ("v0.2.0", "mine", "method")
