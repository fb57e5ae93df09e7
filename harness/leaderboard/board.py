"""The board: what it was built from, and everything computed from that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.cards import EvaluatorCard
from harness.leaderboard.ranking import Comparison, Division, rank
from harness.leaderboard.table import Cell, Column, Planned, Row, assemble
from harness.suites.references import Reference


@dataclass(frozen=True, slots=True)
class RunPicture:
    """A picture that an evaluator made of one run; `column` and `row` are places on the board."""

    column: int
    row: int
    seed: int
    key: str
    """Of the run."""
    name: str
    png: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One suite's results; `build_board` makes it, `render` writes it."""

    title: str
    summary: str
    suite: str
    suite_hash: str
    command: str
    """What a reader types to make the runs."""
    planned: tuple[Planned, ...]
    cards: Mapping[str, EvaluatorCard]
    pictures: Mapping[str, bytes]
    """Of the data, PNG bytes by caption."""
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    divisions: tuple[Division, ...]
    comparisons: tuple[Comparison, ...]
    run_pictures: tuple[RunPicture, ...] = ()
    references: tuple[Reference, ...] = ()
    """Published numbers of the columns' protocols; each names evaluator and data set as its column does."""

    @property
    def ranking(self) -> tuple[int, ...]:
        """The columns that rows are ranked by; those of speed stand apart."""
        return tuple(j for j, column in enumerate(self.columns) if column.ranks)

    @property
    def shared(self) -> tuple[str, ...]:
        """Backbone, pretraining and budget, those of them that all rows share; they are said once, not in every row."""
        parts = zip(*(row.parts[1:] for row in self.rows), strict=True)
        return tuple(part[0] for part in parts if len(set(part)) == 1)

    def label(self, row: Row) -> str:
        """The row's method, and what distinguishes it from other rows."""
        method, *others = row.parts
        return " · ".join([method, *(part for part in others if part not in self.shared)])

    @property
    def seeds(self) -> tuple[int, ...]:
        """All seeds that the suite plans."""
        return tuple(sorted({cell.identity.seed for cell in self.planned}))

    def heading(self, column: Column) -> str:
        """The column's evaluator, and its data set where not all columns have the same."""
        same = len({other.data.label for other in self.columns}) == 1
        return column.evaluator.label if same else f"{column.evaluator.label} · {column.data.label}"

    def protocols(self, division: Division) -> tuple[Mapping[str, Any] | None, ...]:
        """For each column of the ranking, the protocol that the rows of `division` share; None where none has one."""
        cells = ([self.rows[i].cells[j] for i in division.rows] for j in self.ranking)
        return tuple(
            next(
                (seed.run.protocol for cell in column for seed in cell.seeds if seed.run and seed.status == "done"),
                None,
            )
            for column in cells
        )

    def chance(self, column: int, metric: int = 0) -> tuple[float, float] | None:
        """Least and greatest baseline of a metric (the primary one unless told) in a column; None when it has none."""
        baselines = [cell.measure(metric).baseline for cell in self._column(column)]
        found = [baseline for baseline in baselines if baseline is not None]
        return (min(found), max(found)) if found else None

    def test_set(self, column: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Numbers of videos and of groups that the cells of a column were measured on; usually one of each."""
        videos = {cell.videos for cell in self._column(column) if cell.videos is not None}
        groups = {cell.groups for cell in self._column(column) if cell.groups is not None}
        return tuple(sorted(videos)), tuple(sorted(groups))

    def _column(self, column: int) -> list[Cell]:
        return [row.cells[column] for row in self.rows]


def build_board(
    *,
    title: str,
    summary: str,
    suite: str,
    suite_hash: str,
    command: str,
    planned: Sequence[Planned],
    cards: Mapping[str, EvaluatorCard],
    pictures: Mapping[str, bytes],
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

    Raises:
        UsageError: when nothing is planned, an evaluator has no card, or its card names an unknown statistic.
        DataError: when a finished run lacks its primary metric, or a row's seeds were not measured on the same videos.
    """
    columns, rows = assemble(planned, cards)
    divisions, comparisons = rank(columns, rows)
    return Board(
        title=title,
        summary=summary,
        suite=suite,
        suite_hash=suite_hash,
        command=command,
        planned=tuple(planned),
        cards={name: cards[name] for name in sorted({cell.identity.evaluator.name for cell in planned})},
        pictures=dict(pictures),
        columns=columns,
        rows=rows,
        divisions=divisions,
        comparisons=comparisons,
    )
