"""One spelling of what suites write, so that what is equal is one cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.store.records import Choice, Part
from harness.suites.folds import FOLD, folds
from harness.suites.schema import Suite

if TYPE_CHECKING:
    from harness.plugins.manager import Plugins
    from harness.plugins.registry import Registry


def canonical(suite: Suite, plugins: Plugins) -> Suite:
    """The suite with its options in one spelling, so that what is equal is one cell.

    Raises:
        PluginError: when a class cannot be imported.
        UsageError: when a name or an option is unknown or wrong.
    """
    methods, datasets = plugins.methods, plugins.datasets
    return suite.model_copy(
        update={
            "methods": _spelt_once(suite.methods, methods),
            "composites": tuple(
                one.model_copy(update={"of": tuple(_spelt_part(part, plugins) for part in one.of)})
                for one in suite.composites
            ),
            "backbones": _spelt_once(suite.backbones, plugins.backbones),
            "pretraining": _spelt_once(suite.pretraining, datasets),
            "data": _spelt_once(suite.data, datasets),
            "evaluators": _spelt_once(suite.evaluators, plugins.evaluators),
            "seeds": tuple(dict.fromkeys(suite.seeds)),
        }
    )


def canonical_choice(choice: Choice, registry: Registry[Any]) -> Choice:
    """A choice in one spelling, without options that are as the default.

    Raises:
        PluginError, UsageError: as `canonical`.
    """
    spelt = [registry.canonical(one.name, one.options) for one in folds(choice)]
    if len(spelt) == 1:
        return Choice(name=choice.name, options=spelt[0])
    chosen = {registry.completed(one.name, one.options)[FOLD] for one in folds(choice)}
    together = {FOLD: sorted(chosen)} if len(chosen) > 1 else {}
    return Choice(name=choice.name, options=dict(sorted({**spelt[0], **together}.items())))


def _spelt_part(part: Part, plugins: Plugins) -> Part:
    default = part.aggregate == "mean" and (part.clips or part.crops)
    return part.model_copy(
        update={
            "method": canonical_choice(part.method, plugins.methods),
            "backbone": part.backbone and canonical_choice(part.backbone, plugins.backbones),
            "pretraining": part.pretraining and canonical_choice(part.pretraining, plugins.datasets),
            "aggregate": None if default else part.aggregate,
        }
    )


def _spelt_once(choices: Sequence[Choice], registry: Registry[Any]) -> tuple[Choice, ...]:
    """Choices in one spelling, each once."""
    spelt = [canonical_choice(choice, registry) for choice in choices]
    return tuple({one.model_dump_json(): one for one in spelt}.values())
