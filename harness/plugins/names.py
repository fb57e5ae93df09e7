"""Names that plugins register, each with its origin."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.errors import PluginError, unknown


@dataclass(frozen=True, slots=True)
class Origin:
    """Plugin and distribution that something came from."""

    plugin: str
    distribution: str = ""
    version: str = ""

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}" if self.distribution else self.plugin


BUILTIN = Origin("builtin")


@dataclass(frozen=True, slots=True)
class Registration:
    """One registered name."""

    card: Any
    """Card of its kind; None for a file."""
    target: str
    origin: Origin


Snapshot = dict[str, tuple[Registration, ...]]


class Names:
    """Names of one kind.

    One that several plugins register is neither's, and an error once it is used.

    Args:
        kind: what is registered, for messages: "method", "backbone", "data set", "evaluator", "suite".
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.origin = BUILTIN
        self._entries: Snapshot = {}

    def _enter(self, name: str, card: Any, target: str) -> None:
        registered = self._entries.get(name, ())
        if any(one.origin == self.origin for one in registered):
            msg = f"{self.kind} {name!r} is registered twice by {self.origin}"
            raise PluginError(msg)
        self._entries[name] = (*registered, Registration(card, target, self.origin))

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(name for name, registered in self._entries.items() if len(registered) == 1))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def entry(self, name: str) -> Registration:
        """Card, target and origin registered as `name`.

        Raises:
            UsageError: when there is none, with the nearest names.
            PluginError: when several plugins registered it, naming them.
        """
        if name not in self._entries:
            raise unknown(self.kind, name, self._entries)
        registered = self._entries[name]
        if len(registered) > 1:
            raise PluginError(self._clash(name))
        return registered[0]

    def snapshot(self) -> Snapshot:
        """Registrations so far, to go back to."""
        return dict(self._entries)

    def rollback(self, snapshot: Snapshot) -> None:
        """Forget everything registered since `snapshot`."""
        self._entries = dict(snapshot)

    def added_since(self, snapshot: Snapshot) -> tuple[str, ...]:
        """Names registered since `snapshot`."""
        return tuple(sorted(name for name, entries in self._entries.items() if entries != snapshot.get(name)))

    def clashes_since(self, snapshot: Snapshot) -> tuple[str, ...]:
        """A line for each name registered since `snapshot` that was taken."""
        return tuple(self._clash(name) for name in self.added_since(snapshot) if len(self._entries[name]) > 1)

    def _clash(self, name: str) -> str:
        origins = [one.origin for one in self._entries[name]]
        blocks = dict.fromkeys(f"--block {origin.plugin}" for origin in origins if origin != BUILTIN)
        return (
            f"{self.kind} {name!r} is registered by both {' and '.join(map(str, origins))}, so that it is neither's; "
            f"uninstall one of them, or leave it out: {' or '.join(blocks)}"
        )
