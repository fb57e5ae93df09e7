"""A new plugin from the template in this room, rendered by copier."""

from __future__ import annotations

import keyword
import re
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.errors import UsageError
from harness.system import files

if TYPE_CHECKING:
    from harness.plugins.manager import Plugins
    from harness.plugins.names import Names

Kind = Literal["method", "backbone", "dataset", "evaluator"]
TEMPLATE = Path(__file__).with_name("template")
LONGEST = 40
PREFIX = "harness-"
"""Start of the names of projects."""

_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


def project_name(name: str) -> str:
    """Name of the project of a plugin, in the spelling that package indexes compare.

    >>> project_name("my_method")
    'harness-my-method'

    Raises:
        UsageError: when it would be no name of a project and of a Python package, or is a keyword.
    """
    if not _NAME.fullmatch(name) or len(name) > LONGEST:
        msg = (
            f"NAME {name!r}: expected lower-case letters, digits and single hyphens, first a letter, {LONGEST} at "
            "most, such as my-method"
        )
        raise UsageError(msg)
    if name in {"true", "false", "null"}:
        msg = f"NAME {name!r}: no name in YAML, where suites have it; choose another"
        raise UsageError(msg)
    if keyword.iskeyword(name):
        msg = f"NAME {name!r}: a keyword of Python; choose another"
        raise UsageError(msg)
    if name.startswith(PREFIX):
        msg = f"NAME {name!r}: leave out {PREFIX!r}, which the project's name starts with anyway"
        raise UsageError(msg)
    return PREFIX + name.replace("_", "-")


def expect_free(name: str, kind: Kind, plugins: Plugins) -> None:
    """Expect that nothing installed has a name of the new plugin.

    Raises:
        UsageError: naming what has it; as in `project_name`.
    """
    project = project_name(name)
    registered, package = name.replace("-", "_"), project.replace("-", "_")
    registries: dict[Kind, Names] = {
        "method": plugins.methods,
        "backbone": plugins.backbones,
        "dataset": plugins.datasets,
        "evaluator": plugins.evaluators,
    }
    registry = registries[kind]
    owners = {status.name: f"the plugin {status.name!r} of {status.origin}" for status in plugins.statuses}
    taken = ""
    if registered in registry:
        origins = " and ".join(str(entry.origin) for entry in registry.snapshot()[registered])
        taken = f"the {registry.kind} {registered!r} of {origins}"
    elif registered in owners:
        taken = owners[registered]
    elif util.find_spec(package) is not None:
        taken = f"the package {package}"
    elif any(metadata.distributions(name=project)):
        taken = f"the project {project}"
    if taken:
        msg = f"NAME {name!r}: {taken} is installed already; choose another"
        raise UsageError(msg)


def write_plugin(name: str, kind: Kind, folder: Path) -> list[Path]:
    """Write the project of a new plugin into a folder, whole or not at all.

    Args:
        name: as `project_name` takes it.
        kind: what it offers.
        folder: new or empty.

    Returns:
        The files, in order of their names.

    Raises:
        UsageError: when copier is not installed, the folder has files; as in `project_name`.
    """
    project_name(name)
    try:
        import copier
    except ImportError as error:
        msg = "a new plugin needs copier: pip install 'video-harness[new]'"
        raise UsageError(msg) from error
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        msg = f"{folder}: has files already; give a new folder"
        raise UsageError(msg)
    with files.filling(folder) as partial:
        copier.run_copy(str(TEMPLATE), partial, data={"name": name, "kind": kind}, defaults=True, quiet=True)
    return sorted(path for path in folder.rglob("*") if path.is_file())
