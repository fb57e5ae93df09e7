"""The board of a suite: planned cells, and everything computed from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from harness.cards import EvaluatorCard
from harness.leaderboard.comparisons import Comparisons
from harness.leaderboard.fold_confusion import CONFUSION, accumulated_name, confused_folds
from harness.leaderboard.made_with import MadeWith, made_with
from harness.leaderboard.planned import PlannedCell, assemble
from harness.leaderboard.ranking import Division, rank
from harness.leaderboard.statistics import Covers
from harness.leaderboard.table import BoardCell, Column, Row, shared_settings
from harness.leaderboard.text import drawn, file_name
from harness.store.records import Run
from harness.suites.references import Reference

PLOTTED, PLOTTED_REFERENCES = 40, 8
"""Number of rows that a plot shows at most, and of references among them."""
LABELLED = "Weights learnt from labels"
"""Heading of rows that started from such."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the data."""

    number: int
    caption: str
    png: bytes = field(repr=False)

    @property
    def file(self) -> str:
        """Name of its file in the board's folder."""
        return f"picture-{self.number}.png"


@dataclass(frozen=True, slots=True)
class RunPicture:
    """A picture that an evaluator made of one run."""

    number: int
    column: Column
    row: Row
    seed: int
    key: str
    """Key of the run, or of the first fold's."""
    name: str
    png: bytes = field(repr=False)

    @property
    def caption(self) -> str:
        """Row, seed and name."""
        return f"{self.row.label}, seed {self.seed}: {self.name}"

    @property
    def file(self) -> str:
        """Name of its file in the board's folder."""
        return f"picture-{self.number}-{file_name(self.column.evaluator.name)}-{file_name(self.name)}.png"


@dataclass(frozen=True, kw_only=True)
class Board:
    """One suite's results; `build_board` makes it, `render` writes it."""

    title: str
    summary: str
    suite: str
    suite_hash: str
    command: str
    """Shell command that makes the runs."""
    planned: tuple[PlannedCell, ...]
    cards: Mapping[str, EvaluatorCard]
    pictures: tuple[Picture, ...]
    """Pictures of the data."""
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    """Rows after whole fits."""
    at_shares: tuple[Row, ...]
    """Rows after shares of fits, which are never ranked."""
    divisions: tuple[Division, ...]
    comparisons: Comparisons
    run_pictures: tuple[RunPicture, ...] = ()
    unchecked: str = ""
    """Note that the keys of runs could not be checked; empty where they were."""
    references: tuple[Reference, ...] = ()
    """Published numbers, each naming evaluator and data set as its column does."""

    @cached_property
    def supervised_rows(self) -> tuple[Row, ...]:
        """The references, in order."""
        return tuple(row for row in self.rows if row.supervised)

    @cached_property
    def ranking(self) -> tuple[Column, ...]:
        """The columns that rows are ranked by; those of speed stand apart."""
        return tuple(column for column in self.columns if column.ranks)

    @cached_property
    def seeds(self) -> tuple[int, ...]:
        """All seeds that the suite plans."""
        return tuple(sorted({cell.identity.seed for cell in self.planned}))

    @cached_property
    def covers(self) -> Covers:
        """Claim of the board's intervals, unless a cell names another."""
        return "new seeds, new groups" if len(self.seeds) > 1 else "this fit, new groups"

    def exception(self, cell: BoardCell) -> str:
        """Claim of a cell's interval; empty where it is the board's."""
        covers = cell.interval.covers if cell.interval else None
        return covers if covers and covers != self.covers else ""

    @cached_property
    def shared(self) -> tuple[str, ...]:
        """Backbone, pretraining and budget, those of them that all rows share."""
        return shared_settings([row.setting for row in self.rows])

    @cached_property
    def shared_data(self) -> str:
        """The data set of all columns; empty where they have several."""
        labels = {column.data.label for column in self.columns}
        return labels.pop() if len(labels) == 1 else ""

    @cached_property
    def made_with(self) -> MadeWith:
        """Versions, hardware and threads of its rows."""
        return made_with((*self.rows, *self.at_shares))

    @cached_property
    def several_protocols(self) -> bool:
        """True where not all rows are of the same protocols."""
        return any(division.protocols for division in self.divisions)

    def heading(self, division: Division) -> str:
        """Name of a division; empty where the board has no other."""
        protocols = f"Protocols {division.letter}" if self.several_protocols else ""
        return " · ".join(part for part in (protocols, LABELLED if division.labelled else "") if part)

    @cached_property
    def ranked_rows(self) -> tuple[tuple[str, Row], ...]:
        """Rows in the order of their ranks, with unique labels, as an axis needs them."""
        rows: dict[str, Row] = {}
        for division in self.divisions:
            for standing in division.standings:
                label = drawn(standing.row.label)
                names = [division.letter] if self.several_protocols else []
                names += ["labels"] if division.labelled else []
                label = f"{label}  [{', '.join(names)}]" if names else label
                while label in rows:
                    label += "′"
                rows[label] = standing.row
        return tuple(rows.items())

    @cached_property
    def plotted_rows(self) -> tuple[tuple[str, Row], ...]:
        """The rows that plots show: of many the first, and the first references."""
        rows = self.ranked_rows
        if len(rows) <= PLOTTED:
            return rows
        references = [one for one in rows if one[1].supervised][:PLOTTED_REFERENCES]
        others = [one for one in rows if not one[1].supervised][: PLOTTED - len(references)]
        kept = {label for label, _ in (*others, *references)}
        return tuple(one for one in rows if one[0] in kept)


def build_board(
    *,
    title: str,
    summary: str,
    suite: str,
    suite_hash: str,
    command: str,
    planned: Sequence[PlannedCell],
    cards: Mapping[str, EvaluatorCard],
    pictures: Mapping[str, bytes],
    unchecked: str = "",
) -> Board:
    """Compute intervals, comparisons and ranks.

    Args:
        title: of the page.
        summary: one paragraph.
        suite: the suite's name.
        suite_hash: of its content, so that a changed definition is seen.
        command: what a reader types to make the runs, such as `harness run quickstart`.
        planned: all cells of the suite; rows and columns are shown in their order.
        cards: of every evaluator planned, by its name.
        pictures: of the data, PNG bytes by caption.
        unchecked: note that the keys of runs could not be checked.

    Raises:
        UsageError: when nothing is planned, an evaluator has no card, or its card names an unknown statistic.
        DataError: when a value of a finished run is no number, or a row's seeds were not measured on the same videos.
    """
    columns, assembled = assemble(planned, cards)
    rows = tuple(row for row in assembled if row.share is None)
    divisions, comparisons = rank(columns, rows)
    return Board(
        title=title,
        summary=summary,
        suite=suite,
        suite_hash=suite_hash,
        command=command,
        planned=tuple(planned),
        cards={name: cards[name] for name in sorted({cell.identity.evaluator.name for cell in planned})},
        pictures=tuple(Picture(number, *item) for number, item in enumerate(pictures.items(), start=1)),
        columns=columns,
        rows=rows,
        at_shares=assembled[len(rows) :],
        divisions=divisions,
        comparisons=comparisons,
        unchecked=unchecked,
    )


def with_pictures(
    board: Board, read: Callable[[str, str], bytes | None], draw: Callable[[Sequence[Run]], bytes] | None = None
) -> Board:
    """Add pictures of runs: in each column, of the first seed of the best-ranked row.

    Where nothing is ranked they are those of a reference, or else of the first row. Where the row averages folds they
    are those of its first fold, but the confusion is accumulated over all of them, if the runs tell their classes.

    Args:
        board: whose runs.
        read: the PNG of a run's key and a picture's name; None leaves it out.
        draw: the accumulated confusion of the runs of all folds; None reads it as the others, under its own name.
    """
    standings = [standing for division in board.divisions for standing in division.standings]
    standings.sort(key=lambda one: (one.rank is None, one.rank is None and not one.row.supervised))
    pictures: list[RunPicture] = []
    for column in board.columns:
        seeds = [(standing.row, seed) for standing in standings for seed in standing.row.cell(column).seeds]
        for row, seed in seeds:
            if seed.run and seed.run.pictures:
                folds = confused_folds(row.cell(column), seed.seed)
                for own in seed.run.pictures:
                    accumulated = own == CONFUSION and len(folds) > 0
                    name = accumulated_name(folds) if accumulated else own
                    png = draw(folds) if accumulated and draw else read(seed.run.key, name)
                    if png is not None:
                        number = 1 + len(board.pictures) + len(pictures)
                        pictures.append(RunPicture(number, column, row, seed.seed, seed.run.key, name, png))
                break
    return dataclasses.replace(board, run_pictures=tuple(pictures))
