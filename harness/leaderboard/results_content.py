"""Content of `results.json` as it is written, and the faults of such a file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pydantic

from harness.backbones.start import Start
from harness.cards import EvaluatorCard
from harness.errors import DataError
from harness.leaderboard.planned import PlannedCell
from harness.store.records import Average, CellSpec, Run
from harness.suites.references import Reference

FORMAT = 1
"""Version of the files; a newer one is named."""
CARD = pydantic.TypeAdapter(EvaluatorCard)
"""Evaluators' cards as they are written."""


class StoredCell(pydantic.BaseModel):
    """A planned cell with its run.

    Predictions and the values of metrics are one line of numbers a repeat; the videos they are of stand in
    `test_sets`, which many runs share.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    identity: CellSpec
    key: str
    supervised: bool
    not_applicable: str
    sees: str = ""
    starts: tuple[Start, ...] = ()
    average: Average | None = None
    run: dict[str, Any] | None
    test_set: str | None
    values: dict[str, tuple[str, ...]] = {}

    @property
    def without_predictions(self) -> PlannedCell:
        """The cell with its run as far as it is no line of numbers."""
        return self.with_run(None if self.run is None else {**self.run, "predictions": None})

    def with_run(self, run: Mapping[str, Any] | None) -> PlannedCell:
        """The cell with the record of its run.

        Raises:
            ValueError: when the record is no run, or one of another cell.
        """
        return PlannedCell(
            identity=self.identity,
            key=self.key,
            supervised=self.supervised,
            not_applicable=self.not_applicable,
            sees=self.sees,
            starts=self.starts,
            average=self.average,
            run=None if run is None else Run.model_validate(run),
        )


class StoredPicture(pydantic.BaseModel):
    """A picture of the data, in a file beside this one."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    caption: str
    file: str = pydantic.Field(pattern=r"^picture-\d+\.png$")
    sha256: str


class StoredRunPicture(pydantic.BaseModel):
    """A picture of the run of `key`, or of its folds, in a file beside this one."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    key: str
    name: str
    file: str = pydantic.Field(pattern=r"^picture-\d+-[a-z0-9_-]*\.png$")
    sha256: str


class StoredBoard(pydantic.BaseModel):
    """Content of a file."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    format: int = pydantic.Field(default=FORMAT, ge=FORMAT, le=FORMAT)
    title: str
    summary: str
    suite: str
    suite_hash: str
    command: str
    evaluators: dict[str, dict[str, Any]]
    test_sets: dict[str, dict[str, Any]]
    planned: tuple[StoredCell, ...]
    pictures: tuple[StoredPicture, ...]
    run_pictures: tuple[StoredRunPicture, ...] = ()
    unchecked: str = ""
    references: tuple[Reference, ...] = ()
    """Values as papers print them: percent where `table` has fractions."""
    table: list[dict[str, Any]]
    """The numbers of the board, for readers of the file; loading computes them anew."""


def results_schema() -> dict[str, Any]:
    """JSON schema of `results.json`."""
    schema, run = StoredBoard.model_json_schema(), Run.model_json_schema()
    numbers = {"type": "string", "description": "Predicted classes or clusters of the test set's videos."}
    run["properties"]["predictions"] = {"anyOf": [{"type": "array", "items": numbers}, {"type": "null"}]}
    schema["$defs"] = {**run.pop("$defs"), **schema["$defs"], "Run": run}
    schema["$defs"]["StoredCell"]["properties"]["run"] = {"anyOf": [{"$ref": "#/$defs/Run"}, {"type": "null"}]}
    return schema


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Name the file whose content is at fault in the block.

    Raises:
        DataError: when it is missing, not one of these, or a newer version of the harness wrote it.
    """
    try:
        yield
    except FileNotFoundError as error:
        msg = f"{path} does not exist; `harness leaderboard SUITE` writes it"
        raise DataError(msg) from error
    except (pydantic.ValidationError, ValueError, LookupError, TypeError, AttributeError) as error:
        if isinstance(error, pydantic.ValidationError) and (version := _newer(error)):
            msg = f"{path}: its format is {version}, this version of video-harness reads {FORMAT}; install a newer one"
            raise DataError(msg) from error
        detail = " ".join(str(error).split())[:200]
        msg = f"{path}: not the results of a board ({detail}); write it again with `harness leaderboard SUITE`"
        raise DataError(msg) from error


def _newer(error: pydantic.ValidationError) -> int:
    """The format of a file that a newer version wrote; 0 for another error."""
    found = [one["input"] for one in error.errors() if (one["loc"], one["type"]) == (("format",), "less_than_equal")]
    return found[0] if found else 0


def read_stored(path: Path) -> StoredBoard:
    """Read the content of a file; errors as `reading` turns them into one line."""
    return StoredBoard.model_validate_json(path.read_text(encoding="utf-8"))


def evaluator_cards(content: StoredBoard) -> dict[str, EvaluatorCard]:
    """Cards of the evaluators of a file, by name."""
    return {name: CARD.validate_python(card) for name, card in content.evaluators.items()}
