"""Boards of stored runs, sites of boards, claims held against boards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.loading import checked_suite
from harness.cards import NAME, MethodCard
from harness.errors import DataError
from harness.execution.sources import DataSources
from harness.plugins.manager import Plugins
from harness.store.runs import Store
from harness.suites.command import run_command
from harness.system import paths, progress
from harness.system.hashing import digest

if TYPE_CHECKING:
    from harness.execution.plan import Plan
    from harness.leaderboard import Board, PlannedSuite
    from harness.leaderboard.claims_table import MeasuredPair
    from harness.suites.schema import Suite


BOARDS = Path("leaderboards")
"""Folder of boards, unless another is given."""
PLACES = {"paths", "threads", "limits"}
"""Keys of a suite that say how it is computed here, and nothing of its content."""


def leaderboard(
    source: str | Path, *, changes: Sequence[str] = (), plugins: Plugins | None = None, store: Store | None = None
) -> Board:
    """Build a board from stored runs; `publish` writes it into a folder.

    Where data of the suite is gone, the newest run of each cell is shown, and the board says that keys are unchecked.

    Args:
        source: name of a suite, a .yaml file, or the folder of a board, which is read from its own `results.json`.
        changes: `KEY=VALUE` as `--set` takes them; of a suite.
        plugins: where names are looked up; all that are installed unless given.
        store: where the runs are; the user's own unless given.

    Raises:
        UsageError: when the suite, one of its names or an option is unknown or wrong.
        PluginError: when a distribution that the suite requires is not installed.
        DataError: when data cannot be read and no run of it is stored, or the folder holds no board.
    """
    if Path(source).is_dir():
        from harness.leaderboard import load_results

        return load_results(Path(source) / "results.json")
    plugins = Plugins() if plugins is None else plugins
    suite = checked_suite(source, changes, plugins)
    sources = DataSources(plugins, suite.paths)
    store = Store(paths.store()) if store is None else store
    from harness.leaderboard import plan_readable

    return _board(suite, plan_readable(suite, plugins, sources), sources, plugins, store, run_command(source, changes))


def publish(board: Board, folder: Path | None = None) -> Path:
    """Write a board into a folder, `leaderboards/<suite>` unless given.

    Raises:
        DataError: when a run holds NaN or infinity; nothing is written then.
    """
    from harness.leaderboard import render

    folder = folder or BOARDS / board.suite
    render(board, folder)
    return folder


def site(
    boards: Sequence[str | Path],
    folder: Path,
    *,
    before: Path | None = None,
    plugins: Plugins | None = None,
) -> tuple[Path, ...]:
    """Write boards as one static site; returns its files.

    Numbers are those that the boards' `results.json` record; their pages are copied.

    Args:
        boards: folders of boards, or names of suites whose boards lie in `leaderboards/`.
        folder: new, empty, or a site that is written again.
        before: an earlier site, or a folder of boards; a page says what changed since.
        plugins: where summaries and papers of methods are looked up; all that are installed unless given.

    Raises:
        UsageError: when a board is unknown, two have the same folder name, `before` has none, or `folder` has other
            files.
        DataError: when a board cannot be read or lacks a file; nothing is written then.
    """
    from harness.leaderboard.site import Site, earlier_boards, find_board, load_boards, publish_site

    plugins = Plugins() if plugins is None else plugins
    loaded = load_boards([find_board(board, BOARDS) for board in boards])
    cards = {name: plugins.methods.entry(name).card for name in plugins.methods}
    known = {name: card for name, card in cards.items() if isinstance(card, MethodCard)}
    earlier = None if before is None else earlier_boards(before)
    return publish_site(Site(loaded, known, earlier), folder)


@dataclass(frozen=True, slots=True)
class MeasuredClaims:
    """Claims of a paper, held against boards."""

    pairs: tuple[MeasuredPair, ...]
    """Every pair with its figures on each size of the data."""
    table: str
    """The same in Markdown, with a comment that names the boards."""


def claims(source: str | Path, boards: Sequence[str | Path], *, plugins: Plugins | None = None) -> MeasuredClaims:
    """Hold the claims of a file against boards.

    Args:
        source: a file of claims, as plugins of papers ship it.
        boards: folders of boards of the suites that the claims name; what is on none is not measured.
        plugins: where names are looked up; all that are installed unless given.

    Raises:
        UsageError: when the file is no file of claims, a name or option is unknown, a board is of another suite, two
            are of one, or several cells of a board fit one side of a pair.
        PluginError: when a class cannot be imported.
        DataError: when a board cannot be read, or a pair's cells were not measured on the same videos and seeds.
    """
    from harness.leaderboard import claims_table
    from harness.leaderboard.claims import load_claims

    loaded = load_claims(Path(source), Plugins() if plugins is None else plugins)
    folders = [Path(board) for board in boards]
    boards_of = claims_table.load_boards(folders, loaded)
    pairs = claims_table.measure_claims(loaded, boards_of)
    written = claims_table.table(pairs, boards_of)
    return MeasuredClaims(pairs, f"{written}\n{claims_table.digests(folders)}")


def board_of_plan(plan: Plan, sources: DataSources, plugins: Plugins, store: Store, *, command: str) -> Board:
    """Build the board of a plan."""
    from harness.leaderboard import PlannedSuite

    return _board(plan.suite, PlannedSuite(plan.cells, {}), sources, plugins, store, command)


def _board(
    suite: Suite, planned: PlannedSuite, sources: DataSources, plugins: Plugins, store: Store, command: str
) -> Board:
    """Build a board, with pictures and published numbers."""
    from harness.leaderboard import build_board, with_pictures, with_references, with_runs
    from harness.leaderboard.fold_confusion import accumulated_picture
    from harness.leaderboard.published import Matcher
    from harness.pictures.contact_sheet import contact_sheet

    cells = with_runs(planned.cells, store)
    if planned.unchecked:
        if all(cell.run is None for cell in cells):
            raise DataError(f"suite {suite.name!r}: no run of it is stored, and " + next(iter(planned.gone.values())))
        progress.say(planned.unchecked)
    shown = [(cell.average.data if cell.average else cell.identity.data, cell.identity.data) for cell in planned.cells]
    datasets = {named.label: measured for named, measured in reversed(shown)}
    labels = dict.fromkeys(named.label for named, _ in shown if datasets[named.label].label not in planned.gone)
    board = build_board(
        title=suite.title,
        summary=suite.summary,
        suite=suite.name,
        suite_hash=digest(suite.model_dump(mode="json", exclude=_unnamed(suite))),
        command=command,
        planned=cells,
        cards={choice.name: plugins.evaluators.entry(choice.name).card for choice in suite.evaluators},
        pictures={
            f"{label}: a row of test pictures for each class": contact_sheet(sources.split(datasets[label], "test"))
            for label in labels
        },
        unchecked=planned.unchecked,
    )
    published, complaints = plugins.published()
    for complaint in complaints:
        progress.say(complaint)
    references = [reference for numbers in published.values() for reference in numbers]
    board = with_pictures(board, lambda key, name: stored_picture(store, key, name), accumulated_picture)
    return with_references(board, references, Matcher(plugins).same)


def _unnamed(suite: Suite) -> set[str]:
    """Keys left out of a suite's hash: local settings, and fields at their default."""
    as_ever = {"precision": suite.precision == "fp32", "limit": suite.limit is None}
    return PLACES | {name for name, same in as_ever.items() if same}


def stored_picture(store: Store, key: str, name: str) -> bytes | None:
    """Read the PNG of a run; None, with a line on stderr, where it is missing."""
    try:
        # A run may name anything; what is no short name could lead out of the store.
        if NAME.fullmatch(name):
            return store.picture(key, name).read_bytes()
    except OSError:
        pass
    progress.say(
        f"picture {name!r} of run {key} is not in the store and left out; `harness show {key}` says where it was"
    )
    return None
