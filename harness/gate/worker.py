"""pytest session in a measured environment, which obeys the gate.

A script that is started by its path with the environment's Python: what is measured may be any version of the harness,
or a package that knows nothing of it. It needs pytest, and PyTorch for counters of operators.

It speaks lines of JSON: commands come on standard input, answers go to what standard output was at the start.
"""

from __future__ import annotations

import functools
import gc
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.pop(0)  # the folder of this script, whose files would hide modules of the same names

import pytest
from _pytest.runner import runtestprotocol

Run = Callable[[], object]
CALLGRIND = "HARNESS_CALLGRIND"
"""Variable with the first part of the names of Callgrind's files."""
WAITED = Path("/proc/self/schedstat")
"""File in which Linux tells how long a thread waited for a processor."""


class Link:
    """Commands of the gate, and the answers to them."""

    def __init__(self) -> None:
        self._commands = os.fdopen(os.dup(0), encoding="utf-8")
        self._answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
        nowhere = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nowhere, 0)
        os.dup2(2, 1)  # what benchmarks print goes where errors go

    def say(self, event: str, **values: Any) -> None:
        """Tell the gate of an event."""
        self._answers.write(json.dumps({"event": event, **values}) + "\n")
        self._answers.flush()

    def hear(self) -> dict[str, Any]:
        """Wait for a command; the gate's end is this process's end."""
        line = self._commands.readline()
        if not line:
            os._exit(0)
        command: dict[str, Any] = json.loads(line)
        return command


class Timed:
    """Figures of the last round, by the names that pytest-benchmark's have."""

    def __init__(self, seconds: float) -> None:
        self.data = [seconds]
        self.median = self.mean = self.min = self.max = self.total = seconds
        self.q1 = self.q3 = self.ld15iqr = self.hd15iqr = seconds
        self.stddev = self.iqr = 0.0
        self.iqr_outliers = self.stddev_outliers = 0
        self.outliers = "0;0"
        self.rounds = 1
        self.ops = 1 / seconds if seconds else 0.0
        self.stats = self

    def __getitem__(self, name: str) -> Any:
        """Give a figure by its name."""
        return getattr(self, name)


class _Hooks:
    """Hooks of pytest-benchmark, which a `conftest.py` may have.

    Nobody calls them here, but pytest refuses hooks of a name that it does not know.
    """

    def pytest_benchmark_scale_unit(
        self, config: Any, unit: Any, benchmarks: Any, best: Any, worst: Any, sort: Any
    ) -> None: ...
    def pytest_benchmark_generate_machine_info(self, config: Any) -> None: ...
    def pytest_benchmark_update_machine_info(self, config: Any, machine_info: Any) -> None: ...
    def pytest_benchmark_generate_commit_info(self, config: Any) -> None: ...
    def pytest_benchmark_update_commit_info(self, config: Any, commit_info: Any) -> None: ...
    def pytest_benchmark_group_stats(self, config: Any, benchmarks: Any, group_by: Any) -> None: ...
    def pytest_benchmark_generate_json(
        self, config: Any, benchmarks: Any, include_data: Any, machine_info: Any, commit_info: Any
    ) -> None: ...
    def pytest_benchmark_update_json(self, config: Any, benchmarks: Any, output_json: Any) -> None: ...
    def pytest_benchmark_compare_machine_info(
        self, config: Any, benchmarksession: Any, machine_info: Any, compared_benchmark: Any
    ) -> None: ...


class Benchmark:
    """Fixture `benchmark` as pytest-benchmark has it, measured when the gate says so.

    Args:
        name: of the benchmark.
        link: to the gate.
    """

    def __init__(self, name: str, link: Link) -> None:
        self.name = self.fullname = name
        self.group: str | None = None
        self.extra_info: dict[str, Any] = {}
        self.stats = Timed(1.0)
        self.enabled, self.disabled = True, False
        self._link = link
        self._used = False

    def __call__(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Measure `function`; returns what it does."""
        return self._obey(lambda: lambda: function(*args, **kwargs))

    def pedantic(
        self,
        target: Callable[..., Any],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
        setup: Callable[[], Any] | None = None,
        teardown: Callable[..., Any] | None = None,
        **_: Any,
    ) -> Any:
        """Measure a call of `target`; rounds and iterations are the gate's to choose."""
        prepared: list[tuple[Any, Any]] = []

        def prepare() -> Run:
            given, named = (setup() if setup is not None else None) or (args, kwargs or {})
            prepared.append((given, named))
            return lambda: target(*given, **named)

        def finish() -> None:
            while prepared:
                given, named = prepared.pop()
                if teardown is not None:
                    teardown(*given, **named)

        return self._obey(prepare, finish, single=setup is not None or teardown is not None)

    def _obey(
        self, prepare: Callable[[], Run], finish: Callable[[], None] = lambda: None, *, single: bool = False
    ) -> Any:
        if self._used:
            msg = f"{self.name}: expected one use of the fixture `benchmark` in a test, got a second"
            raise RuntimeError(msg)
        self._used = True
        answer = prepare()()  # also warms up
        finish()
        self._link.say("ready", name=self.name)
        while (command := self._link.hear())["do"] != "go on":
            if command["do"] == "time":
                self.stats = Timed(_seconds(prepare, 1 if single else command["calls"]))
                finish()
                self._link.say("timed", seconds=self.stats.median, single=single)
            elif command["do"] == "count":
                counters = _counters()(_anew(prepare, finish) if single else prepare())
                finish()
                self._link.say("counted", counters=counters)
            else:
                counters = {"instructions": _instructions(prepare())}
                finish()
                self._link.say("counted", counters=counters)
        return answer


class Session:
    """pytest plugin: measures the benchmarks that the gate chooses."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def pytest_addhooks(self, pluginmanager: pytest.PytestPluginManager) -> None:
        """Name the hooks of pytest-benchmark."""
        pluginmanager.add_hookspecs(_Hooks)

    @pytest.fixture
    def benchmark(self, request: pytest.FixtureRequest) -> Benchmark:
        """Measure a function as the gate wants it."""
        return Benchmark(request.node.nodeid, self._link)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Tell the gate what there is, and keep what it wants, in its order."""
        there = {item.nodeid: item for item in items if "benchmark" in item.fixturenames}
        self._link.say("collected", names=list(there))
        items[:] = [there[name] for name in self._link.hear()["names"]]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Tell of a file that cannot be read."""
        if report.failed:
            self._link.say("broken", name=report.nodeid, why=_last_line(report.longreprtext))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> bool:
        """Run a benchmark as often as the gate wants, each time in a process of its own.

        What a process has in memory, and where, makes the same code faster or slower; a fork makes it anew for a
        thousandth of what another start of Python and PyTorch would take.
        """
        while (command := self._link.hear())["do"] != "next":
            if command["counted"]:
                _counters()  # each fork would load them again
            if not hasattr(os, "fork"):
                self._run(item)
                continue
            child = os.fork()
            if not child:
                code = 1  # unless the benchmark ran to its end, well or not
                try:
                    if command.get("core") is not None:
                        os.sched_setaffinity(0, {command["core"]})
                    self._run(item)
                    code = 0
                finally:
                    os._exit(code)
            _, status = os.waitpid(child, 0)
            if status:
                code = os.waitstatus_to_exitcode(status)
                self._link.say("ended", name=item.nodeid, outcome="failed", why=f"the process ended with {code}")
        return True

    def _run(self, item: pytest.Item) -> None:
        outcome, why = "passed", ""
        for report in runtestprotocol(item, log=False, nextitem=None):
            if report.outcome != "passed" and outcome == "passed":
                outcome, why = report.outcome, _last_line(report.longreprtext)
        self._link.say("ended", name=item.nodeid, outcome=outcome, why=why)


def _anew(prepare: Callable[[], Run], finish: Callable[[], None]) -> Run:
    """Call of which counting leaves out the first, which also prepares the second."""
    ready: list[Run] = []

    def run() -> None:
        if ready:
            ready.pop()()
            return
        prepare()()
        finish()
        ready.append(prepare())

    return run


def _last_line(text: str) -> str:
    errors = [line[1:].strip() for line in text.splitlines() if line.startswith("E ")]
    return (errors or text.splitlines() or [""])[0][:500]


def _seconds(prepare: Callable[[], Run], calls: int) -> float:
    """Time so many calls in a row, in seconds a call."""
    run = prepare()
    with _without_collection():
        _wait()
        start = time.perf_counter()
        queued = _queued()
        for _ in range(calls):
            run()
        _wait()
        queued = _queued() - queued  # within what is timed, so that it is never longer
        return (time.perf_counter() - start - queued) / calls


def _queued() -> float:
    """Seconds that this thread was ready to run while its core ran others.

    0 where the system does not say.
    """
    try:
        return int(WAITED.read_bytes().split()[1]) / 1e9
    except OSError:
        return 0.0


@contextmanager
def _without_collection() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _wait() -> None:
    """Wait for the work on the GPU, where there is any."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def _instructions(run: Run) -> int:
    """Count the instructions of a call.

    This process must run under Callgrind, which does not collect yet.
    """
    import torch

    prefix = Path(os.environ[CALLGRIND])
    torch._C._valgrind_toggle()
    run()
    torch._C._valgrind_toggle_and_dump_stats()
    dumps = [path for path in prefix.parent.glob(f"{prefix.name}*") if path.stat().st_size]
    newest = max(dumps, key=lambda path: path.stat().st_mtime_ns)
    found = re.search(r"^(?:summary|totals): (\d+)", newest.read_text(errors="replace"), re.MULTILINE)
    assert found is not None
    return int(found[1])


@functools.cache
def _counters() -> Callable[[Run], dict[str, int]]:
    """Load the counters of the environment's harness, where it has them."""
    try:
        import torch

        from harness.profiling.counters import count
    except ImportError:
        return lambda run: {}
    is_initialized: Callable[[], bool] = torch.cuda.is_initialized
    count(lambda: torch.zeros(1) + 1)  # imports what counting needs
    return lambda run: count(run, device="cuda" if is_initialized() else "cpu").flat()


def main() -> None:
    """Run the session: expression of pytest's `-k`, folder, and paths in it."""
    keyword, folder, *paths = sys.argv[1:]
    os.chdir(folder)
    link = Link()
    options = [
        "-q",
        "--continue-on-collection-errors",
        "-p",
        "no:benchmark",
        "-p",
        "no:xdist",
        "-p",
        "no:randomly",
        "-p",
        "no:cacheprovider",
        "--capture=no",
    ]
    chosen = ["-k", keyword] if keyword else []
    code = pytest.main([*options, *chosen, "--rootdir", folder, *paths], plugins=[Session(link)])
    link.say("over", code=int(code))


if __name__ == "__main__":
    main()
