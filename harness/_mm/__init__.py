"""The one place that touches mmengine's registries: registered short names only, nothing imported by path."""

from __future__ import annotations

from typing import Any

from mmengine.registry import Registry


class StrictRegistry(Registry):  # type: ignore[misc]  # mmengine has no types
    """An mmengine registry whose `get` knows what was registered and never imports a dotted path."""

    def get(self, key: str) -> Any:
        """The object registered as `key`, or None."""
        return self.module_dict.get(key) if isinstance(key, str) else None


def registry(kind: str) -> StrictRegistry:
    """A new registry that stands alone: no parent scope is searched."""
    return StrictRegistry(kind, scope="harness", locations=[])
