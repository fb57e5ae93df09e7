"""Units that wait, while other processes are at the same cells."""

from __future__ import annotations

from harness.execution.executor import Executor
from harness.execution.outcomes import new_run
from harness.execution.pending import PendingUnits
from harness.execution.plan import check, plan_suite
from harness.execution.sources import DataSources
from harness.execution.units import Workplace
from harness.execution.work_units import work_units
from harness.plugins.manager import Plugins
from harness.store.runs import Store
from harness.suites.schema import Suite
from harness.system import paths

from .conftest import TOY_SUITE


def planned():
    plugins = Plugins()
    suite = check(Suite.model_validate(TOY_SUITE), plugins)
    return work_units(plan_suite(suite, plugins, DataSources(plugins)).cells, plugins)


def record(unit, status):
    """Store the runs of a unit, as another process does."""
    for cell in unit.evaluations:
        reason = "" if status == "done" else "the loss became NaN"
        Store(paths.store()).write(new_run(cell, status=status, reason=reason, provenance={}))


def test_a_fit_that_failed_elsewhere_meanwhile_is_not_repeated(toy, capsys, monkeypatch):
    (unit,) = planned()
    executor = Executor([Workplace(store=paths.store())])
    locked = executor._locked

    def locked_late(one):
        record(unit, "diverged")
        return locked(one)

    monkeypatch.setattr(executor, "_locked", locked_late)
    executor.execute([unit], title="toy")
    assert toy.read_text() == ""
    assert "diverged: the loss became NaN" in capsys.readouterr().err


def test_what_is_done_elsewhere_meanwhile_is_not_tried_again(toy):
    (unit,) = planned()
    record(unit, "failed")
    store = Store(paths.store())
    pending = PendingUnits([unit], store, retry_failed=True)
    (waiting,) = pending.ready()
    assert waiting.evaluations == unit.evaluations
    again = PendingUnits([unit], store, retry_failed=True)
    assert again.take(again.ready()[0]).evaluations == unit.evaluations
    record(unit, "done")
    assert pending.take(waiting).evaluations == ()
