"""Conformance kit: the checks of an object, in pytest or without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError, unknown
from harness.plugins.registry import CARDS
from harness.testing import backbones, dataset_records, datasets, evaluators, methods
from harness.testing.cards import check_card
from harness.testing.checking import BlockedError, Check, ConformanceError, Subject
from harness.testing.fits import MethodSubject
from harness.testing.fixtures import MovingSquares, TinyBackbone

if TYPE_CHECKING:
    import pytest

    from harness.encoders.network import NetworkEncoder
    from harness.interfaces import Backbone, Dataset


def checks_for(
    tested: object,
    *,
    backbone: Backbone | None = None,
    data: Dataset | None = None,
    encoder: NetworkEncoder | None = None,
    device: str = "cpu",
) -> list[Check]:
    """List the checks that a method, backbone, data set or evaluator has to pass.

    They depend on its kind and its card.

    Args:
        tested: the object, built.
        backbone: what a method trains; `TinyBackbone` when None.
        data: what a method learns from, or an evaluator measures on; `MovingSquares` when None, the only one of which
            an encoder knows the classes.
        encoder: what an evaluator measures, where it needs what the kit's own encoders lack, such as `pretext`.
        device: where networks compute.

    Raises:
        UsageError: when `tested` is none of the four.

    >>> [check.name for check in checks_for(TinyBackbone())][:3]
    ['check_card', 'check_output', 'check_layers']
    """
    subject = _subject(tested, backbone or TinyBackbone(), data, encoder, device)
    functions: Any = [check_card]
    if isinstance(getattr(tested, "card", None), CARDS[subject.kind]):
        functions = _MODULES[subject.kind].checks(subject)
    return [Check(subject, function) for function in functions]


_MODULES: dict[str, Any] = {
    "method": methods,
    "backbone": backbones,
    "data set": datasets,
    "evaluator": evaluators,
}


def _subject(
    tested: Any, backbone: Backbone, data: Dataset | None, encoder: NetworkEncoder | None, device: str
) -> Subject[Any]:
    if isinstance(tested, type):
        msg = f"{tested.__name__} is a class; give the kit an object, such as {tested.__name__}()"
        raise UsageError(msg)
    if hasattr(tested, "evaluate"):  # first, because evaluators fit classifiers of their own
        return evaluators.EvaluatorSubject("evaluator", tested, chosen=data, given=encoder, device=device)
    if hasattr(tested, "fit"):
        return MethodSubject("method", tested, backbone=backbone, data=data or MovingSquares(), device=device)
    if hasattr(tested, "build"):
        return backbones.BackboneSubject("backbone", tested, device=device)
    if hasattr(tested, "split"):
        return dataset_records.DatasetSubject("data set", tested)
    msg = (
        f"{type(tested).__name__} is no method, backbone, data set or evaluator: "
        "it has none of fit(...), build(...), split(...), evaluate(...)"
    )
    raise UsageError(msg)


def failures(
    tested: object,
    *,
    backbone: Backbone | None = None,
    data: Dataset | None = None,
    encoder: NetworkEncoder | None = None,
    device: str = "cpu",
) -> dict[str, str]:
    """Make all checks; return the message of each that failed, by its name.

    Arguments and errors are those of `checks_for`. A check that builds on a failed one is not made, and not listed.

    >>> failures(TinyBackbone())
    {}
    """
    messages = {}
    for check in checks_for(tested, backbone=backbone, data=data, encoder=encoder, device=device):
        try:
            check()
        except ConformanceError as error:
            messages[check.name] = str(error)
        except BlockedError:
            continue
    return messages


def conformance(
    *tested: object,
    expected_failures: Mapping[str, str] | None = None,
    backbone: Backbone | None = None,
    data: Dataset | None = None,
    encoder: NetworkEncoder | None = None,
    device: str = "cpu",
) -> pytest.MarkDecorator:
    """Parametrise a pytest function with every check of every object.

    The function takes `check` and calls it. A check that builds on a failed one is skipped.

    Args:
        tested: methods, backbones, data sets or evaluators, built.
        expected_failures: for names of checks, why the objects are known to fail them; one that passes fails the test.
        backbone: as in `checks_for`.
        data: as in `checks_for`.
        encoder: as in `checks_for`.
        device: as in `checks_for`.

    Raises:
        UsageError: when there is nothing to test, or `expected_failures` names a check that is not made.

    Example:
        A third party's whole test file::

            from harness.testing import conformance
            from my_plugin.method import MyMethod

            @conformance(MyMethod())
            def test_conformance(check):
                check()
    """
    import pytest

    expected = dict(expected_failures or {})
    given: Any = {"backbone": backbone, "data": data, "encoder": encoder, "device": device}
    checks = [check for one in tested for check in checks_for(one, **given)]
    if not checks:
        msg = "conformance() was given nothing to test"
        raise UsageError(msg)
    for name in expected:
        if name not in {check.name for check in checks}:
            raise unknown("check", name, {check.name for check in checks})
    parameters = []
    for check in checks:
        reason = expected.get(check.name)
        marks = [pytest.mark.xfail(reason=reason, strict=True, raises=pytest.fail.Exception)] if reason else []
        parameters.append(pytest.param(_InPytest(check), id=f"{check.subject.name}-{check.name}", marks=marks))
    return pytest.mark.parametrize("check", parameters)


class _InPytest:
    """Check that fails and skips by pytest's own exceptions.

    An exception of the plugin keeps its traceback.
    """

    def __init__(self, check: Check) -> None:
        self._check = check

    def __call__(self) -> None:
        import pytest

        try:
            self._check()
        except ConformanceError as error:
            failed = pytest.fail.Exception(str(error), pytrace=error.__cause__ is not None)
            raise failed from error.__cause__
        except BlockedError as error:
            pytest.skip(str(error))
