"""A gate: two versions installed, their benchmarks measured and compared."""

from __future__ import annotations

import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from pathlib import Path

from harness.errors import UsageError
from harness.gate import noise
from harness.gate.checkouts import Checkout, check_out, resolve
from harness.gate.comparison import Bounds, Comparison, GateReport
from harness.gate.environments import environment, other_packages
from harness.gate.measuring import PASSES, Pair, measure
from harness.gate.scores import compare_scores
from harness.gate.settings import GateSettings
from harness.gate.side import Selection
from harness.system.environment import hardware

CONFIGURATION = "[pytest]\naddopts = --import-mode=importlib\n"
"""Settings of pytest in the folder of benchmarks.

The repository's own would make its sources importable.
"""


def both_versions(
    root: Path, base: str, head: str, cache: Path, left_out: Sequence[Path] = ()
) -> tuple[Checkout, Checkout]:
    """Check out both sides.

    Args:
        root: of the repository.
        base: reference of what is compared with.
        head: reference of what is judged; the working tree when empty.
        cache: folder for the checkouts.
        left_out: folders whose untracked files are no part of the working tree, such as the gate's own.

    Raises:
        UsageError: when a reference names no commit.
    """
    versions = [resolve(root, reference, left_out) for reference in (base, head)]
    folders = [cache / f"sources-{one.commit[:12]}{one.commit[40:]}" for one in versions]
    sides = [check_out(root, one, folder, left_out) for one, folder in zip(versions, folders, strict=True)]
    return sides[0], sides[1]


def run_gate(
    sides: tuple[Checkout, Checkout],
    settings: GateSettings,
    *,
    cache: Path,
    keyword: str = "",
    passes: int = PASSES,
    instructions: bool = False,
    plugin_folders: Sequence[Path] = (),
) -> GateReport:
    """Install both versions and measure the head's benchmarks in both.

    Args:
        sides: base and head.
        settings: which benchmarks, how to install, and bounds.
        cache: folder of environments, which are used again.
        keyword: expression of pytest's `-k`.
        passes: at most; see `measure`.
        instructions: also count instructions under Valgrind.
        plugin_folders: benchmarks that plugins registered, beside those of the settings.

    Raises:
        UsageError: when there is no such benchmark, or a bound is of nothing that is measured.
        InstallationError: when a version cannot be installed.
    """
    bounds = Bounds(settings.bounds)
    before = noise.look()  # an installation is a load of its own
    base, head = (environment(side, settings.install, cache) for side in sides)
    warnings = (*before.warnings(), *other_packages(base, head))
    with tempfile.TemporaryDirectory(prefix="benchmarks-", dir=cache) as folder:
        pair = Pair(base, head, _copy_benchmarks(sides[1], settings.benchmarks, plugin_folders, Path(folder), keyword))
        return _report(sides, lambda: measure(pair, bounds, passes=passes, instructions=instructions), warnings)


def run_score_gate(sides: tuple[Checkout, Checkout], settings: GateSettings, suite: str, *, cache: Path) -> GateReport:
    """Install both versions and compare the scores of a suite.

    Args:
        sides: base and head.
        settings: how to install.
        suite: name, or a file of the head's sources.
        cache: folder of environments, which are used again.

    Raises:
        InstallationError: when a version cannot be installed.
        SuiteError: when a version does not run the suite.
    """
    base, head = (environment(side, settings.install, cache) for side in sides)
    return _report(sides, lambda: compare_scores(sides, (base, head), suite))


def _report(
    sides: tuple[Checkout, Checkout], compared: Callable[[], list[Comparison]], noise: tuple[str, ...] = ()
) -> GateReport:
    started, start = datetime.now(timezone.utc), time.perf_counter()
    comparisons = compared()
    return GateReport(
        base=sides[0].version,
        head=sides[1].version,
        comparisons=tuple(comparisons),
        made_with={"hardware": hardware("cpu"), "python": platform.python_version(), "system": platform.system()},
        started=started.isoformat(timespec="seconds"),
        seconds=round(time.perf_counter() - start, 1),
        noise=noise,
    )


def _copy_benchmarks(
    head: Checkout, paths: Sequence[str], plugin_folders: Sequence[Path], folder: Path, keyword: str
) -> Selection:
    """Copy the head's benchmarks to a folder in which no sources lie."""
    chosen = []
    for path in paths:
        source = head.folder / path
        if not source.exists() or head.folder not in source.resolve().parents:
            msg = f"no benchmarks at {path!r} of {head.version.reference}: expected a file or folder below its root"
            raise UsageError(msg)
        _copy(source, folder / path)
        if source.is_file() and (beside := source.with_name("conftest.py")).is_file():  # its fixtures
            _copy(beside, (folder / path).with_name("conftest.py"))
        chosen.append(path)
    for number, source in enumerate(plugin_folders):
        name = f"plugin_{number}_{source.name}"
        _copy(source, folder / name)
        chosen.append(name)
    (folder / "pytest.ini").write_text(CONFIGURATION, encoding="utf-8")
    return Selection(folder, tuple(chosen), keyword)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_file():
        shutil.copy2(source, target)
        return
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
