"""Hooks that a plugin may implement."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from harness.interfaces import Dataset, Evaluator, Method
    from harness.plugins.file_registry import BenchmarkRegistry, ReferenceRegistry, SuiteRegistry
    from harness.plugins.kinds import BackboneRegistry
    from harness.plugins.registry import Registry
    from harness.store.records import Run
    from harness.store.specs import EvalSpec

hookspec = pluggy.HookspecMarker("harness")
hookimpl = pluggy.HookimplMarker("harness")

API_VERSION = 1
"""Version of what plugins build on: hooks, contracts and the names in `harness`.

A plugin that says `HARNESS_API = 1` beside its hooks is not loaded where this is another one.
"""


@hookspec
def harness_methods(registry: Registry[Method]) -> None:
    """Register methods; called once, after the plugin is loaded.

    :param registry: takes a card and the `module:attr` of the class, which is imported when first used
    """


@hookspec
def harness_backbones(registry: BackboneRegistry) -> None:
    """Register backbones, and libraries; called once, after the plugin is loaded.

    :param registry: takes a card and the `module:attr` of the class, which is imported when first used
    """


@hookspec
def harness_datasets(registry: Registry[Dataset]) -> None:
    """Register data sets; called once, after the plugin is loaded.

    :param registry: takes a card and the `module:attr` of the class, which is imported when first used
    """


@hookspec
def harness_evaluators(registry: Registry[Evaluator]) -> None:
    """Register evaluators; called once, after the plugin is loaded.

    :param registry: takes a card and the `module:attr` of the class, which is imported when first used
    """


@hookspec
def harness_suites(registry: SuiteRegistry) -> None:
    """Register the plugin's suites; called once, after the plugin is loaded.

    :param registry: takes a name and the `package:file.yaml` of the suite
    """


@hookspec
def harness_benchmarks(registry: BenchmarkRegistry) -> None:
    """Register folders of benchmarks; called once, after the plugin is loaded.

    `harness bench gate NAME` measures them.

    :param registry: takes a name and the `package:folder` of tests that use the fixture `benchmark`
    """


@hookspec
def harness_references(registry: ReferenceRegistry) -> None:
    """Register published numbers; called once, after the plugin is loaded.

    They are shown beside runs of the same protocol.

    :param registry: takes a name and the `package:file.yaml` of a paper's numbers
    """


@hookspec
def harness_run_started(cell: EvalSpec) -> None:
    """Observe a cell; called when its evaluation begins, in a process of plugins.

    An exception here is reported and does not fail the run.

    :param cell: what is about to be measured
    """


@hookspec
def harness_run_finished(cell: EvalSpec, run: Run) -> None:
    """Observe a run; called after it is stored, in a process of plugins.

    An exception here is reported and does not fail the run.

    :param cell: what was measured
    :param run: the stored outcome
    """
