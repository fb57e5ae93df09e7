from __future__ import annotations

import inspect
import os
import time
from dataclasses import replace

import pytest

from harness.errors import UsageError
from harness.gate import measuring, side
from harness.gate.comparison import Bounds
from harness.gate.measuring import measure
from harness.gate.side import SideError, running

from .conftest import BENCHMARK, WORK

WIDE = Bounds({"time": 0.25})
"""Bound of time in these tests, which run beside others."""
TORCH = """
import torch

def test_product(benchmark):
    from toy import product
    x = torch.ones(20, 20)
    assert benchmark(lambda: product(x)).shape == (20, 20)
"""


@pytest.fixture(autouse=True)
def _short(monkeypatch):
    monkeypatch.setattr(measuring, "BLOCK", 0.05)
    monkeypatch.setattr(measuring, "FIRST_LOOK", 1)
    monkeypatch.setattr(measuring, "BLOCKS", 16)


def outcomes(comparisons):
    return {one.name.partition("::")[2]: one.outcome for one in comparisons}


def test_equal_versions_pass(toy_pair):
    (one,) = measure(toy_pair(), WIDE, seed=0)
    assert one.outcome == "passed"
    assert one.time.low <= 1.25
    assert len(one.seconds_base) == len(one.seconds_head) == one.time.blocks >= measuring.BLOCKS


def test_a_slower_head_fails(toy_pair):
    slow = WORK.replace("    return total", "    for number in range(rounds):\n        number * 2\n    return total")
    (one,) = measure(toy_pair(head=slow), WIDE, seed=0)
    assert one.outcome == "failed"
    assert one.time.low > 1.25
    assert one.reason == "slower"


def test_a_faster_head_passes_and_says_so(toy_pair):
    (one,) = measure(toy_pair(head="def work():\n    return sum(range(40_000))\n"), WIDE, seed=0)
    assert (one.outcome, one.reason) == ("passed", "faster")
    assert one.time.high < 1


CHANGES = {
    "copies": "(x @ x).clone()",
    "synchronisations": "(x @ x) + 0 * x.sum().item()",
    "kernels": "(x @ x).relu()",
    "flops": "(x @ x) if not bool((x @ x).isnan().any()) else x",
}


def test_one_more_of_a_counter_fails_before_any_time(toy_pair):
    base = "".join(f"def {name}(x):\n    return x @ x\n" for name in CHANGES)
    head = "".join(f"def {name}(x):\n    return {change}\n" for name, change in CHANGES.items())
    benchmark = "import toy, torch\n" + "".join(
        f"def test_{name}(benchmark):\n    assert benchmark(lambda: toy.{name}(torch.ones(20, 20))).shape == (20, 20)\n"
        for name in CHANGES
    )
    found = {one.name.rpartition("_")[2]: one for one in measure(toy_pair(base, head, benchmark), Bounds(), seed=0)}
    assert {*found} == {*CHANGES}
    for counter, one in found.items():
        assert one.outcome == "failed"
        assert counter in {pair.name for pair in one.grown}
        assert not one.seconds_head


def test_a_counter_that_varies_decides_nothing(toy_pair):
    varying = "import random\n\ndef product(x):\n    return sum((x for _ in range(random.randrange(1000))), x)\n"
    (one,) = measure(toy_pair(varying, varying, TORCH), WIDE, passes=1, seed=0)
    assert not one.grown
    assert {pair.name for pair in one.counters if not pair.repeatable} >= {"kernels"}


THREADED = """
import itertools, threading

calls = itertools.count()

def product(x):
    found = []
    work = lambda: found.append(x @ x)
    if next(calls) == 4:  # the second that is counted: one warms up, and one goes before each
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    else:
        work()
    return found[0]
"""


def test_a_counter_that_one_call_lacks_decides_nothing(toy_pair):
    pytest.importorskip("memray")
    (one,) = measure(toy_pair(THREADED, THREADED, TORCH), WIDE, passes=1, seed=0)
    assert not one.grown
    assert {pair.name for pair in one.counters if not pair.repeatable} >= {"allocations", "peak_bytes"}


def test_a_wrong_answer_of_the_head_fails(toy_pair):
    (one,) = measure(toy_pair(head="def work():\n    return 1\n"), Bounds(), seed=0)
    assert one.outcome == "failed"
    assert "assert 1 == " in one.reason


def test_a_crash_of_the_head_fails(toy_pair):
    (one,) = measure(toy_pair(head="import os\n\ndef work():\n    os.kill(os.getpid(), 9)\n"), Bounds(), seed=0)
    assert one.outcome == "failed"
    assert "ended with" in one.reason


def test_a_fault_of_the_base_is_no_fault_of_the_head(toy_pair):
    (one,) = measure(toy_pair(base="def work():\n    raise RuntimeError('old')\n"), Bounds(), seed=0)
    assert one.outcome == "passed"
    assert "old" in one.reason


def test_what_only_one_side_has_is_named(toy_pair):
    benchmark = (
        BENCHMARK
        + "\nimport toy\n\nif hasattr(toy, 'new'):\n    def test_new(benchmark):\n        benchmark(toy.new)\n"
    )
    pair = toy_pair(head=WORK + "\ndef new():\n    pass\n", benchmark=benchmark)
    found = {one.name.partition("::")[2]: one.note for one in measure(pair, WIDE, seed=0)}
    assert found == {"test_work": "", "test_new": "new"}


def test_a_file_that_the_head_cannot_import_fails(toy_pair):
    (one,) = measure(toy_pair(head=""), Bounds(), seed=0)
    assert one.outcome == "failed"
    assert "cannot import name 'work'" in one.reason


def test_a_file_that_one_side_cannot_import_leaves_the_others(toy_pair):
    pair = toy_pair(base=WORK, head=WORK + "\nnew = work\n")
    (pair.selection.folder / "test_new.py").write_text(
        "from toy import new\n\ndef test_new(benchmark):\n    benchmark(new)\n"
    )
    pair = replace(pair, selection=replace(pair.selection, paths=("test_toy.py", "test_new.py")))
    found = {one.name.partition("::")[2]: one for one in measure(pair, WIDE, seed=0)}
    assert {name: one.outcome for name, one in found.items()} == {"test_work": "passed", "test_new": "passed"}
    assert found["test_work"].time is not None
    assert "the base cannot read it: ImportError" in found["test_new"].reason
    backward = replace(pair, base=pair.head, head=pair.base)
    outcomes = {one.name: one.outcome for one in measure(backward, WIDE, seed=0)}
    assert outcomes == {"test_toy.py::test_work": "passed", "test_new.py": "failed"}


@pytest.mark.parametrize(("broken", "outcome"), [("head", "failed"), ("base", "passed")])
@pytest.mark.parametrize("calls", [1, 4])
def test_a_benchmark_that_ends_after_some_calls_is_named(toy_pair, broken, outcome, calls):
    ends = f"calls = []\n\ndef work():\n    calls.append(1)\n    assert len(calls) <= {calls}, 'used up'\n"
    benchmark = "import toy\n\ndef test_work(benchmark):\n    benchmark(toy.work)\n"
    (one,) = measure(toy_pair(benchmark=benchmark, **{broken: ends}), Bounds(), passes=1, seed=0)
    assert one.outcome == outcome
    assert "used up" in one.reason


def test_a_benchmark_that_is_left_by_pytest_itself_is_named(toy_pair):
    benchmark = "import pytest\n\ndef test_work(benchmark):\n    benchmark(int)\n    pytest.exit('enough')\n"
    (one,) = measure(toy_pair(benchmark=benchmark), Bounds(), passes=1, seed=0)
    assert "the process ended with 1" in one.reason


def test_a_benchmark_that_hangs_is_ended(toy_pair, monkeypatch, tmp_path):
    monkeypatch.setattr(side, "LIMIT", 6.0)
    started = tmp_path / "started"
    hangs = f"def work():\n    open({str(started)!r}, 'w').close()\n    time.sleep(1000)\n"
    benchmark = f"import time\n\n{hangs}\ndef test_work(benchmark):\n    benchmark(work)\n"
    with pytest.raises(SideError, match=r"ended with code -9"):
        measure(toy_pair(benchmark=benchmark), Bounds(), seed=0)
    assert started.exists()


def test_a_fixture_without_a_call_is_said_to_be_unused(toy_pair):
    (one,) = measure(toy_pair(benchmark="def test_work(benchmark):\n    pass\n"), Bounds(), seed=0)
    assert (one.outcome, one.reason) == ("passed", "not measured: it never calls its fixture `benchmark`")


@pytest.mark.parametrize(("broken", "code"), [("base", 5), ("head", 1), ("both", 1)])
def test_benchmarks_that_the_base_alone_cannot_collect_decide_nothing(toy_pair, broken, code):
    lacking = "def other():\n    pass\n"
    pair = toy_pair(
        base=WORK if broken == "head" else lacking,
        head=WORK if broken == "base" else lacking,
        benchmark="def test_work(benchmark):\n    benchmark(int)\n",
    )
    (pair.selection.folder / "conftest.py").write_text("from toy import work\n")
    with pytest.raises(SideError, match=r"cannot be collected: .*cannot import name 'work'") as caught:
        measure(pair, Bounds(), seed=0)
    assert caught.value.exit_code == code


def test_a_base_that_ends_decides_nothing(toy_pair):
    benchmark = "import os\nimport toy\n\nif hasattr(toy, 'end'):\n    os._exit(7)\n"
    with pytest.raises(SideError, match="benchmarks of the base ended with code 7") as caught:
        measure(toy_pair(benchmark=benchmark, base="end = 1\n"), Bounds(), seed=0)
    assert caught.value.exit_code == 5


def test_a_wrong_keyword_is_said_as_pytest_says_it(toy_pair):
    with pytest.raises(SideError, match="the benchmarks of the head cannot be collected: ERROR: Wrong expression"):
        measure(toy_pair(keyword="a b c"), Bounds(), seed=0)


def test_setup_prepares_each_call_that_is_counted(toy_pair):
    benchmark = """
import torch

def test_work(benchmark):
    def consume(numbers):
        found = [number + 1 for number in numbers]
        assert len(found) == 3
        return found
    assert len(benchmark.pedantic(consume, setup=lambda: ((iter(torch.ones(3).unbind()),), {}))) == 3
"""
    (one,) = measure(toy_pair(benchmark=benchmark), WIDE, passes=1, seed=0)
    assert {pair.name: pair.base for pair in one.counters}["kernels"] == 3


VALGRIND = """#!/bin/sh
# Stands for Valgrind: its dump is there from the start.
case "$*" in *base-callgrind*) count=1000 ;; *) count=1020 ;; esac
while [ "${1#-}" != "$1" ]; do
    case "$1" in --callgrind-out-file=*) prefix="${1#*=}"; prefix="${prefix%-%p}" ;; esac
    shift
done
echo "totals: $count" > "$prefix-1.1"
exec "$@"
"""


def test_instructions_are_counted(toy_pair, tmp_path, monkeypatch):
    tool = tmp_path / "bin" / "valgrind"
    tool.parent.mkdir()
    tool.write_text(VALGRIND)
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    (one,) = measure(toy_pair(counted=True), WIDE, passes=1, instructions=True, seed=0)
    (pair,) = [pair for pair in one.counters if pair.name == "instructions"]
    assert (pair.base, pair.head, pair.grew) == (1000, 1020, True)
    assert one.outcome == "failed"


def test_skipped_benchmarks_are_passed_over(toy_pair):
    skipped = "import pytest\n\ndef test_work(benchmark):\n    pytest.skip('no GPU')\n"
    (one,) = measure(toy_pair(benchmark=skipped), Bounds(), seed=0)
    assert one.outcome == "passed"
    assert "no GPU" in one.reason


def test_keyword_and_tests_without_benchmark_are_left_out(toy_pair):
    benchmark = BENCHMARK + "\ndef test_other(benchmark):\n    benchmark(work)\n\ndef test_plain():\n    assert False\n"
    assert outcomes(measure(toy_pair(benchmark=benchmark, keyword="not other"), WIDE, seed=0)) == {
        "test_work": "passed"
    }


def test_no_benchmark_is_a_wrong_use(toy_pair):
    with pytest.raises(UsageError, match="no benchmark found"):
        measure(toy_pair(benchmark="def test_plain():\n    pass\n"), Bounds(), seed=0)


def test_pedantic_prepares_each_round_anew(toy_pair):
    benchmark = """
from toy import work

def test_work(benchmark):
    fresh = []
    def prepare():
        fresh.append(1)
        return (len(fresh),), {}
    def once(number):
        assert number == len(fresh)
        return work()
    benchmark.extra_info["threads"] = 1
    assert benchmark.pedantic(once, setup=prepare, rounds=3) == sum(range(40_000))
    assert benchmark.stats.stats.median > 0
    assert benchmark.enabled and benchmark.stats["mean"] > 0 and benchmark.stats["ops"] > 0
"""
    assert outcomes(measure(toy_pair(benchmark=benchmark), WIDE, seed=0)) == {"test_work": "passed"}


def test_a_conftest_may_have_hooks_of_pytest_benchmark(toy_pair):
    pair = toy_pair()
    specs = pytest.importorskip("pytest_benchmark.hookspec")
    hooks = {name: inspect.signature(one) for name, one in vars(specs).items() if name.startswith("pytest_benchmark_")}
    assert hooks
    text = "".join(f"def {name}{signature}:\n    raise AssertionError\n\n" for name, signature in hooks.items())
    (pair.selection.folder / "conftest.py").write_text(text)
    assert outcomes(measure(pair, WIDE, seed=0)) == {"test_work": "passed"}


@pytest.mark.parametrize("counted", [False, True])
def test_pedantic_undoes_each_call_before_it_prepares_the_next(toy_pair, counted):
    benchmark = """
from toy import work

def test_work(benchmark):
    done = []
    def prepare():
        assert not done
        done.append("prepared")
        return (done,), {}
    def once(done):
        assert done == ["prepared"]
        done.append("called")
        return work()
    def undo(given):
        assert given is done and done == ["prepared", "called"]
        done.clear()
        undone.append(1)
    undone = []
    assert benchmark.pedantic(once, setup=prepare, teardown=undo) == sum(range(40_000))
    assert undone and not done
"""
    (one,) = measure(toy_pair(benchmark=benchmark, counted=counted), WIDE, passes=1, seed=0)
    assert (one.fault, one.note) == ("", "")


def test_an_interpreter_that_ends_is_named(toy_pair):
    benchmark = """
import os, sys
import toy

if hasattr(toy, "end"):
    print("gone", file=sys.stderr, flush=True)
    os._exit(7)

def test_x(benchmark):
    benchmark(int)
"""
    with pytest.raises(SideError, match=r"benchmarks of the head ended with code 7: gone"):
        measure(toy_pair(benchmark=benchmark, head="end = 1\n"), Bounds(), seed=0)


def test_a_worker_that_ended_before_a_command_is_named(toy_pair, tmp_path):
    pair = toy_pair()
    pair.head.write_text("#!/bin/sh\necho gone >&2\nexit 7\n")
    with (
        pytest.raises(SideError, match=r"benchmarks of the head ended with code 7: gone"),
        running("head", pair.head, pair.selection, tmp_path) as side,
    ):
        while "gone" not in side.last_words:
            time.sleep(0.01)
        for _ in range(100):  # whatever a pipe takes before its reader is seen to be gone
            side.tell("names", names=[])
            time.sleep(0.01)


def test_what_fails_in_the_base_or_skips_is_not_compared(toy_pair):
    benchmark = (
        "import pytest, toy\n\ndef test_new(benchmark):\n    benchmark(toy.new)\n\n"
        "def test_skipped(benchmark):\n    pytest.skip('no GPU')\n"
    )
    pair = toy_pair(head=WORK + "\nnew = work\n", benchmark=benchmark)
    found = measure(pair, Bounds(), passes=1)
    assert [(one.compared, one.of_one_side, one.outcome) for one in found] == [(False, False, "passed")] * 2
