"""Sources of a version: a clone of a commit, or of the working tree as it is."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.errors import UsageError
from harness.gate.cache import cached
from harness.gate.comparison import Version
from harness.system.hashing import file_hash

WORKING_TREE = ""
"""Reference that stands for the working tree with what is not committed."""
OF_A_REPOSITORY = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)
"""Variables of `git rev-parse --local-env-vars`, without those of settings."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """Sources of one side in a folder of their own."""

    version: Version
    folder: Path


def repository(path: Path) -> Path:
    """Root of the Git repository that `path` is in.

    Raises:
        UsageError: when it is in none, or Git is not installed.
    """
    return Path(_git(path, "rev-parse", "--show-toplevel"))


def resolve(root: Path, reference: str, left_out: Sequence[Path] = ()) -> Version:
    """Find the commit that a reference names.

    Args:
        root: of the repository.
        reference: commit, branch or tag; `WORKING_TREE` for the files as they are.
        left_out: folders whose untracked files are no part of the working tree, such as the gate's own.

    Raises:
        UsageError: when there is no such commit, with the way to fetch more of them.
    """
    if reference == WORKING_TREE:
        commit = _git(root, "rev-parse", "HEAD")
        changes = _changes(root, left_out)
        return Version("working tree", f"{commit}+{changes}" if changes else commit)
    found = _try_git(root, "rev-parse", "--verify", "--quiet", f"{reference}^{{commit}}")
    if found is None:
        msg = (
            f"{reference!r} names no commit of {root}: expected a commit, branch or tag "
            "(a shallow clone has few of them: git fetch --unshallow, or fetch-depth: 0 in a workflow)"
        )
        raise UsageError(msg)
    return Version(reference, found)


def check_out(root: Path, version: Version, folder: Path, left_out: Sequence[Path] = ()) -> Checkout:
    """Clone a version into `folder`, or keep what is there.

    Objects are shared with the repository, so that only files are written.

    Args:
        root: of the repository.
        version: as `resolve` found it.
        folder: new, or of the same version.
        left_out: as `resolve` took them.
    """
    with cached(folder) as complete:
        if not complete:
            commit, _, changes = version.commit.partition("+")
            _clone(root, folder)
            _git(folder, "checkout", "--quiet", "--detach", commit)
            if (folder / ".gitmodules").is_file():
                _git(folder, "config", "remote.origin.url", _origin(root))  # what relative addresses begin at
                _git(folder, "submodule", "--quiet", "update", "--init", "--recursive")
            if changes:
                _copy_changes(root, folder, left_out)
    return Checkout(version, folder)


def _clone(root: Path, folder: Path) -> None:
    """Clone without a checkout, and a shallow repository with all commits it has."""
    if _git(root, "rev-parse", "--is-shallow-repository") != "true":
        _git(root, "clone", "--quiet", "--shared", "--no-checkout", str(root), str(folder))
        return
    _git(root, "init", "--quiet", str(folder))
    objects, shallow = (root / _git(root, "rev-parse", "--git-path", name) for name in ("objects", "shallow"))
    (folder / ".git" / "objects" / "info" / "alternates").write_text(f"{objects.resolve()}\n", encoding="utf-8")
    shutil.copy2(shallow, folder / ".git" / "shallow")


def _origin(root: Path) -> str:
    """Address that a repository was cloned from; itself without one, as Git has it."""
    url = _try_git(root, "config", "remote.origin.url") or str(root)
    return str((root / url).resolve()) if url.startswith(".") else url


def _changes(root: Path, left_out: Sequence[Path]) -> str:
    """Hash the changes since the last commit, with untracked files; empty without."""
    changed = _changed_files(root, left_out)
    if not changed:
        return ""
    total = hashlib.sha256()
    for name in changed:
        path = root / name
        total.update(os.fsencode(f"{name}\0"))
        if path.is_symlink():
            total.update(os.fsencode(path.readlink()))
        elif path.is_file():
            total.update(bytes.fromhex(file_hash(path)))
    return total.hexdigest()[:12]


def _changed_files(root: Path, left_out: Sequence[Path]) -> list[str]:
    tracked = _git(root, "diff", "--name-only", "--no-renames", "-z", "HEAD").split("\0")
    others = _git(root, "ls-files", "--others", "--exclude-standard", "-z").split("\0")
    for name in tracked:
        if name and (root / name / ".git").exists():
            msg = f"the submodule {name} has changes: commit them, or name a commit with --head"
            raise UsageError(msg)
    top = root.resolve()
    within = [place for folder in left_out if top in (place := folder.resolve()).parents]
    own = [name for name in others if not any((top / name).is_relative_to(place) for place in within)]
    return sorted(name for name in {*tracked, *own} if name and not name.endswith("/"))  # no repository within


def _copy_changes(root: Path, folder: Path, left_out: Sequence[Path]) -> None:
    for name in _changed_files(root, left_out):  # a folder that became a link or a file before what was in it
        source, target = root / name, folder / name
        if _in_folders(folder, name):
            if target.is_dir() and not target.is_symlink():
                shutil.rmtree(target)
            target.unlink(missing_ok=True)
        if _in_folders(root, name) and (source.is_symlink() or source.is_file()):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)


def _in_folders(root: Path, name: str) -> bool:
    """True if no folder above a name is a link, which leads elsewhere, or a file."""
    above = [root / parent for parent in PurePosixPath(name).parents]
    return not any(place.is_symlink() or place.is_file() for place in above if place != root)


def without_repository() -> dict[str, str]:
    """Environment variables without those that name a repository.

    Git gives them to hooks, and they count more than the folder that a command is said in.
    """
    return {name: value for name, value in os.environ.items() if name not in OF_A_REPOSITORY}


def _git(folder: Path, *arguments: str) -> str:
    try:
        command = ["git", "-C", str(folder), *arguments]
        run = subprocess.run(command, capture_output=True, env=without_repository(), check=False)  # noqa: S603
    except FileNotFoundError:
        msg = "git is not installed, which the gate takes both versions from"
        raise UsageError(msg) from None
    if run.returncode:
        lines = os.fsdecode(run.stderr).strip().splitlines() or [f"exit code {run.returncode}"]
        msg = f"git {arguments[0]} in {folder}: {lines[-1]}"
        raise UsageError(msg)
    return os.fsdecode(run.stdout).rstrip("\r\n")  # names of files need not be text


def _try_git(folder: Path, *arguments: str) -> str | None:
    try:
        return _git(folder, *arguments)
    except UsageError:
        return None
