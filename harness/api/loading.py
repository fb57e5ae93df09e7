"""Suites as they are read for every verb."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.execution.plan import check
from harness.execution.weights_files import fetch_weights
from harness.suites import schema

if TYPE_CHECKING:
    from harness.plugins.manager import Plugins
    from harness.suites.schema import Suite


def checked_suite(source: str | Path, changes: Sequence[str], plugins: Plugins, *, download: bool = False) -> Suite:
    """Read a suite, with every name and option checked.

    Args:
        source: name of a suite, or a .yaml file.
        changes: `KEY=VALUE` as `--set` takes them.
        plugins: where names are looked up.
        download: whether weights of libraries that are not here are fetched.

    Raises:
        UsageError: when the suite, one of its names or an option is unknown or wrong.
        PluginError: when a distribution that the suite requires is not installed.
    """
    suite = schema.load(str(source), plugins.suites, changes=changes)
    if download:
        fetch_weights(suite, plugins)
    return check(suite, plugins)
