"""The process that loads all plugins, and its answers."""

from __future__ import annotations

import contextlib
import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from harness.datasets import file_index
from harness.errors import UsageError
from harness.execution import plugin_process
from harness.execution.plan import check
from harness.execution.plugin_process import Job, Planned, PluginProcess
from harness.plugins.manager import Plugins
from harness.suites.schema import load
from harness.testing import fixtures

ROOT = Path(__file__).parents[2]


def loaded(suite, plugins):
    return check(load(suite, plugins.suites, changes=["seeds=[0]", "methods=[counted]"]), plugins)


def no_board(plan, sources, plugins):
    return f"{len(plan.cells)} cells, {sorted(plugins.methods)}"


JOB = Job(
    load=functools.partial(loaded, "toy"),
    board=no_board,
    block=("temporal_coherency",),
    strict=False,
    verify_data=False,
)


class Questions:
    """A link of a parent that asks some questions, and then is gone."""

    def __init__(self, *questions):
        self.questions = list(questions)
        self.answers = []

    def receive(self):
        if not self.questions:
            raise EOFError
        return self.questions.pop(0)

    def send(self, answer):
        self.answers.append(answer)


def test_it_plans_and_builds_the_board(toy):
    link = Questions(("plan",), ("board",))
    plugin_process._serve(link, JOB)
    planned, board = link.answers
    assert isinstance(planned, Planned)
    assert [len(unit.evaluations) for unit in planned.units] == [len(planned.plan.cells)]
    assert planned.units[0].plugins == {"builtin", "toy"}
    assert not planned.listened
    assert board.startswith(f"{len(planned.plan.cells)} cells, ['cannot_load', 'counted'")


def test_what_a_plugin_sets_when_it_is_imported_reaches_no_key(toy, monkeypatch):
    """`blobs` are drawn in the default type of numbers."""
    link, changed = Questions(("plan",)), Questions(("plan",))
    plugin_process._serve(link, JOB)
    plain = Plugins

    def careless(**options):
        torch.set_default_dtype(torch.float64)
        return plain(**options)

    monkeypatch.setattr(plugin_process, "Plugins", careless)
    fixtures._drawn.cache_clear()
    plugin_process._serve(changed, JOB)
    assert [cell.key for cell in changed.answers[0].plan.cells] == [cell.key for cell in link.answers[0].plan.cells]


@pytest.mark.parametrize("verify", [False, True])
def test_data_are_hashed_again_on_demand(toy, monkeypatch, verify):
    entered = []

    @contextlib.contextmanager
    def verified():
        entered.append(True)
        yield

    monkeypatch.setattr(file_index, "verified", verified)
    plugin_process._serve(
        Questions(), Job(**{**{name: getattr(JOB, name) for name in JOB.__slots__}, "verify_data": verify})
    )
    assert entered == [True] * verify


def test_errors_are_the_harnesss_own_and_a_death_is_a_plugins(toy, hostile):
    with (
        PluginProcess(
            Job(load=functools.partial(loaded, "tpy"), board=no_board, block=(), strict=False, verify_data=False)
        ) as process,
        pytest.raises(UsageError, match="did you mean 'toy'"),
    ):
        process.plan()
    with PluginProcess(JOB) as process:
        planned = process.plan()
        assert planned.listened
        process.tell(planned.plan.cells[0], None)
        process._child.kill()
        assert process.board().startswith(f"{len(planned.plan.cells)} cells")


SERVED = """
import sys
from harness.execution.plugin_process import Job, PluginProcess
from harness.system.children import Child

def libraries(link):
    link.send(sorted({"torch", "sklearn", "harness.training.loop"} & {*sys.modules}))

def main():
    from tests.execution.test_plugin_process import JOB
    with PluginProcess(JOB) as process:
        process.plan()
        with Child(libraries) as child:
            print(child.only_answer())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="children are forked on Linux alone")
def test_children_come_from_a_server_that_has_imported_their_libraries(toy, tmp_path):
    script = tmp_path / "served.py"
    script.write_text(SERVED)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ["PYTHONPATH"], str(tmp_path)])}
    command = [sys.executable, "-c", "import served; served.main()"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    assert done.stdout.strip() == "['harness.training.loop', 'sklearn', 'torch']", done.stderr
