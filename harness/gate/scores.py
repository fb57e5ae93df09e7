"""Scores of a suite in both versions, compared by the rule of `harness verify`."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from harness.errors import HarnessError
from harness.execution.verification import compare, new_home
from harness.gate.checkouts import Checkout
from harness.gate.comparison import Comparison
from harness.gate.environments import variables
from harness.leaderboard.board import Board
from harness.leaderboard.results_file import load_results
from harness.store.records import CellSpec
from harness.system import paths, progress


class SuiteError(HarnessError):
    """A version does not run the suite."""


def compare_scores(sides: tuple[Checkout, Checkout], interpreters: tuple[Path, Path], suite: str) -> list[Comparison]:
    """Run a suite in both environments, and compare cell by cell.

    Each has a store of its own.

    A cell passes when its scores are equal, or within the tolerance of `harness verify`.

    Args:
        sides: base and head.
        interpreters: of their environments.
        suite: name, or a file of the head's sources.

    Raises:
        SuiteError: when a side writes no board, with its last line.
    """
    file = sides[1].folder / suite
    wanted = str(file) if file.is_file() else suite
    boards = []
    paths.home().mkdir(parents=True, exist_ok=True)
    for side, python in zip(sides, interpreters, strict=True):
        with tempfile.TemporaryDirectory(prefix=".gate-", dir=paths.home().absolute()) as folder:
            boards.append(_run_suite(side, python, wanted, Path(folder)))
    return compare_boards(*boards)


def compare_boards(base: Board, head: Board) -> list[Comparison]:
    """Compare the cells of two boards of one suite.

    Args:
        base: what is compared with.
        head: what is judged; one of its cells that the base has not is noted as new.
    """
    before = {cell.identity.place: cell for cell in base.planned}
    comparisons = []
    for cell in head.planned:
        name = _name(cell.identity)
        earlier = before.pop(cell.identity.place, None)
        if earlier is None or earlier.run is None or cell.run is None:
            if earlier is not None and earlier.run is not None:
                comparisons.append(Comparison(name=name, fault="ran in the base alone"))
            else:
                note = "not applicable" if cell.run is None else "new"
                comparisons.append(Comparison(name=name, note=note, compared=False))
            continue
        verdict = compare(earlier.run, cell.run, head.cards[cell.identity.evaluator.name])
        words = "; ".join([verdict.outcome, *verdict.words])
        different = verdict.outcome == "different"
        comparisons.append(Comparison(name=name, note="" if different else words, fault=words if different else ""))
    gone = [Comparison(name=_name(cell.identity), note="gone", compared=False) for cell in before.values()]
    return comparisons + gone


def _run_suite(side: Checkout, python: Path, suite: str, folder: Path) -> Board:
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
        raise SuiteError(msg)
    return load_results(results)


def _name(identity: CellSpec) -> str:
    learnt_from = (
        "" if identity.pretraining in (None, identity.data) else f" / learnt from {identity.pretraining.label}"
    )
    return f"{identity.fit_label}{learnt_from} / {identity.evaluator.label} / {identity.data.label}"
