"""The command line in an empty folder, with the toy plugin installed: in this process, or in another one."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys

import pytest

from harness.cli.app import STOPPING, main
from harness.system import freed_memory, paths


@pytest.fixture
def folder(toy, tmp_path, monkeypatch):
    """Empty folder that the command line runs in."""
    folder = tmp_path / "cwd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def harness(folder, monkeypatch):
    """Run `harness` in this process, which spares the seconds that imports take."""
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")  # else `main` sets them for the tests that follow, too
    monkeypatch.setenv("OPENBLAS_THREAD_TIMEOUT", "4")
    for variable, value in freed_memory.kept().items():
        monkeypatch.setenv(variable, value)

    def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
        handlers = {number: signal.getsignal(number) for number in STOPPING}
        stdout, stderr, code = io.StringIO(), io.StringIO(), 0
        try:
            with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
                main(list(arguments))
        except SystemExit as end:
            code = end.code or 0
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return subprocess.CompletedProcess(arguments, code, stdout.getvalue(), stderr.getvalue())

    harness.folder = folder
    return harness


@pytest.fixture(scope="module")
def left():
    """Results of commands of a module's tests, and copies of the folders that they left."""
    return {}


@pytest.fixture
def once(harness, toy, left, tmp_path_factory):
    """Run the first command of several tests of a module once, and give each what it left."""

    def once(*arguments: str) -> subprocess.CompletedProcess[str]:
        if arguments not in left:
            result, copy = harness(*arguments), tmp_path_factory.mktemp("once")
            for name, folder in (("home", paths.home()), ("cwd", harness.folder)):
                shutil.copytree(folder, copy / name)
            shutil.copy(toy, copy)
            left[arguments] = result, copy
            return result
        result, copy = left[arguments]
        for name, folder in (("home", paths.home()), ("cwd", harness.folder)):
            shutil.copytree(copy / name, folder, dirs_exist_ok=True)
        shutil.copy(copy / toy.name, toy)
        return result

    return once


@pytest.fixture
def harness_process(folder):
    """Run `harness` in a process of its own, as a user does."""

    def harness(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "harness", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)

    harness.folder = folder
    return harness


@pytest.fixture
def distribution(tmp_path, monkeypatch):
    """Install a distribution whose plugin is one module, in front of the others."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ["PYTHONPATH"]]))

    def distribution(name, source):
        (tmp_path / f"broken_{name}.py").write_text(source)
        metadata = tmp_path / f"broken_{name}-2.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: broken-{name}\nVersion: 2.0\n")
        (metadata / "entry_points.txt").write_text(f"[harness]\n{name} = broken_{name}\n")

    return distribution


@pytest.fixture
def broken(distribution):
    """Four distributions that do not load."""
    sources = {
        "raises": "raise ImportError('no such thing')",
        "leaves": "import sys\nsys.exit(7)",
        "misspells": "from harness import hookimpl\n@hookimpl\ndef harness_metods(registry): pass\n",
        "doubles": "from harness import MethodCard, hookimpl\n@hookimpl\ndef harness_methods(registry):\n"
        "    registry.register(MethodCard(name='aaa', summary='Half.'), 'x:Y')\n"
        "    registry.register(MethodCard(name='supervised', summary='Taken.'), 'x:Y')\n",
    }
    for name, source in sources.items():
        distribution(name, source)
    return list(sources)
