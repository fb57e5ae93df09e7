"""One environment for each folder in plugins/, and the packages of the environments in tox.ini."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tox.config.loader.memory import MemoryLoader
from tox.plugin import impl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tox.config.sets import ConfigSet
    from tox.session.state import State

ROOT = Path(__file__).parent
PLUGINS = sorted(path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml"))
CORE = ["testing"]
"""Extras of the core that every environment has."""
GROUPS = {
    "test": ["test", "bench", "kernels", "lint"],
    "quickstart": [],
    "bench": ["bench", "peers"],
    "docs": ["docs"],
    "bridges": ["test", "bridges"],
    "browser": ["test", "browser"],
}
EXTRAS = {"test": [*CORE, "pytorchvideo", "timm", "transformers"], "bridges": [*CORE, "mteb"]}


def packages(extras: list[str], plugins: list[str]) -> list[str]:
    """Arguments of pip for the core with extras, and plugins beside it."""
    return ["-c constraints.txt", f"-e .[{','.join(extras)}]", *(f"-e plugins/{name}" for name in plugins)]


def with_needed(plugin: str) -> list[str]:
    """Name a plugin's folder, and those of the plugins here that it depends on."""
    text = (ROOT / "plugins" / plugin / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.search(r"^dependencies = \[(.*?)\]", text, re.MULTILINE | re.DOTALL)
    names = re.findall(r'"video-harness-([a-z0-9-]+)', listed[1]) if listed else []
    needed = [one for name in names for one in with_needed(name.replace("-", "_"))]
    return list(dict.fromkeys([*needed, plugin]))


@impl
def tox_extend_envs() -> Iterable[str]:
    return tuple(f"plugin-{name}" for name in PLUGINS)


@impl
def tox_add_core_config(core_conf: ConfigSet, state: State) -> None:
    for name, groups in GROUPS.items():
        deps = packages(EXTRAS.get(name, CORE), PLUGINS)
        state.conf.memory_seed_loaders[name].append(MemoryLoader(deps=deps, dependency_groups=groups))
    for name in PLUGINS:
        state.conf.memory_seed_loaders[f"plugin-{name}"].append(
            MemoryLoader(
                description=f"tests of plugin {name} with the core and what it depends on, and nothing else",
                package="skip",
                deps=packages(CORE, with_needed(name)),
                dependency_groups=["test"],
                commands=[f"pytest -q plugins/{name}"],
            )
        )
