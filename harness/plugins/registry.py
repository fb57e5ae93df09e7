"""One typed, strict registry a kind: cards at once, classes when first used."""

from __future__ import annotations

import importlib
import inspect
import sys
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Generic, TypeVar

from harness.cards import NAME, Card
from harness.errors import PluginError, UsageError, unknown

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Origin:
    """The plugin something came from."""

    plugin: str
    distribution: str = ""
    version: str = ""

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}" if self.distribution else self.plugin


BUILTIN = Origin("builtin")


@dataclass(frozen=True, slots=True)
class Registration:
    """One registered name."""

    card: Card
    target: str
    origin: Origin


def strict_registry(kind: str) -> Any:
    """An mmengine registry of short names: nothing is imported by path, no parent scope is searched."""
    from mmengine import registry  # costs half a second, which listing need not pay

    class Strict(registry.Registry):  # type: ignore[misc]  # mmengine has no types
        def get(self, key: str) -> Any:
            return self.module_dict.get(key) if isinstance(key, str) else None

    return Strict(kind, scope="harness", locations=[])


class Registry(Generic[T]):
    """The methods, backbones, data sets or evaluators that the loaded plugins offer.

    Args:
        kind: what is registered, for messages: "method", "backbone", "data set", "evaluator".
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.origin = BUILTIN
        self._entries: dict[str, Registration] = {}

    @cached_property
    def _built(self) -> Any:
        return strict_registry(self.kind)

    def register(self, card: Card, target: str) -> None:
        """Offer the class at `target` ("package.module:Class") under the card's name.

        Raises:
            PluginError: when the name is taken, naming both origins, or `target` is not `module:attr`.
        """
        taken = self._entries.get(card.name)
        if taken is not None:
            msg = (
                f"{self.kind} {card.name!r} is registered by both {taken.origin} and {self.origin}; "
                "uninstall one of them, or block it with --block NAME"
            )
            raise PluginError(msg)
        module, _, attribute = target.partition(":")
        if not module or not attribute.isidentifier():
            msg = f"{self.kind} {card.name!r} of {self.origin}: {target!r} is not of the form package.module:Class"
            raise PluginError(msg)
        self._entries[card.name] = Registration(card, target, self.origin)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def entry(self, name: str) -> Registration:
        """The card, target and origin registered as `name`.

        Raises:
            UsageError: when there is none, with the nearest names.
        """
        if name not in self._entries:
            raise unknown(self.kind, name, self._entries)
        return self._entries[name]

    def snapshot(self) -> dict[str, Registration]:
        """What is registered now, to go back to."""
        return dict(self._entries)

    def rollback(self, snapshot: dict[str, Registration]) -> None:
        """Forget everything registered since `snapshot`."""
        self._entries = dict(snapshot)

    def load(self, name: str) -> type[T]:
        """Import the class registered as `name`.

        Raises:
            UsageError: when there is none, with the nearest names.
            PluginError: when it cannot be imported or carries another card than the registered one.
        """
        entry = self.entry(name)
        module, _, attribute = entry.target.partition(":")
        try:
            loaded: type[T] = getattr(importlib.import_module(module), attribute)
        except (Exception, SystemExit) as error:
            msg = f"{self.kind} {name!r} of {entry.origin} cannot be imported: {type(error).__name__}: {error}"
            raise PluginError(msg) from error
        if getattr(loaded, "card", None) != entry.card:
            msg = f"{self.kind} {name!r} of {entry.origin}: the card of {entry.target} is not the registered one"
            raise PluginError(msg)
        return loaded

    def build(self, name: str, options: Mapping[str, Any] | None = None) -> T:
        """A new object of the class registered as `name`, constructed with `options`.

        Raises:
            UsageError: when the name or an option is unknown, or an option has the wrong type or value.
            PluginError: when the class cannot be imported.
        """
        loaded = self.load(name)
        checked = self._checked(name, loaded, dict(options or {}))
        if name not in self._built:
            self._built.register_module(name=name, module=loaded)
        try:
            built: T = self._built.build({"type": name, **checked})
        except (TypeError, ValueError) as error:
            msg = f"{self.kind} {name!r}: {_one_line(error)}"
            raise UsageError(msg) from error
        return built

    def completed(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """`options` in their declared types, with the constructor's defaults for those not given.

        Those that the constructor does not have stay as they are.

        Raises:
            UsageError: when the name is unknown, or an option has the wrong type.
            PluginError: when the class cannot be imported.
        """
        loaded = self.load(name)
        parameters = inspect.signature(loaded).parameters
        defaults = {key: one.default for key, one in parameters.items() if one.default is not one.empty}
        own = {key: value for key, value in options.items() if key in parameters}
        return {**defaults, **options, **self._checked(name, loaded, own)}

    def _checked(self, name: str, loaded: type[T], options: dict[str, Any]) -> dict[str, Any]:
        import pydantic

        parameters = inspect.signature(loaded).parameters
        for option in options:
            if option not in parameters:
                raise unknown(f"option of {self.kind} {name!r}:", option, parameters)
        hints = _annotations(loaded)
        for option, value in options.items():
            if option not in hints:
                continue
            try:
                options[option] = pydantic.TypeAdapter(hints[option]).validate_python(value)
            except pydantic.ValidationError as error:
                problem = error.errors()[0]["msg"]
                msg = f"{self.kind} {name!r}: option {option}={value!r}: {problem}"
                raise UsageError(msg) from error
        return options


def _annotations(loaded: type) -> dict[str, Any]:
    """Types of the constructor's parameters (of a dataclass, of its fields), as far as they can be resolved."""
    found: dict[str, Any] = {}
    for owner in reversed(loaded.__mro__):
        fields = inspect.get_annotations(owner) if "__dataclass_fields__" in vars(owner) else {}
        own = inspect.get_annotations(vars(owner)["__init__"]) if "__init__" in vars(owner) else {}
        for name, annotation in {**own, **fields}.items():
            holder = type("Holder", (), {"__annotations__": {name: annotation}})
            try:
                found |= typing.get_type_hints(holder, vars(sys.modules[owner.__module__]), include_extras=True)
            except NameError:  # imported for type checkers only
                found.pop(name, None)
    return found


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


class FileRegistry:
    """YAML files that the loaded plugins ship inside their packages."""

    kind: ClassVar[str]
    """What a file is, for messages."""

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
        """The plugin that registered `name`."""
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
        """What is registered now, to go back to."""
        return dict(self._entries)

    def rollback(self, snapshot: dict[str, tuple[str, Origin]]) -> None:
        """Forget everything registered since `snapshot`."""
        self._entries = dict(snapshot)


class SuiteRegistry(FileRegistry):
    """The suites that the loaded plugins ship."""

    kind = "suite"


class ReferenceRegistry(FileRegistry):
    """The published numbers that the loaded plugins ship, a file for each paper."""

    kind = "references"
