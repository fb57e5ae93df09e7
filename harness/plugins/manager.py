"""Find, load, block and isolate plugins; a broken one is reported."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Literal

import pluggy

from harness.errors import PluginError
from harness.plugins import builtin, hookspecs
from harness.plugins.file_registry import FileRegistry, ReferenceRegistry, SuiteRegistry
from harness.plugins.kinds import BackboneRegistry, DatasetRegistry, EvaluatorRegistry
from harness.plugins.method_registry import MethodRegistry
from harness.plugins.registry import BUILTIN, Origin, Registry

if TYPE_CHECKING:
    from harness.store.records import EvalSpec, Run
    from harness.suites.references import Reference

GROUP = "harness"


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """Outcome of loading one plugin."""

    name: str
    origin: Origin
    target: str
    status: Literal["loaded", "blocked", "failed"]
    error: str = ""
    registered: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def complaint(self) -> str:
        """One line for stderr."""
        return f"plugin {self.name!r} of {self.origin} failed: {self.error} (--block {self.name} silences this)"


class Plugins:
    """Plugins of this environment and their registries.

    Args:
        block: names of plugins not to load, besides those in `$HARNESS_BLOCK_PLUGINS` (comma-separated).
        points: entry points to load, instead of the installed ones of group `harness`.
        strict: raise for the first broken plugin instead of recording it.

    Raises:
        PluginError: in strict mode, for the first plugin that does not load, or ships a broken file of references.
    """

    def __init__(
        self, *, block: Iterable[str] = (), points: Sequence[EntryPoint] | None = None, strict: bool = False
    ) -> None:
        self.methods = MethodRegistry()
        self.backbones = BackboneRegistry()
        self.datasets = DatasetRegistry()
        self.evaluators = EvaluatorRegistry()
        self.suites = SuiteRegistry()
        self.references = ReferenceRegistry()
        self.statuses: list[PluginStatus] = []
        self._strict = strict
        self._manager = pluggy.PluginManager("harness")
        self._manager.add_hookspecs(hookspecs)
        self._add("builtin", builtin, BUILTIN, "harness.plugins.builtin")
        environment = os.environ.get("HARNESS_BLOCK_PLUGINS", "").split(",")
        self._load(entry_points(group=GROUP) if points is None else points, {*block, *environment})
        if strict:
            self.published()  # else a broken file would show once everything is computed

    def _load(self, points: Iterable[EntryPoint], blocked: set[str]) -> None:
        seen: dict[str, Origin] = {}
        for point in sorted(set(points), key=lambda point: (_origin(point).distribution, point.name, point.value)):
            origin = _origin(point)
            if point.name in blocked:
                self.statuses.append(PluginStatus(point.name, origin, point.value, "blocked"))
            elif point.name in seen:
                self._failed(point, origin, f"the name is taken by {seen[point.name]}")
            else:
                seen[point.name] = origin
                try:
                    plugin = point.load()
                except (Exception, SystemExit) as error:
                    self._failed(point, origin, _describe(error))
                else:
                    self._add(point.name, plugin, origin, point.value)

    def _registries(self) -> dict[str, Registry[Any] | FileRegistry]:
        return {
            "methods": self.methods,
            "backbones": self.backbones,
            "datasets": self.datasets,
            "evaluators": self.evaluators,
            "suites": self.suites,
            "references": self.references,
        }

    def _add(self, name: str, plugin: object, origin: Origin, target: str) -> None:
        registries = self._registries()
        before: dict[str, dict[str, Any]] = {kind: registry.snapshot() for kind, registry in registries.items()}
        try:
            self._manager.register(plugin, name=name)
            self._manager.check_pending()
            others = [other for other in self._manager.get_plugins() if other is not plugin]
            for kind, registry in registries.items():
                registry.origin = origin
                self._manager.subset_hook_caller(f"harness_{kind}", others)(registry=registry)
        except (Exception, SystemExit) as error:
            for kind, registry in registries.items():
                registry.rollback(before[kind])
            if self._manager.has_plugin(name):
                self._manager.unregister(name=name)
            if origin is BUILTIN:
                raise
            self._failed(EntryPoint(name, target, GROUP), origin, _describe(error))
            return
        added = {kind: tuple(n for n in registry if n not in before[kind]) for kind, registry in registries.items()}
        self.statuses.append(PluginStatus(name, origin, target, "loaded", registered=added))

    def _failed(self, point: EntryPoint, origin: Origin, error: str) -> None:
        status = PluginStatus(point.name, origin, point.value, "failed", error)
        self.statuses.append(status)
        if self._strict:
            raise PluginError(status.complaint)

    @property
    def versions(self) -> dict[str, str]:
        """Version of each distribution that a loaded plugin came from."""
        origins = [status.origin for status in self.statuses if status.status == "loaded"]
        return {origin.distribution: origin.version for origin in origins if origin.distribution}

    @property
    def failed(self) -> list[PluginStatus]:
        """The plugins that did not load."""
        return [status for status in self.statuses if status.status == "failed"]

    def published(self) -> tuple[dict[str, tuple[Reference, ...]], list[str]]:
        """Read published numbers by file, and a complaint for each broken file.

        Raises:
            PluginError: in strict mode, for the first broken file.
        """
        from harness.suites.references import parse

        published, complaints = {}, []
        for name in self.references:
            origin = self.references.origin_of(name)
            try:
                published[name] = parse(self.references.text(name), f"references {name!r} of {origin}")
            except (Exception, SystemExit) as error:
                complaints.append(f"{_describe(error)} (--block {origin.plugin} silences this)")
                if self._strict:
                    raise PluginError(complaints[-1]) from error
        return published, complaints

    def run_started(self, cell: EvalSpec) -> list[str]:
        """Tell every plugin; returns a line for each that raised."""
        return self._tell("harness_run_started", cell=cell)

    def run_finished(self, cell: EvalSpec, run: Run) -> list[str]:
        """Tell every plugin; returns a line for each that raised."""
        return self._tell("harness_run_finished", cell=cell, run=run)

    def _tell(self, hook: str, **arguments: object) -> list[str]:
        complaints = []
        plugins = self._manager.get_plugins()
        for name, plugin in self._manager.list_name_plugin():
            try:
                self._manager.subset_hook_caller(hook, [p for p in plugins if p is not plugin])(**arguments)
            except (Exception, SystemExit) as error:
                complaints.append(f"plugin {name!r} failed in {hook}: {_describe(error)}")
        return complaints


def _origin(point: EntryPoint) -> Origin:
    distribution = point.dist
    if distribution is None:
        return Origin(point.name)
    return Origin(point.name, distribution.metadata["Name"], distribution.version)


def _describe(error: BaseException) -> str:
    """Format type, message and innermost line of an error in one line."""
    text = " ".join(str(error).split())
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    if isinstance(error, PluginError):
        return text
    return f"{type(error).__name__}: {text}{where}"
