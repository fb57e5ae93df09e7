"""One typed, strict registry a kind: cards at once, classes when first used."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Generic, TypeVar, cast

from harness.cards import BackboneCard, Card, DatasetCard, EvaluatorCard, MethodCard
from harness.errors import PluginError, UsageError, contract_of, unknown
from harness.plugins.names import Names
from harness.plugins.options import is_finite, is_json, option_types, spelt, typed, written
from harness.system import paths

T = TypeVar("T")

CARDS: dict[str, type[Card]] = {
    "method": MethodCard,
    "backbone": BackboneCard,
    "data set": DatasetCard,
    "evaluator": EvaluatorCard,
}
"""Class of the cards of each kind."""


def strict_registry(kind: str) -> Any:
    """Make an mmengine registry of short names that imports nothing by path."""
    paths.ensure_home()
    from mmengine import registry  # costs half a second, which listing need not pay

    class Strict(registry.Registry):  # type: ignore[misc]  # mmengine has no types
        def get(self, key: str) -> Any:
            return self.module_dict.get(key) if isinstance(key, str) else None

    return Strict(kind, scope="harness", locations=[])


class Registry(Names, Generic[T]):
    """Methods, backbones, data sets or evaluators that the loaded plugins offer.

    Args:
        kind: what is registered: "method", "backbone", "data set" or "evaluator".
    """

    @functools.cached_property
    def _built(self) -> Any:
        return strict_registry(self.kind)

    def register(self, card: Card, target: str) -> None:
        """Offer the class at `target` ("package.module:Class") under the card's name.

        Raises:
            PluginError: when the card is one of another kind or has a wrong value, the plugin has registered the name
                before, or `target` is not `module:attr`.
        """
        self._expect_card(card, CARDS[self.kind], target)
        self._enter(card.name, card, target)

    def _expect_card(self, card: Any, kind: type[Card], target: str) -> None:
        if not isinstance(card, kind):
            msg = f"{self.kind} {target} of {self.origin}: expected a {kind.__name__}, got {type(card).__name__}"
            raise PluginError(msg)
        if problem := wrong_value(card, kind):
            msg = f"{self.kind} {card.name!r} of {self.origin}: its card {problem}"
            raise PluginError(msg)

    def _enter(self, name: str, card: Card, target: str) -> None:
        module, _, attribute = target.partition(":")
        if not module or not attribute.isidentifier():
            msg = f"{self.kind} {name!r} of {self.origin}: {target!r} is not of the form package.module:Class"
            raise PluginError(msg)
        super()._enter(name, card, target)

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
        if self._card_of(loaded) != entry.card:
            msg = f"{self.kind} {name!r} of {entry.origin}: the card of {entry.target} is not the registered one"
            raise PluginError(msg)
        if not isinstance(loaded, type):
            msg = f"{self.kind} {name!r} of {entry.origin}: {entry.target} is no class; register one"
            raise PluginError(msg)
        if loaded.__module__ != module and not _lies_where_it_says(loaded):
            msg = (
                f"{self.kind} {name!r} of {entry.origin}: {entry.target} says that it is of {loaded.__module__}, so "
                f"that keys would miss its own module; set `{attribute}.__module__ = __name__` there"
            )
            raise PluginError(msg)
        return loaded

    def _card_of(self, loaded: Any) -> Card | None:
        """Card that a class carries."""
        return getattr(loaded, "card", None)

    def build(self, name: str, options: Mapping[str, Any] | None = None) -> T:
        """Construct the class registered as `name` with `options`, by mmengine.

        Raises:
            UsageError: when the name or an option is unknown, an option has the wrong type or value, or one is missing.
            PluginError: when the class cannot be imported.
        """
        return self._made(name, options or {}, self._by_mmengine)

    def draft(self, name: str, options: Mapping[str, Any] | None = None) -> T:
        """Construct what `build` gives without mmengine, for plans and checks.

        Raises:
            UsageError, PluginError: as `build`.
        """
        return self._made(name, options or {}, self._directly)

    def _made(self, name: str, options: Mapping[str, Any], construct: Callable[..., T]) -> T:
        arguments = self._checked(name, options)
        for option, parameter in self.parameters(name).items():
            if parameter.default is parameter.empty and option not in arguments:
                msg = f"{self.kind} {name!r} needs the option {option!r}: {{name: {name}, {option}: ...}}"
                raise UsageError(msg)
        return construct(name, arguments)

    def parameters(self, name: str) -> Mapping[str, inspect.Parameter]:
        """Parameters of the constructor that options set.

        Raises:
            UsageError: when the name is unknown.
            PluginError: when the class cannot be imported.
        """
        every = inspect.signature(self.load(name)).parameters.items()
        return {key: one for key, one in every if one.kind in (one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)}

    def completed(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """All options in one spelling: typed as declared, defaults added, as JSON values.

        Raises:
            UsageError: when the name or an option is unknown, or an option has the wrong type.
            PluginError: when the class cannot be imported.
        """
        hints = self._hints(name)
        chosen = {}
        for key, value in self._checked(name, options).items():
            chosen[key] = spelt(value, hints.get(key, Any))
            if not is_json(chosen[key]):
                raise self._wrong(name, key, value, "expected what a suite file can say")
        return {**self._defaults(name), **chosen}

    def canonical(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Options in one spelling, without those that are as the default.

        Raises:
            UsageError, PluginError: as `completed`.
        """
        chosen, defaults = self.completed(name, options), self._defaults(name)
        changed = {
            key: value
            for key, value in chosen.items()
            if key not in defaults or written(value) != written(defaults[key])
        }
        return dict(sorted(changed.items()))

    def _hints(self, name: str) -> dict[str, Any]:
        return option_types(cast("Hashable", self.load(name)))

    def _defaults(self, name: str) -> dict[str, Any]:
        """Options with defaults, in one spelling."""
        loaded = self.load(name)
        hints = self._hints(name)
        fields = {one.name: one for one in dataclasses.fields(loaded)} if dataclasses.is_dataclass(loaded) else {}
        defaults = {}
        for key, parameter in self.parameters(name).items():
            factory = fields[key].default_factory if key in fields else dataclasses.MISSING
            default = parameter.default if factory is dataclasses.MISSING else factory()
            if default is not parameter.empty:
                defaults[key] = spelt(typed(default, hints.get(key, Any)), hints.get(key, Any))
                if not is_json(defaults[key]):
                    msg = (
                        f"{self.kind} {name!r} of {self.entry(name).origin}: the default of {key}, {default!r}, is "
                        "nothing that a suite file can say; make it a name or a number"
                    )
                    raise PluginError(msg)
        return defaults

    def _by_mmengine(self, name: str, arguments: Mapping[str, Any]) -> T:
        if name not in self._built:
            self._built.register_module(name=name, module=self.load(name))
        return self._constructed(name, lambda: self._built.build({"type": name, **arguments}))

    def _directly(self, name: str, arguments: Mapping[str, Any]) -> T:
        return self._constructed(name, lambda: self.load(name)(**arguments))

    def _constructed(self, name: str, construct: Callable[[], T]) -> T:
        with contract_of(f"{self.kind} {name!r} of {self.entry(name).origin} cannot be built"):
            try:
                return construct()
            except (TypeError, ValueError) as error:
                msg = f"{self.kind} {name!r}: {_one_line(error)}"
                raise UsageError(msg) from error

    def _checked(self, name: str, options: Mapping[str, Any]) -> dict[str, Any]:
        import pydantic

        parameters = self.parameters(name)
        for option in options:
            if option not in parameters:
                raise unknown(f"option of {self.kind} {name!r}:", option, parameters)
        hints = self._hints(name)
        checked = dict(options)
        for option, value in options.items():
            try:
                checked[option] = pydantic.TypeAdapter(hints.get(option, Any)).validate_python(value)
            except pydantic.ValidationError as error:
                raise self._wrong(name, option, value, error.errors()[0]["msg"]) from error
            except pydantic.errors.PydanticUserError as error:
                problem = f"nothing that a suite file can say is a {hints[option]}"
                raise self._wrong(name, option, value, problem) from error
            if not is_finite(checked[option]):
                raise self._wrong(name, option, value, "expected finite numbers")
        return checked

    def _wrong(self, name: str, option: object, value: object, problem: str) -> UsageError:
        return UsageError(f"{self.kind} {name!r}: option {option}={value!r}: {problem}")


def wrong_value(card: Card, kind: type[Card]) -> str:
    """Say which value of a card is none that it may have; empty where all are right.

    >>> wrong_value(MethodCard(name="x", summary="X.", reads=frozenset({"sed"})), MethodCard)
    "has reads.0 = 'sed': Input should be 'backbone', 'pretraining', 'budget' or 'seed'"
    """
    import pydantic

    values = dataclasses.asdict(card)
    try:
        checked = _card_type(cast("Hashable", kind)).validate_python(values)
    except pydantic.ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        return f"has {place} = {problem['input']!r}: {_one_line(problem['msg'])}"
    infinite = [name for name, value in values.items() if not is_finite(value)]
    if infinite:
        return f"has NaN or infinity in {infinite[0]}; a bound that is open is None"
    other = _taken_for(card, checked)
    return f"has {other}" if other else ""


def _taken_for(given: Any, right: Any, place: str = "") -> str:
    """Name the first value that pydantic took for another; a list may be a tuple."""
    if dataclasses.is_dataclass(right) and isinstance(given, type(right)):
        names = [(field.name, f"{place}.{field.name}" if place else field.name) for field in dataclasses.fields(right)]
        parts = [(getattr(given, name), getattr(right, name), inner) for name, inner in names]
    elif isinstance(right, tuple) and isinstance(given, (list, tuple)):
        parts = [(*pair, f"{place}.{number}") for number, pair in enumerate(zip(given, right, strict=True))]
    else:
        return "" if given == right else f"{place} = {given!r}; write {right!r}"
    return next((said for part in parts if (said := _taken_for(*part))), "")


@functools.cache
def _card_type(kind: Any) -> Any:
    import pydantic

    return pydantic.TypeAdapter(kind)


def _one_line(error: object) -> str:
    return " ".join(str(error).split())


def _lies_where_it_says(loaded: type) -> bool:
    """Tell whether a class is found in the module that it names."""
    found: Any = sys.modules.get(loaded.__module__)
    for name in loaded.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is loaded
