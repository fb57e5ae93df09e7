"""One version of a package while its benchmarks run in a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, UndecidedError, UsageError
from harness.gate.environments import variables
from harness.system import freed_memory

WORKER = Path(__file__).with_name("worker.py")
BASE, HEAD = "base", "head"
"""Titles of the sides."""
LIMIT = 600.0
"""Seconds that a side may take for one answer."""
ALIKE = {
    "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_WAIT_POLICY": "PASSIVE",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    **freed_memory.kept(),
    "MALLOC_TOP_PAD_": str(2**26),
}
"""Environment variables that both sides get.

One thread a library: where threads share cores, what is measured is how the scheduler places them. A benchmark that is
about threads sets their number itself.

glibc keeps memory that was freed: else a large tensor is taken from the system anew in each call or not, by where a
process happens to lie in memory, which made one process of the same code some 2 % slower than another. PyTorch looks
for a GPU without starting CUDA, which a fork could not use.
"""


@dataclass(frozen=True, slots=True)
class Selection:
    """Benchmarks to collect."""

    folder: Path
    """Copy of the benchmarks, apart from the sources.

    Those would hide what is installed.
    """
    paths: tuple[str, ...]
    """In the folder."""
    keyword: str = ""
    """Expression of pytest's `-k`."""


class SideError(HarnessError):
    """A side ended or did not answer."""


class BaseSideError(SideError, UndecidedError):
    """An end of the base, which is no fault of the head."""


class Side:
    """A running worker.

    Args:
        title: names the side in messages.
        process: the worker.
        log: file of what it prints.
    """

    def __init__(self, title: str, process: subprocess.Popen[str], log: Path) -> None:
        self.title = title
        self._process = process
        self._log = log

    def ask(self, do: str, **values: Any) -> dict[str, Any]:
        """Send a command and wait for its answer."""
        self.tell(do, **values)
        return self.hear()

    def tell(self, do: str, **values: Any) -> None:
        """Send a command.

        Raises:
            SideError: when the worker has ended.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **values}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._lost() from None

    def hear(self) -> dict[str, Any]:
        """Wait for an event.

        Raises:
            SideError: when the worker has ended, or took longer than `LIMIT`.
        """
        assert self._process.stdout is not None
        timer = threading.Timer(LIMIT, self.end)
        timer.daemon = True
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if not line:
            raise self._lost()
        event: dict[str, Any] = json.loads(line)
        return event

    def end(self) -> None:
        """End the worker, and the fork in which a benchmark runs."""
        if os.name == "nt":
            self._process.kill()
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):  # gone, or about to be on macOS
            os.killpg(self._process.pid, signal.SIGKILL)

    @property
    def last_words(self) -> str:
        """The worker's last error, or else its last line, after a colon; or nothing."""
        printed = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        errors = [line for line in printed if line.startswith(("ERROR", "E  "))]
        return f": {(errors or printed)[-1].strip()}" if printed else ""

    def error(self, what: str) -> SideError:
        """Build the error for a session that ended, with its last words."""
        kind = BaseSideError if self.title == BASE else SideError
        return kind(f"the benchmarks of the {self.title} {what}{self.last_words}")

    def _lost(self) -> SideError:
        return self.error(f"ended with code {self._process.wait()}")


@contextmanager
def running(title: str, python: Path, selection: Selection, folder: Path, *, callgrind: bool = False) -> Iterator[Side]:
    """Run the benchmarks of a selection in an environment.

    Args:
        title: of the side.
        python: the environment's.
        selection: what to collect.
        folder: for what it writes.
        callgrind: count instructions, which Valgrind's tool does at a fiftieth of the speed.

    Raises:
        UsageError: when Valgrind is asked for and not installed.
    """
    log = folder / f"{title}.log"
    before, traced = _callgrind(folder / f"{title}-callgrind") if callgrind else ([], {})
    arguments = [*before, str(python), str(WORKER), selection.keyword, str(selection.folder)]
    with (
        log.open("w", encoding="utf-8") as printed,
        subprocess.Popen(  # noqa: S603
            [*arguments, *selection.paths],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=printed,
            text=True,
            encoding="utf-8",
            env={**variables(), **ALIKE, **traced},
            start_new_session=True,
        ) as process,
    ):
        side = Side(title, process, log)
        try:
            yield side
        finally:
            side.end()
            with contextlib.suppress(OSError):  # of what a worker that ended has not taken
                assert process.stdin is not None
                process.stdin.close()


def _callgrind(prefix: Path) -> tuple[list[str], dict[str, str]]:
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        msg = "instructions are counted by Valgrind, which is not installed: apt-get install valgrind"
        raise UsageError(msg)
    tool = ["--tool=callgrind", f"--callgrind-out-file={prefix}-%p", "--collect-atstart=no", "--quiet"]
    return [valgrind, *tool], {"HARNESS_CALLGRIND": str(prefix)}
