"""The conformance kit: which checks an object has to pass, in pytest and without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError, unknown
from harness.testing import backbones, cards, datasets, evaluators, methods
from harness.testing.checking import BlockedError, Check, ConformanceError
from harness.testing.moving_squares import MovingSquares
from harness.testing.networks import TinyBackbone

if TYPE_CHECKING:
    import pytest

    from harness.interfaces import Backbone, Dataset


def checks_for(
    tested: object, *, backbone: Backbone | None = None, data: Dataset | None = None, device: str = "cpu"
) -> list[Check]:
    """The checks that a method, backbone, data set or evaluator has to pass, chosen by what it can and by its card.

    Args:
        tested: the object, built.
        backbone: what a method trains; `TinyBackbone` when None.
        data: what a method learns from; `MovingSquares` when None.
        device: where networks compute.

    Raises:
        UsageError: when `tested` is none of the four.

    >>> [check.name for check in checks_for(TinyBackbone())][:3]
    ['check_card', 'check_output', 'check_batch_invariance']
    """
    if isinstance(tested, type):
        msg = f"{tested.__name__} is a class; give the kit an object: {tested.__name__}()"
        raise UsageError(msg)
    found: Any = tested
    if hasattr(tested, "fit"):
        chosen = backbone or TinyBackbone()
        subject: Any = methods.MethodSubject(cards.label("method", found), found, chosen, data or MovingSquares(), device)
        further = methods.checks(subject)
    elif hasattr(tested, "build"):
        subject = backbones.BackboneSubject(cards.label("backbone", found), found, device)
        further = backbones.CHECKS
    elif hasattr(tested, "split"):
        subject = datasets.DatasetSubject(cards.label("data set", found), found)
        further = datasets.checks(subject)
    elif hasattr(tested, "evaluate"):
        subject = evaluators.EvaluatorSubject(cards.label("evaluator", found), found, device)
        further = evaluators.checks(subject)
    else:
        msg = (
            f"{tested!r} is no method, backbone, data set or evaluator: "
            "it has none of fit(...), build(...), split(...), evaluate(...)"
        )
        raise UsageError(msg)
    return [Check(subject, function) for function in further]
