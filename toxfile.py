"""One environment for each folder in plugins/, and the packages of the environments in tox.ini."""

from __future__ import annotations

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
CORE = ["cpu", "testing"]
"""Extras of the core that every environment has."""
GROUPS = {"test": ["test", "bench", "lint"], "quickstart": [], "bench": ["bench", "peers"]}
EXTRAS = {"test": [*CORE, "pytorchvideo", "timm", "transformers"]}


def packages(extras: list[str], plugins: list[str]) -> list[str]:
    """Arguments of pip for the core with extras, and plugins beside it."""
    return ["-c constraints.txt", f"-e .[{','.join(extras)}]", *(f"-e plugins/{name}" for name in plugins)]


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
                description=f"tests of plugin {name} with nothing but the core beside it",
                package="skip",
                deps=packages(CORE, [name]),
                dependency_groups=["test"],
                commands=[f"pytest -q plugins/{name}"],
            )
        )
