from __future__ import annotations

import os
import subprocess
import zipfile

import pytest

from harness.gate.checkouts import Checkout
from harness.gate.comparison import Version
from harness.gate.environments import InstallationError, environment, interpreter, other_packages


@pytest.fixture
def checkout(tmp_path):
    """Sources that are a wheel, which installs without a network."""
    folder = tmp_path / "sources"
    folder.mkdir()
    with zipfile.ZipFile(folder / "toy-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("toy.py", "number = 7\n")
        wheel.writestr("toy-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")
        wheel.writestr(
            "toy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: toy\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(
            "toy-1.0.dist-info/RECORD", "toy.py,,\ntoy-1.0.dist-info/METADATA,,\ntoy-1.0.dist-info/WHEEL,,\n"
        )
    return Checkout(Version("main", "c" * 40), folder)


WHEEL = ("--no-index", "--no-deps", "./toy-1.0-py3-none-any.whl")


def test_the_version_is_installed_and_nothing_of_ours(checkout, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", os.defpath)  # without uv
    python = environment(checkout, WHEEL, tmp_path / "cache")
    program = "import toy, importlib.util; print(toy.number, importlib.util.find_spec('harness'))"
    shown = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert shown.stdout.split() == ["7", "None"]


def test_a_complete_environment_is_used_again_and_half_a_one_is_not(checkout, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", os.defpath)
    python = environment(checkout, WHEEL, tmp_path / "cache")
    before = python.lstat().st_mtime_ns
    assert environment(checkout, WHEEL, tmp_path / "cache").lstat().st_mtime_ns == before
    next((tmp_path / "cache").glob("*.done")).unlink()
    environment(checkout, WHEEL, tmp_path / "cache")
    assert python.lstat().st_mtime_ns != before


@pytest.mark.skipif(os.name == "nt", reason="a shell script stands for uv")
def test_uv_gets_what_the_environment_says_to_pip(checkout, tmp_path, monkeypatch):
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text(f'#!/bin/sh\n[ "$1" = venv ] && mkdir "$6" || env > "{tmp_path}/said"\n')
    uv.chmod(0o755)
    monkeypatch.setenv("PATH", f"{uv.parent}{os.pathsep}{os.defpath}")
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example.org/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://one.example.org  https://two.example.org")
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels https://three.example.org")
    monkeypatch.setenv("PIP_CONSTRAINT", "ours.txt")
    monkeypatch.setenv("UV_CONSTRAINT", "uvs.txt")
    environment(checkout, ("toy",), tmp_path / "cache")
    said = dict(line.split("=", 1) for line in (tmp_path / "said").read_text().splitlines() if line.startswith("UV_"))
    assert said == {
        "UV_INDEX_URL": "https://mirror.example.org/simple",
        "UV_EXTRA_INDEX_URL": "https://one.example.org https://two.example.org",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_FIND_LINKS": "/wheels,https://three.example.org",
        "UV_CONSTRAINT": "uvs.txt",
    }


def test_packages_of_other_versions_are_named(tmp_path):
    for side, version in (("base", "1.0"), ("head", "2.0")):
        for name, number in (("one", version), ("same", "1.0"), (f"only_{side}", "1.0"), ("tested", version)):
            info = tmp_path / side / "lib" / "python3" / "site-packages" / f"{name}-{number}.dist-info"
            info.mkdir(parents=True)
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {number}\n")
        (info / "direct_url.json").write_text("{}")  # the last of them came from sources
    found = other_packages(interpreter(tmp_path / "base"), interpreter(tmp_path / "head"))
    assert found == ["one is 1.0 in the base and 2.0 in the head"]


def test_a_version_that_does_not_install_is_named(checkout, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", os.defpath)
    with pytest.raises(InstallationError, match=r"main cannot be installed .*missing") as caught:
        environment(checkout, ("--no-index", "missing-package"), tmp_path / "cache")
    assert caught.value.exit_code == 5  # an index that does not answer is nobody's change for the worse
    assert not list((tmp_path / "cache").glob("*.done"))
