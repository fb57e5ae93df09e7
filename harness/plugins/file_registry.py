"""Registries of YAML files that plugins ship: suites and published numbers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from harness.cards import NAME
from harness.errors import PluginError, unknown
from harness.plugins.registry import BUILTIN, Origin


class FileRegistry:
    """YAML files that the loaded plugins ship inside their packages."""

    kind: ClassVar[str]
    """Kind of the files, for messages."""

    def __init__(self) -> None:
        self.origin = BUILTIN
        self._entries: dict[str, tuple[str, Origin]] = {}

    def register(self, name: str, resource: str) -> None:
        """Offer the file `resource` ("package:file.yaml") as `name`.

        Raises:
            PluginError: when the name is taken or no short name, or `resource` is not `package:file.yaml`.
        """
        if not NAME.fullmatch(name):
            msg = f"{self.kind} {name!r} of {self.origin}: not a short name"
            raise PluginError(msg)
        if name in self._entries:
            msg = f"{self.kind} {name!r} is registered by both {self._entries[name][1]} and {self.origin}"
            raise PluginError(msg)
        if ":" not in resource:
            msg = f"{self.kind} {name!r} of {self.origin}: {resource!r} is not of the form package:file.yaml"
            raise PluginError(msg)
        self._entries[name] = (resource, self.origin)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def origin_of(self, name: str) -> Origin:
        """Plugin that registered `name`."""
        return self._entries[name][1]

    def text(self, name: str) -> str:
        """The YAML registered as `name`.

        Raises:
            UsageError: when there is none, with the nearest names.
            PluginError: when the plugin does not contain the file.
        """
        if name not in self._entries:
            raise unknown(self.kind, name, self._entries)
        from importlib.resources import files

        resource, origin = self._entries[name]
        package, _, file = resource.partition(":")
        try:
            return files(package).joinpath(file).read_text(encoding="utf-8")
        except (OSError, ModuleNotFoundError, UnicodeDecodeError) as error:
            msg = f"{self.kind} {name!r} of {origin}: {resource} cannot be read: {error}"
            raise PluginError(msg) from error

    def snapshot(self) -> dict[str, tuple[str, Origin]]:
        """Registrations so far, to go back to."""
        return dict(self._entries)

    def rollback(self, snapshot: dict[str, tuple[str, Origin]]) -> None:
        """Forget everything registered since `snapshot`."""
        self._entries = dict(snapshot)


class SuiteRegistry(FileRegistry):
    """Suites that the loaded plugins ship."""

    kind = "suite"


class ReferenceRegistry(FileRegistry):
    """Published numbers that the loaded plugins ship, a file for each paper."""

    kind = "references"
