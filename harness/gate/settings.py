"""Settings of a gate in `pyproject.toml`, table `[tool.harness.gate]`."""

from __future__ import annotations

import sys
from pathlib import Path, PurePath
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import UsageError
from harness.system import progress

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it where Python has none


class GateSettings(BaseModel):
    """Settings of a repository's gate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    benchmarks: tuple[str, ...] = ("benchmarks",)
    """Files and folders of benchmarks, below the root of the repository."""
    install: tuple[str, ...] = (".", "pytest", "memray; sys_platform != 'win32'")
    """Arguments of `pip install` in the root of either version."""
    bounds: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = {}
    """Growth that is allowed, as a share: of `time`, and of counters by name."""


def gate_settings(root: Path, below: str = "") -> GateSettings:
    """Read the settings of a repository; defaults where it has none.

    Args:
        root: of its sources.
        below: folder in it that the gate is called from, whose own settings are named when they are not read.

    Raises:
        UsageError: when a setting is unknown, of another type, or a bound is negative or not finite.
    """
    path = root / "pyproject.toml"
    for folder in (PurePath(below), *PurePath(below).parents):
        inner = root / folder / path.name
        if inner != path and inner.is_file() and "[tool.harness.gate" in inner.read_text("utf-8", errors="replace"):
            progress.say(
                f"[tool.harness.gate] of {folder.as_posix()}/{path.name} is not read: the root's {path.name} is"
            )
            break
    try:
        document: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return GateSettings()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path}: {error}"
        raise UsageError(msg) from error
    table = document.get("tool", {}).get("harness", {}).get("gate", {})
    try:
        return GateSettings.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        msg = f"{path}: [tool.harness.gate] {place}: {first['msg']}"
        raise UsageError(msg) from error
