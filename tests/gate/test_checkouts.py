from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.gate.checkouts import WORKING_TREE, check_out, resolve
from harness.gate.checkouts import repository as root_of
from harness.gate.environments import variables

from .conftest import WORK, Repository


def test_a_commit_is_checked_out_as_it_was(repository, tmp_path):
    first = repository.commit(toy=WORK)
    repository.commit(toy="changed = 1\n")
    version = resolve(repository.folder, first[:10])
    assert version.commit == first
    found = check_out(repository.folder, version, tmp_path / "first")
    assert (found.folder / "toy.py").read_text() == WORK
    assert (repository.folder / "toy.py").read_text() == "changed = 1\n"


def test_the_working_tree_has_changes_and_new_files_but_not_ignored_or_deleted_ones(repository, tmp_path):
    (repository.folder / ".gitignore").write_text("ignored.py\n")
    commit = repository.commit(toy=WORK, old="1\n")
    assert resolve(repository.folder, WORKING_TREE).commit == commit
    repository.write(toy="changed = 1\n", below__new="2\n", ignored="3\n")
    (repository.folder / "old.py").unlink()
    version = resolve(repository.folder, WORKING_TREE)
    assert version.commit.startswith(f"{commit}+")
    folder = check_out(repository.folder, version, tmp_path / "tree").folder
    assert (folder / "toy.py").read_text() == "changed = 1\n"
    assert (folder / "below" / "new.py").read_text() == "2\n"
    assert not (folder / "ignored.py").exists()
    assert not (folder / "old.py").exists()
    repository.write(toy="changed = 2\n")
    assert resolve(repository.folder, WORKING_TREE) != version


def test_a_checkout_of_which_a_part_is_there_is_made_anew(repository, tmp_path):
    version = resolve(repository.folder, repository.commit(toy=WORK))
    folder = tmp_path / "first"
    folder.mkdir()
    (folder / "left.py").write_text("half\n")
    check_out(repository.folder, version, folder)
    assert not (folder / "left.py").exists()
    (folder / "kept.py").write_text("there\n")
    assert (check_out(repository.folder, version, folder).folder / "kept.py").exists()


def test_a_shallow_clone_has_what_was_fetched(repository, tmp_path):
    first = repository.commit(toy=WORK)
    repository.git("branch", "old")
    repository.commit(toy="changed = 1\n")
    shallow = tmp_path / "shallow"
    source = f"file://{repository.folder}"
    repository.git("clone", "--quiet", "--depth=1", "--single-branch", "--branch=main", source, str(shallow))
    fetch = ["git", "-C", str(shallow), "fetch", "--quiet", "--depth=1", "origin", first]
    subprocess.run(fetch, check=True, capture_output=True)
    found = check_out(shallow, resolve(shallow, first), tmp_path / "first")
    assert (found.folder / "toy.py").read_text() == WORK


def test_links_stay_links_and_a_changed_submodule_is_refused(repository, tmp_path):
    (repository.folder / "folder").mkdir()
    repository.commit(toy=WORK, folder__one="1\n")
    (repository.folder / "link").symlink_to("folder")
    folder = check_out(repository.folder, resolve(repository.folder, WORKING_TREE), tmp_path / "tree").folder
    assert (folder / "link").readlink() == Path("folder")
    allowed = ["-c", "protocol.file.allow=always"]
    repository.git(*allowed, "submodule", "--quiet", "add", str(repository.folder), "inner")
    repository.commit()
    (repository.folder / "inner" / "toy.py").write_text("changed\n")
    with pytest.raises(UsageError, match="the submodule inner has changes"):
        resolve(repository.folder, WORKING_TREE)


def test_the_gates_own_folders_are_no_changes(repository, tmp_path):
    commit = repository.commit(toy=WORK, reports__old="1\n")
    repository.write(reports__new="2\n", home__gate__environment="3\n")
    own = [repository.folder / "reports", repository.folder / "home"]
    assert resolve(repository.folder, WORKING_TREE, own).commit == commit
    repository.write(reports__old="changed = 1\n")  # of the repository
    version = resolve(repository.folder, WORKING_TREE, own)
    folder = check_out(repository.folder, version, tmp_path / "tree", own).folder
    assert (folder / "reports" / "old.py").read_text() == "changed = 1\n"
    assert not (folder / "reports" / "new.py").exists()
    assert not (folder / "home").exists()
    repository.write(new="4\n")
    assert resolve(repository.folder, WORKING_TREE, [repository.folder]) != version  # all of it is left out of nothing
    assert resolve(repository.folder, WORKING_TREE, own) != version


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_folder_that_became_a_file_or_a_link(repository, tmp_path, kind):
    repository.commit(toy=WORK, package__one="1\n", package__two="2\n")
    elsewhere = tmp_path / "elsewhere"
    (repository.folder / "package").rename(elsewhere)
    if kind == "link":
        (repository.folder / "package").symlink_to(elsewhere)
    else:
        (repository.folder / "package").write_text("a file\n")
    folder = check_out(repository.folder, resolve(repository.folder, WORKING_TREE), tmp_path / "tree").folder
    assert sorted(path.name for path in elsewhere.iterdir()) == ["one.py", "two.py"]
    if kind == "link":
        assert (folder / "package").readlink() == elsewhere
    else:
        assert (folder / "package").read_text() == "a file\n"


def test_a_file_and_a_link_that_became_folders(repository, tmp_path):
    repository.write(toy=WORK, package="1\n")
    (repository.folder / "link").symlink_to(tmp_path)
    repository.commit()
    (repository.folder / "package.py").unlink()
    (repository.folder / "link").unlink()
    for name in ("package.py", "link"):
        (repository.folder / name).mkdir()
        (repository.folder / name / "inner.py").write_text("2\n")
    folder = check_out(repository.folder, resolve(repository.folder, WORKING_TREE), tmp_path / "tree").folder
    assert [(folder / name / "inner.py").read_text() for name in ("package.py", "link")] == ["2\n", "2\n"]
    assert not (tmp_path / "inner.py").exists()


def test_in_a_hook_the_users_repository_is_left_as_it_is(repository, tmp_path, monkeypatch):
    first = repository.commit(toy=WORK)
    last = repository.commit(toy="changed = 1\n")
    repository.write(toy="changed = 2\n")
    repository.git("add", "--all")
    own = repository.folder / ".git"
    before = (own / "index").read_bytes()
    with monkeypatch.context() as hook:
        hook.setenv("GIT_DIR", str(own))
        hook.setenv("GIT_INDEX_FILE", str(own / "index"))
        hook.setenv("GIT_WORK_TREE", str(repository.folder))
        root = root_of(repository.folder)
        folder = check_out(root, resolve(root, first), tmp_path / "first").folder
        tree = check_out(root, resolve(root, WORKING_TREE), tmp_path / "tree").folder
        assert not {"GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"} & {*variables()}
    assert (folder / "toy.py").read_text() == WORK
    assert (tree / "toy.py").read_text() == "changed = 2\n"
    assert (own / "HEAD").read_text() == "ref: refs/heads/main\n"
    assert repository.git("rev-parse", "HEAD") == last
    assert (own / "index").read_bytes() == before
    assert (repository.folder / "toy.py").read_text() == "changed = 2\n"


@pytest.mark.parametrize("depth", [(), ("--depth=1",)])
def test_relative_addresses_of_submodules_begin_where_the_repository_came_from(tmp_path, monkeypatch, depth):
    for name, value in (("COUNT", "1"), ("KEY_0", "protocol.file.allow"), ("VALUE_0", "always")):
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    server = tmp_path / "server"
    for name in ("library", "project"):
        (server / name).mkdir(parents=True)
    library, project = Repository(server / "library"), Repository(server / "project")
    library.commit(inner="1\n")
    project.git("submodule", "--quiet", "add", str(server / "library"), "library")
    project.git("config", "--file", ".gitmodules", "submodule.library.url", "../library")
    commit = project.commit(toy=WORK)
    user = tmp_path / "user" / "project"
    project.git("clone", "--quiet", *depth, f"file://{server}/project", str(user))
    folder = check_out(user, resolve(user, commit), tmp_path / "first").folder
    assert (folder / "library" / "inner.py").read_text() == "1\n"


@pytest.mark.skipif(sys.platform in ("darwin", "win32"), reason="names of files are text there")
def test_untracked_names_need_not_be_text(repository, tmp_path):
    repository.commit(toy=WORK)
    name = os.fsdecode(b" odd \xff.bin")
    (repository.folder / name).write_bytes(b"1")
    version = resolve(repository.folder, WORKING_TREE)
    assert (check_out(repository.folder, version, tmp_path / "tree").folder / name).read_bytes() == b"1"


def test_untracked_files_are_read_in_blocks(repository, monkeypatch):
    repository.commit(toy=WORK)
    repository.write(large="1\n")
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail(f"{path} was read as a whole"))
    version = resolve(repository.folder, WORKING_TREE)
    repository.write(large="2\n")
    assert resolve(repository.folder, WORKING_TREE) != version


def test_an_unknown_reference_says_how_to_fetch_it(repository):
    repository.commit(toy=WORK)
    with pytest.raises(UsageError, match=r"'origin/main' names no commit .* fetch-depth: 0"):
        resolve(repository.folder, "origin/main")


def test_no_option_passes_as_a_reference(repository):
    repository.commit(toy=WORK)
    with pytest.raises(UsageError, match="names no commit"):
        resolve(repository.folder, "--help")


def test_outside_of_a_repository(tmp_path):
    with pytest.raises(UsageError, match="not a git repository"):
        root_of(tmp_path)
