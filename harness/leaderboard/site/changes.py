"""Numbers that appeared, disappeared or changed between two versions of boards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.leaderboard import text
from harness.leaderboard.site.recorded import Number, RecordedBoard
from harness.leaderboard.staleness import same
from harness.system.hashing import digest

_OF_ROW = {"method", "backbone", "pretraining", "frames", "precision"}
"""Fields of a cell that name its row."""


@dataclass(frozen=True, slots=True)
class Change:
    """A number of both versions."""

    board: RecordedBoard
    before: Number
    after: Number

    @property
    def moved(self) -> bool:
        """True where the mean is another, its last digits aside."""
        return not same(self.before.interval.mean, self.after.interval.mean)

    @property
    def rekeyed(self) -> bool:
        """True where its runs have other keys: code, data, protocol or seeds changed."""
        return set(self.before.keys) != set(self.after.keys)

    @property
    def difference(self) -> str:
        """Difference of the means with its sign, in the unit shown."""
        shown = text.number(self.after.interval.mean - self.before.interval.mean, self.after.metric)
        return shown if shown.startswith("-") else f"+{shown}"

    @property
    def verdict(self) -> str:
        """Place of the new mean: within the old interval, or beyond it."""
        low, high = self.before.interval.low, self.before.interval.high
        if low is None or high is None:
            return "no interval"
        return "within" if low <= self.after.interval.mean <= high else "beyond"


@dataclass(frozen=True, slots=True)
class Changes:
    """Differences of two versions; boards are the same that have the same folder name."""

    boards_appeared: tuple[RecordedBoard, ...]
    boards_disappeared: tuple[RecordedBoard, ...]
    appeared: tuple[tuple[RecordedBoard, Number], ...]
    """Numbers of boards that both versions have."""
    disappeared: tuple[tuple[RecordedBoard, Number], ...]
    changed: tuple[Change, ...]
    rekeyed: tuple[tuple[RecordedBoard, int], ...]
    """Count of the numbers that stayed although their runs have other keys, by board."""
    kept: int
    """Numbers that are the same of the same runs."""


def compare(before: Sequence[RecordedBoard], after: Sequence[RecordedBoard]) -> Changes:
    """Compare two versions of boards."""
    old, new = ({board.name: board for board in boards} for boards in (before, after))
    appeared: list[tuple[RecordedBoard, Number]] = []
    disappeared: list[tuple[RecordedBoard, Number]] = []
    pairs: list[Change] = []
    for name, board in new.items():
        if name in old:
            then, now = _by_place(old[name]), _by_place(board)
            appeared += [(board, number) for place, number in now.items() if place not in then]
            disappeared += [(old[name], number) for place, number in then.items() if place not in now]
            pairs += [Change(board, then[place], number) for place, number in now.items() if place in then]
    rekeyed = Counter(one.board.name for one in pairs if one.rekeyed and not one.moved)
    return Changes(
        boards_appeared=tuple(board for name, board in new.items() if name not in old),
        boards_disappeared=tuple(board for name, board in old.items() if name not in new),
        appeared=tuple(appeared),
        disappeared=tuple(disappeared),
        changed=tuple(one for one in pairs if one.moved),
        rekeyed=tuple((new[name], count) for name, count in rekeyed.items()),
        kept=sum(not one.moved and not one.rekeyed for one in pairs),
    )


def _by_place(board: RecordedBoard) -> dict[tuple[str, ...], Number]:
    """Numbers by their row, column and metric."""
    return {
        (
            digest(number.row.identity.model_dump(mode="json", include=_OF_ROW)),
            number.cell.evaluator.label,
            number.cell.data.label,
            number.metric.id,
        ): number
        for number in board.numbers
    }
