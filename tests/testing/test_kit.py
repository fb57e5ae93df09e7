"""The kit's ways in: pytest and plain calls; expected failures; what is no object of ours."""

from __future__ import annotations

import pytest
from torch import nn

from harness.errors import PluginError, UsageError
from harness.evaluators.cards import KNN
from harness.testing import (
    BlockedError,
    ConformanceError,
    TinyBackbone,
    checks_for,
    conformance,
    failures,
)
from harness.testing.fixtures import UntrainedEncoder
from harness.values import Encoding

pytest_plugins = ["pytester"]

BACKBONES = """
    import torch
    from harness.testing import TinyBackbone, conformance

    class Good(TinyBackbone):
        card = TinyBackbone.card

    class Prints(TinyBackbone):
        card = TinyBackbone.card

        def build(self, *, seed):
            print("hello")
            return super().build(seed=seed)

    class Raises(TinyBackbone):
        card = TinyBackbone.card

        def build(self, *, seed):
            return 1 / seed
"""


@pytest.fixture
def outcome(pytester):
    """Run a third party's test file."""

    def outcome(text):
        pytester.makepyfile(BACKBONES + text)
        return pytester.runpytest_inprocess("-v", "-p", "no:cacheprovider", "-W", "error")

    return outcome


def test_a_good_object_gives_a_passing_test_for_each_check(outcome):
    result = outcome("""
    @conformance(Good())
    def test_conformance(check):
        check()
    """)
    result.assert_outcomes(passed=8)
    result.stdout.fnmatch_lines(["*::test_conformance[[]tiny-check_gradients[]] PASSED*"])


def test_a_failure_is_one_line(outcome):
    result = outcome("""
    @conformance(Good(), Prints())
    def test_conformance(check):
        check()
    """)
    result.assert_outcomes(passed=15, failed=1)
    result.stdout.fnmatch_lines(
        ["backbone 'tiny' fails check_traces: expected nothing on stdout while building, got *"]
    )
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*_InPytest*")


def test_a_plugins_own_exception_keeps_its_traceback(outcome):
    result = outcome("""
    @conformance(Raises())
    def test_conformance(check):
        check()
    """)
    result.stdout.fnmatch_lines(["*return 1 / seed*", "*it raised ZeroDivisionError: division by zero*"])


def test_an_expected_failure_is_one(outcome):
    result = outcome("""
    @conformance(Prints(), expected_failures={"check_traces": "it greets"})
    def test_conformance(check):
        check()
    """)
    result.assert_outcomes(passed=7, xfailed=1)


def test_an_expected_failure_that_passes_fails(outcome):
    result = outcome("""
    @conformance(Good(), expected_failures={"check_traces": "it greets"})
    def test_conformance(check):
        check()
    """)
    result.assert_outcomes(passed=7, failed=1)
    result.stdout.fnmatch_lines(["*XPASS(strict)*it greets*"])


def test_a_reason_for_no_check_is_refused():
    with pytest.raises(UsageError, match="unknown check 'check_trace'; did you mean 'check_traces'"):
        conformance(TinyBackbone(), expected_failures={"check_trace": "a misprint"})


def test_a_check_that_builds_on_a_failed_one_is_skipped(outcome):
    result = outcome("""
    class Wrong(TinyBackbone):
        card = TinyBackbone.card

        def build(self, *, seed):
            return super().build(seed=seed)[:-2]

    @conformance(Wrong())
    def test_conformance(check):
        check()
    """)
    result.assert_outcomes(passed=4, failed=1, skipped=3)


def test_checks_are_callables_with_names():
    class Prints(TinyBackbone):
        card = TinyBackbone.card

        def build(self, *, seed):
            print(seed)  # noqa: T201 - the defect
            return super().build(seed=seed)

    checks = {check.name: check for check in checks_for(Prints())}
    checks["check_output"]()
    with pytest.raises(ConformanceError, match=r"^backbone 'tiny' fails check_traces: ") as caught:
        checks["check_traces"]()
    assert isinstance(caught.value, PluginError)
    assert "\n" not in str(caught.value)


def test_a_blocked_check_says_by_which():
    class Raises(TinyBackbone):
        card = TinyBackbone.card

        def build(self, *, seed):
            raise OSError(seed)

    checks = {check.name: check for check in checks_for(Raises())}
    with pytest.raises(BlockedError, match="backbone 'tiny' has to pass check_output first"):
        checks["check_gradients"]()
    assert "check_gradients" not in failures(Raises())


def test_an_evaluator_may_have_a_fit_of_its_own():
    class Fits:
        card = KNN

        def evaluate(self, encoder, data, *, seed):
            raise NotImplementedError

        def fit(self, points):
            raise NotImplementedError

    (check, *_) = checks_for(Fits())
    assert (check.name, check.subject.kind) == ("check_card", "evaluator")
    check()


def test_failures_of_an_evaluator_are_those_on_the_encoder_that_is_given():
    class Asks:
        card = KNN

        def encodings(self, promise, data, *, seed):
            return (Encoding(),)

        def evaluate(self, encoder, data, *, seed):
            asked.append(encoder.network().module)
            raise RuntimeError

    given, asked = UntrainedEncoder(), []
    given.module.append(nn.Identity())
    failures(Asks(), encoder=given)
    assert any(len(network) == len(given.module) for network in asked)


def test_what_is_no_object_of_ours_is_refused():
    with pytest.raises(UsageError, match=r"TinyBackbone is a class; give the kit an object, such as TinyBackbone\(\)"):
        checks_for(TinyBackbone)
    with pytest.raises(UsageError, match="int is no method, backbone, data set or evaluator"):
        checks_for(7)
    with pytest.raises(UsageError, match="nothing to test"):
        conformance()
