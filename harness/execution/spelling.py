"""One spelling of what suites write, so that what is equal is one cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from harness.store.choices import Choice, Part, starting_fit, stored_parts, with_fit
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
    datasets = plugins.datasets
    return suite.model_copy(
        update={
            "methods": _once(canonical_method(one, plugins) for one in suite.methods),
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


def canonical_method(method: Choice, plugins: Plugins) -> Choice:
    """A method in one spelling, and the data of the fits that it starts from.

    Raises:
        PluginError, UsageError: as `canonical`.
    """
    return _spelt_data(canonical_choice(method, plugins.methods), plugins)


def _spelt_data(method: Choice, plugins: Plugins) -> Choice:
    fit = starting_fit(method)
    if fit is None:
        return method
    data = fit.pretraining and canonical_choice(fit.pretraining, plugins.datasets)
    return with_fit(method, fit.model_copy(update={"method": _spelt_data(fit.method, plugins), "pretraining": data}))


def without_shared(method: Choice, pretraining: Choice | None, frames: int | None) -> Choice:
    """A method whose fits to start from name only what is not as the row has it.

    Args:
        method: a method in one spelling, or a composite.
        pretraining: data set of the row; None where the fits' stay as they are.
        frames: budget of the row.
    """
    if parts := stored_parts(method.options.get("of")):
        of = [
            part.model_copy(update={"method": without_shared(part.method, part.pretraining or pretraining, frames)})
            for part in parts
        ]
        return Choice(name=method.name, options={**method.options, "of": [part.model_dump() for part in of]})
    fit = starting_fit(method)
    if fit is None:
        return method
    own = {
        "method": without_shared(fit.method, fit.pretraining or pretraining, fit.frames or frames),
        "pretraining": None if fit.pretraining == pretraining else fit.pretraining,
        "frames": None if fit.frames == frames else fit.frames,
    }
    return with_fit(method, fit.model_copy(update=own))


def _spelt_part(part: Part, plugins: Plugins) -> Part:
    default = part.aggregate == "mean" and (part.clips or part.crops)
    return part.model_copy(
        update={
            "method": canonical_method(part.method, plugins),
            "backbone": part.backbone and canonical_choice(part.backbone, plugins.backbones),
            "pretraining": part.pretraining and canonical_choice(part.pretraining, plugins.datasets),
            "aggregate": None if default else part.aggregate,
        }
    )


def _spelt_once(choices: Sequence[Choice], registry: Registry[Any]) -> tuple[Choice, ...]:
    """Choices in one spelling, each once."""
    return _once(canonical_choice(choice, registry) for choice in choices)


def _once(choices: Iterable[Choice]) -> tuple[Choice, ...]:
    return tuple({one.model_dump_json(): one for one in choices}.values())
