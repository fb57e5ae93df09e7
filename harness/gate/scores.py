"""Scores of a suite in both versions, compared by the rule of `harness verify`."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from harness.errors import HarnessError, UndecidedError
from harness.execution.verification import compare, new_home
from harness.gate.checkouts import Checkout
from harness.gate.comparison import Comparison
from harness.gate.environments import variables
from harness.leaderboard.board import Board
from harness.leaderboard.results_file import load_results
from harness.store.records import CellSpec, Run
from harness.system import paths, progress


class SuiteError(HarnessError):
    """A version does not run the suite."""


class BaseSuiteError(SuiteError, UndecidedError):
    """A base that does not run the suite, which is no fault of the head."""


def compare_scores(sides: tuple[Checkout, Checkout], interpreters: tuple[Path, Path], suite: str) -> list[Comparison]:
    """Run a suite in both environments, and compare cell by cell.

    Each has a store of its own.

    A cell passes when its scores are equal, or within the tolerance of `harness verify`.

    Args:
        sides: base and head.
        interpreters: of their environments.
        suite: name, or a file of the head's sources.

    Raises:
        SuiteError: when a side writes no board, with its last line; a `BaseSuiteError` when the head writes one.
    """
    file = sides[1].folder / suite
    wanted = str(file) if file.is_file() else suite
    boards: list[Board] = []
    paths.home().mkdir(parents=True, exist_ok=True)
    for side, python, error in zip(sides[::-1], interpreters[::-1], (SuiteError, BaseSuiteError), strict=True):
        with tempfile.TemporaryDirectory(prefix=".gate-", dir=paths.home().absolute()) as folder:
            boards.append(_run_suite(side, python, wanted, Path(folder), error))
    head, base = boards
    return compare_boards(base, head)


def compare_boards(base: Board, head: Board) -> list[Comparison]:
    """Compare the cells of two boards of one suite.

    Args:
        base: what is compared with.
        head: what is judged; one of its cells that the base has not is noted as new, and one that failed in the base
            is not compared.
    """
    before = {cell.identity.place: cell for cell in base.planned}
    comparisons = []
    for cell in head.planned:
        name = _name(cell.identity)
        earlier = before.pop(cell.identity.place, None)
        if earlier is None or earlier.run is None:
            note = "not applicable" if cell.run is None else "new"
            comparisons.append(Comparison(name=name, note=note, compared=False))
            continue
        if earlier.run.status != "done":
            comparisons.append(Comparison(name=name, note=f"base {_ending(earlier.run)}", compared=False))
            continue
        if cell.run is None or cell.run.status != "done":
            fault = "ran in the base alone" if cell.run is None else _ending(cell.run)
            comparisons.append(Comparison(name=name, fault=fault))
            continue
        verdict = compare(earlier.run, cell.run, head.cards[cell.identity.evaluator.name])
        words = "; ".join([verdict.outcome, *verdict.words])
        different = verdict.outcome == "different"
        comparisons.append(Comparison(name=name, note="" if different else words, fault=words if different else ""))
    gone = [Comparison(name=_name(cell.identity), note="gone", compared=False) for cell in before.values()]
    return comparisons + gone


def _run_suite(side: Checkout, python: Path, suite: str, folder: Path, error: type[SuiteError]) -> Board:
    home = folder / "home"
    home.mkdir()
    board = folder / "board"
    progress.say(f"running {suite} of {side.version.reference}")
    run = subprocess.run(  # noqa: S603
        [str(python), "-m", "harness", "run", suite, "-o", str(board)],
        cwd=folder,
        env={**variables(), "HARNESS_HOME": str(new_home(home))},
        capture_output=True,
        text=True,
        check=False,
    )
    results = board / "results.json"
    if not results.is_file():
        lines = run.stderr.strip().splitlines() or [f"exit code {run.returncode}"]
        msg = f"{side.version.reference} does not run {suite}: {lines[-1]}"
        raise error(msg)
    return load_results(results)


def _ending(run: Run) -> str:
    return f"{run.status}: {run.reason}" if run.reason else run.status


def _name(identity: CellSpec) -> str:
    learnt_from = (
        "" if identity.pretraining in (None, identity.data) else f" / learnt from {identity.pretraining.label}"
    )
    return f"{identity.fit_label}{learnt_from} / {identity.evaluator.label} / {identity.data.label}"
