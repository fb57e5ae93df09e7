"""Find, load, block and isolate plugins; a broken one is reported."""

from __future__ import annotations

import multiprocessing
import os
import traceback
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Literal

import pluggy

from harness.errors import PluginError, unknown
from harness.plugins import builtin, hookspecs
from harness.plugins.file_registry import BenchmarkRegistry, ReferenceRegistry, SuiteRegistry
from harness.plugins.kinds import BackboneRegistry, DatasetRegistry, EvaluatorRegistry
from harness.plugins.method_registry import MethodRegistry
from harness.plugins.names import BUILTIN, Names, Origin
from harness.system.text import printable

if TYPE_CHECKING:
    from harness.store.records import Run
    from harness.store.specs import EvalSpec
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
    clashes: tuple[str, ...] = ()
    """A line for each name of its own that another plugin registered before."""

    @property
    def complaints(self) -> tuple[str, ...]:
        """Lines for stderr; none when nothing is wrong with it."""
        if self.status != "failed":
            return self.clashes
        return (f"plugin {self.name!r} of {self.origin} failed: {self.error} (--block {self.name} silences this)",)


class Plugins:
    """Plugins of this environment and their registries.

    Args:
        block: names of plugins not to load, besides those in `$HARNESS_BLOCK_PLUGINS` (separated by commas).
        points: entry points to load, instead of the installed ones of group `harness`.
        strict: raise for the first plugin that is broken, or registers a taken name, instead of recording it.
        only: names of the plugins to load, of which no other is imported; all when None.

    Raises:
        PluginError: in strict mode, for the first plugin that does not load, registers a name that another one has
            registered, or ships a broken file of references.
    """

    def __init__(
        self,
        *,
        block: Iterable[str] = (),
        points: Sequence[EntryPoint] | None = None,
        strict: bool = False,
        only: Collection[str] | None = None,
    ) -> None:
        self.methods = MethodRegistry()
        self.backbones = BackboneRegistry()
        self.datasets = DatasetRegistry()
        self.evaluators = EvaluatorRegistry()
        self.suites = SuiteRegistry()
        self.references = ReferenceRegistry()
        self.benchmarks = BenchmarkRegistry()
        self.statuses: list[PluginStatus] = []
        self.unknown_blocks: tuple[str, ...] = ()
        """A line for each name of a plugin not to load that none has."""
        self._strict = strict
        self._manager = pluggy.PluginManager("harness")
        self._manager.add_hookspecs(hookspecs)
        self._add("builtin", builtin, BUILTIN, "harness.plugins.builtin")
        environment = os.environ.get("HARNESS_BLOCK_PLUGINS", "")
        blocked = {name.strip() for text in (*block, environment) for name in text.split(",")} - {""}
        offered = entry_points(group=GROUP) if points is None else points
        names = {point.name for point in offered}
        self.unknown_blocks = tuple(
            f"nothing to block: {unknown('plugin', name, names)}" for name in sorted(blocked - names)
        )
        self._load([point for point in offered if only is None or point.name in only], blocked)
        if strict:
            self.published()  # else a broken file would show once everything is computed

    def _load(self, points: Iterable[EntryPoint], blocked: set[str]) -> None:
        for point in sorted(set(points), key=lambda point: (_origin(point).distribution, point.name, point.value)):
            origin = _origin(point)
            if point.name in blocked:
                self.statuses.append(PluginStatus(point.name, origin, point.value, "blocked"))
            else:
                try:
                    plugin = point.load()
                except _faults() as error:
                    self._failed(point, origin, _describe(error))
                else:
                    self._add(point.name, plugin, origin, point.value)

    def _registries(self) -> dict[str, Names]:
        return {
            "methods": self.methods,
            "backbones": self.backbones,
            "datasets": self.datasets,
            "evaluators": self.evaluators,
            "suites": self.suites,
            "references": self.references,
            "benchmarks": self.benchmarks,
        }

    def _add(self, name: str, plugin: object, origin: Origin, target: str) -> None:
        registries = self._registries()
        before = {kind: registry.snapshot() for kind, registry in registries.items()}
        place = f"{name!r} of {origin}"  # two distributions may have a plugin of one name each
        try:
            _expect_api(plugin)
            self._manager.register(plugin, name=place)
            self._manager.check_pending()
            others = [other for other in self._manager.get_plugins() if other is not plugin]
            for kind, registry in registries.items():
                registry.origin = origin
                self._manager.subset_hook_caller(f"harness_{kind}", others)(registry=registry)
        except _faults() as error:
            for kind, registry in registries.items():
                registry.rollback(before[kind])
            if self._manager.has_plugin(place):
                self._manager.unregister(name=place)
            if origin is BUILTIN:
                raise
            self._failed(EntryPoint(name, target, GROUP), origin, _describe(error))
            return
        added = {kind: registry.added_since(before[kind]) for kind, registry in registries.items()}
        clashes = tuple(line for kind, registry in registries.items() for line in registry.clashes_since(before[kind]))
        self.statuses.append(PluginStatus(name, origin, target, "loaded", registered=added, clashes=clashes))
        if self._strict and clashes:
            raise PluginError(clashes[0])

    def _failed(self, point: EntryPoint, origin: Origin, error: str) -> None:
        status = PluginStatus(point.name, origin, point.value, "failed", error)
        self.statuses.append(status)
        if self._strict:
            raise PluginError(status.complaints[0])

    @property
    def versions(self) -> dict[str, str]:
        """Version of each distribution that a loaded plugin came from."""
        origins = [status.origin for status in self.statuses if status.status == "loaded"]
        return {origin.distribution: origin.version for origin in origins if origin.distribution}

    @property
    def failed(self) -> list[PluginStatus]:
        """The plugins that did not load."""
        return [status for status in self.statuses if status.status == "failed"]

    @property
    def complaints(self) -> list[str]:
        """Lines for stderr: broken plugins, names that two register, unknown blocks."""
        return [*self.unknown_blocks, *(line for status in self.statuses for line in status.complaints)]

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
            except _faults() as error:
                complaints.append(f"{_describe(error)} (--block {origin.plugin} silences this)")
                if self._strict:
                    raise PluginError(complaints[-1]) from error
        return published, complaints

    @property
    def listened(self) -> bool:
        """True if a plugin hears of runs."""
        hooks = (self._manager.hook.harness_run_started, self._manager.hook.harness_run_finished)
        return any(hook.get_hookimpls() for hook in hooks)

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
            except _faults() as error:
                complaints.append(f"plugin {name} failed in {hook}: {_describe(error)}")
        return complaints


def _expect_api(plugin: object) -> None:
    """Raise PluginError for a plugin that requires another `API_VERSION`."""
    wanted = getattr(plugin, "HARNESS_API", hookspecs.API_VERSION)
    if not isinstance(wanted, int):
        msg = f"expected HARNESS_API to be a whole number, got {printable(repr(wanted), 80)}; correct the plugin"
        raise PluginError(msg)
    if wanted != hookspecs.API_VERSION:
        remedy = "video-harness" if wanted > hookspecs.API_VERSION else "the plugin"
        msg = f"it requires HARNESS_API {wanted}, this video-harness has {hookspecs.API_VERSION}; upgrade {remedy}"
        raise PluginError(msg)


def _origin(point: EntryPoint) -> Origin:
    distribution = point.dist
    if distribution is None:
        return Origin(point.name)
    # a half-deleted folder of metadata gives None for both
    return Origin(point.name, distribution.metadata["Name"] or "", distribution.version or "")


def _faults() -> type[BaseException] | tuple[type[BaseException], ...]:
    """Exceptions of a plugin; in a child process no signal is among them."""
    return (Exception, SystemExit) if multiprocessing.parent_process() is None else BaseException


def _describe(error: BaseException) -> str:
    """Format type, message and innermost line of an error in one line."""
    text = " ".join(str(error).split())
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    if isinstance(error, PluginError):
        return text
    return f"{type(error).__name__}: {text}{where}"
