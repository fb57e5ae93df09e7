"""Options of plugins' classes: their types, and one spelling for each value."""

from __future__ import annotations

import functools
import inspect
import json
import math
import sys
import typing
from typing import Any


@functools.cache
def option_types(loaded: Any) -> dict[str, Any]:
    """Resolve the types of the constructor's parameters, as far as that is possible."""
    resolved: dict[str, Any] = {}
    for owner in reversed(loaded.__mro__):
        fields = inspect.get_annotations(owner) if "__dataclass_fields__" in vars(owner) else {}
        own = inspect.get_annotations(vars(owner)["__init__"]) if "__init__" in vars(owner) else {}
        for name, annotation in {**own, **fields}.items():
            holder = type("Holder", (), {"__annotations__": {name: annotation}})
            try:
                resolved |= typing.get_type_hints(holder, vars(sys.modules[owner.__module__]), include_extras=True)
            except NameError:  # imported for type checkers only
                resolved.pop(name, None)
    return resolved


def typed(default: Any, hint: Any) -> Any:
    """A default as an option that says the same: 1.0 for 1 where it is a float."""
    import pydantic

    try:
        converted = pydantic.TypeAdapter(hint).validate_python(default)
    except (pydantic.errors.PydanticUserError, ValueError):
        return default
    return converted if spelt(converted, hint) == spelt(default, hint) else default


def spelt(value: Any, hint: Any) -> Any:
    """A value as JSON says it: tuples as lists, sets in order, infinities by name."""
    import pydantic

    plain = _ordered(value)
    try:
        return pydantic.TypeAdapter(hint).dump_python(plain, mode="json", warnings=False)
    except (pydantic.errors.PydanticUserError, ValueError):
        return plain


def _ordered(value: Any) -> Any:
    if isinstance(value, set | frozenset):
        return sorted(map(_ordered, value), key=repr)
    if isinstance(value, list | tuple):
        return [_ordered(one) for one in value]
    if isinstance(value, dict):
        return {key: _ordered(one) for key, one in value.items()}
    return value if is_finite(value) else str(value)


def is_finite(value: Any) -> bool:
    """Tell whether a value holds no infinity and no NaN."""
    if isinstance(value, dict):
        return is_finite([*value.values()])
    if isinstance(value, list | tuple | set | frozenset):
        return all(map(is_finite, value))
    return not isinstance(value, float) or math.isfinite(value)


def is_json(value: Any) -> bool:
    """Tell whether a value can be written in a suite file."""
    try:
        return bool(written(value))
    except (TypeError, ValueError):
        return False


def written(value: Any) -> str:
    """A value as text; 1, 1.0 and True differ."""
    return json.dumps(value, sort_keys=True, allow_nan=False)
