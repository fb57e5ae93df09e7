"""Worker processes: order, errors, crashes and hangs."""

from __future__ import annotations

import functools
import math
import operator
import os
import pickle
import signal
import subprocess
import sys
import time
from concurrent.futures import Future

import pebble
import pytest

from harness.errors import HarnessError
from harness.system.processes import CrashedError, HungError, allowed_processors, imap_isolated


def test_results_come_in_order_and_what_is_raised_is_a_result():
    outcomes = list(imap_isolated(math.sqrt, [4.0, -1.0, 9.0], timeout=60, workers=2))
    assert [item for item, _ in outcomes] == [4.0, -1.0, 9.0]
    assert (outcomes[0][1], outcomes[2][1]) == (2.0, 3.0)
    assert isinstance(outcomes[1][1], ValueError)
    assert list(imap_isolated(math.sqrt, [], timeout=60)) == []


def test_a_crash_and_a_hang_are_results_and_the_others_go_on():
    crashed = dict(imap_isolated(os._exit, [7], timeout=60, workers=1))
    assert isinstance(crashed[7], CrashedError)
    assert "exit code 7" in str(crashed[7])
    killed = dict(imap_isolated(signal.raise_signal, [signal.SIGABRT], timeout=60, workers=1))
    assert "signal 6, SIGABRT" in str(killed[signal.SIGABRT])
    assert not killed[signal.SIGABRT].killed
    killed = dict(imap_isolated(signal.raise_signal, [signal.SIGKILL], timeout=60, workers=1))
    assert killed[signal.SIGKILL].killed
    hung = dict(imap_isolated(time.sleep, [60, 0], timeout=2, workers=1))
    assert isinstance(hung[60], HungError)
    assert str(hung[60]) == "the worker was not done in 2 s"
    assert hung[0] is None
    for error in (crashed[7], hung[60]):
        assert str(pickle.loads(pickle.dumps(error))) == str(error)  # as it travels from the worker of a cluster


def test_a_timeout_of_the_work_is_no_hang():
    slow_disk = functools.partial(exec, "raise TimeoutError('the disk did not answer')")
    ((_, outcome),) = imap_isolated(slow_disk, [{}], timeout=60, workers=1)
    assert isinstance(outcome, TimeoutError)
    assert str(outcome) == "the disk did not answer"


def test_few_heavy_items_are_taken_ahead(monkeypatch):
    monkeypatch.setattr("harness.system.processes.HELD", 100)
    taken = []

    def items():
        for size in (40, 40, 40, 500, 40, 40):
            taken.append(size)
            yield size

    done, most = [], 0
    for size, _ in imap_isolated(math.sqrt, items(), timeout=60, workers=1, size=int):
        most = max(most, sum(taken) - sum(done))
        done.append(size)
    assert done == taken == [40, 40, 40, 500, 40, 40]
    assert most == 500 + 40 + 40  # what is read next is known to be heavy once it is there


def run(script, tmp_path):
    path = tmp_path / "script.py"
    path.write_text(script)
    return subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=120, check=False)


def test_a_script_without_a_main_guard_is_not_run_again(tmp_path):
    script = """
import math
from harness.system.processes import imap_isolated
print("begun", [result for _, result in imap_isolated(math.sqrt, [4.0, 9.0], timeout=60, workers=2)])
"""
    ended = run(script, tmp_path)
    assert ended.stdout.splitlines() == ["begun [2.0, 3.0]"], ended.stderr


def test_work_that_a_script_defines_needs_a_main_guard(tmp_path):
    script = """
from harness.system.processes import imap_isolated
def double(number):
    return 2 * number
{guard}
    print([result for _, result in imap_isolated(double, range(40), timeout=60, workers=2)])
"""
    unguarded = run(script.format(guard="if True:"), tmp_path)
    assert unguarded.returncode == 1
    last = unguarded.stderr.splitlines()[-1]
    assert last.startswith("harness.errors.UsageError")
    assert 'below `if __name__ == "__main__":`' in last
    guarded = run(script.format(guard='if __name__ == "__main__":'), tmp_path)
    assert guarded.stdout.split() == f"[{', '.join(str(2 * n) for n in range(40))}]".split(), guarded.stderr


def test_workers_that_cannot_start_are_no_result_of_an_item(monkeypatch):
    monkeypatch.setattr("harness.system.processes._start", functools.partial(os._exit, 1))
    with pytest.raises(HarnessError, match="no worker process could start"):
        list(imap_isolated(math.sqrt, [4.0] * 40, timeout=60, workers=2))


def test_an_item_that_a_broken_pool_forgot_is_not_waited_for(monkeypatch):
    """It was scheduled at the moment when the last worker died."""

    class Forgetful(pebble.ProcessPool):
        def schedule(self, *arguments, **settings):
            super().schedule(*arguments, **settings)
            self.stop()
            return Future()

    monkeypatch.setattr(pebble, "ProcessPool", Forgetful)
    with pytest.raises(HarnessError, match="no worker process could start or answer"):
        list(imap_isolated(math.sqrt, [4.0], timeout=60, workers=2))


def test_workers_compute_with_one_thread():
    ((_, threads),) = imap_isolated(operator.methodcaller("get_num_threads"), [_Torch()], timeout=60)
    assert threads == 1


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processors are not chosen here")
def test_no_more_workers_than_allowed_processors():
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert allowed_processors() == 1
        pids = {pid for _, pid in imap_isolated(operator.methodcaller("__call__"), [_Pid()] * 4, timeout=60)}
    finally:
        os.sched_setaffinity(0, allowed)
    assert len(pids) == 1


def test_a_limit_of_processors_is_kept(monkeypatch):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    assert allowed_processors() == 1


class _Pid:
    """The process that it is called in."""

    def __call__(self):
        return os.getpid()


class _Torch:
    """Torch, imported where it is asked."""

    def __reduce__(self):
        return __import__, ("torch",)
