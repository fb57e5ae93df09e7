"""Python environments of both sides, with the version under test installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path

from harness.errors import UndecidedError
from harness.gate.cache import cached
from harness.gate.checkouts import Checkout, without_repository
from harness.system import progress
from harness.system.hashing import digest

OTHER_CODE = ("PYTHONPATH", "PYTHONHOME", "PYTEST_ADDOPTS", "VIRTUAL_ENV")
FOR_UV = {
    "PIP_INDEX_URL": ("UV_INDEX_URL", "UV_DEFAULT_INDEX"),
    "PIP_EXTRA_INDEX_URL": ("UV_EXTRA_INDEX_URL", "UV_INDEX"),
    "PIP_FIND_LINKS": ("UV_FIND_LINKS",),
    "PIP_CONSTRAINT": ("UV_CONSTRAINT",),
}
"""Variables of pip, and those of uv that mean the same: any of them counts."""
SHOWN = 15
"""Lines of a failed installation that are shown."""


class InstallationError(UndecidedError):
    """A version cannot be installed, which an index may be the reason for."""


def variables() -> dict[str, str]:
    """Environment variables without those that bring in other code."""
    return {name: value for name, value in without_repository().items() if name not in OTHER_CODE}


def uv_variables() -> dict[str, str]:
    """Environment variables for uv, which gets what they say to pip alone."""
    values = variables()
    for name, same in FOR_UV.items():
        if values.get(name) and not any(other in values for other in same):
            separator = "," if name == "PIP_FIND_LINKS" else " "
            values[same[0]] = separator.join(values[name].split())
            if name == "PIP_EXTRA_INDEX_URL":  # of which pip takes the best, and uv the first that has a package
                values.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")
    return values


def packages(python: Path) -> dict[str, str]:
    """Versions of the distributions beside an interpreter.

    What was installed from sources is left out: it is what is compared.
    """
    root = python.parent.parent
    folders = [*root.glob("lib/python*/site-packages"), *root.glob("Lib/site-packages")]
    installed = metadata.distributions(path=[str(folder) for folder in folders])
    return {one.name: one.version for one in installed if one.read_text("direct_url.json") is None}


def other_packages(base: Path, head: Path) -> list[str]:
    """Name the packages that two environments have in other versions.

    Args:
        base: interpreter.
        head: interpreter.
    """
    versions = packages(base), packages(head)
    names = sorted(name for name in versions[0] if versions[1].get(name, "") not in ("", versions[0][name]))
    return [f"{name} is {versions[0][name]} in the base and {versions[1][name]} in the head" for name in names]


def interpreter(folder: Path) -> Path:
    """Path of an environment's Python."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def environment(checkout: Checkout, install: Sequence[str], cache: Path) -> Path:
    """Install a version into an environment of its own; returns its interpreter.

    One that is complete is used again. uv installs where it is on the path, else pip does.

    Args:
        checkout: the version's sources.
        install: arguments of `pip install`, said in the root of the sources.
        cache: folder of the environments.

    Raises:
        InstallationError: when the installation fails, with the last lines that it printed.
    """
    key = digest({"commit": checkout.version.commit, "install": list(install), "python": sys.version})[:16]
    folder = cache / f"environment-{key}"
    with cached(folder) as complete:
        if not complete:
            progress.say(f"installing {checkout.version.reference} ({checkout.version.commit[:12]})")
            _install(checkout, install, folder)
    return interpreter(folder)


def _install(checkout: Checkout, install: Sequence[str], folder: Path) -> None:
    python = interpreter(folder)
    uv = shutil.which("uv")
    if uv:
        _run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], checkout)
        _run([uv, "pip", "install", "--quiet", "--python", str(python), *install], checkout, uv_variables())
    else:
        venv.create(folder, with_pip=True)
        _run([str(python), "-m", "pip", "install", "--quiet", *install], checkout)


def _run(command: Sequence[str], checkout: Checkout, values: Mapping[str, str] | None = None) -> None:
    run = subprocess.run(  # noqa: S603
        command,
        cwd=checkout.folder,
        env=variables() if values is None else values,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if run.returncode:
        last = "\n".join(run.stdout.strip().splitlines()[-SHOWN:])
        msg = f"{checkout.version.reference} cannot be installed ({' '.join(command)}): {last}"
        raise InstallationError(msg)
