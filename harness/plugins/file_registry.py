"""Registries of files that plugins ship: suites, published numbers, benchmarks."""

from __future__ import annotations

from pathlib import Path

from harness.cards import NAME
from harness.errors import PluginError
from harness.plugins.names import Names, Origin
from harness.system.text import printable


class FileRegistry(Names):
    """Files that the loaded plugins ship inside their packages."""

    def register(self, name: str, resource: str) -> None:
        """Offer the file `resource` ("package:file.yaml") as `name`.

        Raises:
            PluginError: when the plugin has registered the name before, it is no short name, or `resource` is not
                `package:file.yaml`.
        """
        if not NAME.fullmatch(name):
            msg = f"{self.kind} {name!r} of {self.origin}: not a short name"
            raise PluginError(msg)
        package, colon, _ = resource.partition(":")
        if not (package and colon):
            msg = f"{self.kind} {name!r} of {self.origin}: {resource!r} is not of the form package:file.yaml"
            raise PluginError(msg)
        self._enter(name, None, resource)

    def origin_of(self, name: str) -> Origin:
        """Plugin that registered `name`."""
        return self.entry(name).origin

    def text(self, name: str) -> str:
        """The YAML registered as `name`.

        Raises:
            UsageError: when there is none, with the nearest names.
            PluginError: when the plugin does not contain the file, or several registered the name.
        """
        from importlib.resources import files

        resource, origin = self.entry(name).target, self.entry(name).origin
        package, _, file = resource.partition(":")
        try:
            return files(package).joinpath(file).read_text(encoding="utf-8")
        except (Exception, SystemExit) as error:  # importing the package runs the plugin's code
            problem = f"{type(error).__name__}: {printable(str(error), 200)}"
            msg = f"{self.kind} {name!r} of {origin}: {resource} cannot be read: {problem}"
            raise PluginError(msg) from error


class SuiteRegistry(FileRegistry):
    """Suites that the loaded plugins ship."""

    def __init__(self) -> None:
        super().__init__("suite")


class BenchmarkRegistry(FileRegistry):
    """Folders of benchmarks that the loaded plugins ship, for `harness bench gate`."""

    def __init__(self) -> None:
        super().__init__("benchmarks")

    def folder(self, name: str) -> Path:
        """Folder registered as `name` ("package:folder").

        Raises:
            UsageError: when there is none, with the nearest names.
            PluginError: when the plugin has no such folder, or several registered the name.
        """
        from importlib.resources import files

        resource, origin = self.entry(name).target, self.entry(name).origin
        package, _, below = resource.partition(":")
        try:
            folder = Path(str(files(package).joinpath(below)))
        except (Exception, SystemExit) as error:  # importing the package runs the plugin's code
            problem = f"{type(error).__name__}: {printable(str(error), 200)}"
            msg = f"benchmarks {name!r} of {origin}: {resource} cannot be read: {problem}"
            raise PluginError(msg) from error
        if not folder.is_dir():
            msg = f"benchmarks {name!r} of {origin}: expected a folder of the package at {resource}, found none"
            raise PluginError(msg)
        return folder


class ReferenceRegistry(FileRegistry):
    """Published numbers that the loaded plugins ship, a file for each paper."""

    def __init__(self) -> None:
        super().__init__("references")
