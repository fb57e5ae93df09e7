"""Confusion over folds: sums of their counts, drawn once and read back from the board's folder."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from harness import api
from harness.errors import DataError
from harness.evaluators.pictures import confusion_matrix, confusion_picture
from harness.leaderboard.board import with_pictures
from harness.leaderboard.fold_confusion import accumulated_picture, accumulated_predictions, confused_folds
from harness.leaderboard.render import render
from harness.leaderboard.results_file import load_results
from harness.leaderboard.staleness import stale
from harness.store.runs import Store
from harness.values import Score

NAMES = [f"class {number}" for number in range(15)]


def told(cell, *, names=NAMES, pictures=("confusion", "top-5")):
    """The cell with a run that tells its classes; fold 2 has ten videos fewer than fold 1, and so on."""
    run, fold = cell.run, cell.identity.data.options["fold"]
    whole = run.predictions
    count = len(whole.videos) - 10 * (fold - 1)
    predicted = whole.predicted[0][:count]
    predictions = dataclasses.replace(
        whole,
        videos=whole.videos[:count],
        groups=whole.groups[:count],
        labels=whole.labels[:count],
        predicted=(predicted,),
    )
    right = sum(one == other for one, other in zip(predictions.labels, predicted, strict=True))
    notes = {} if names is None else {"classes": names}
    changes = {"scores": (Score("top1", right / count, 1 / 15),), "predictions": predictions}
    key = f"{run.key}-{fold}"
    run = run.model_copy(update={**changes, "key": key, "notes": notes, "pictures": pictures})
    return cell.model_copy(update={"key": key, "run": run})


@pytest.fixture
def planned(folds):
    return [told(cell) for cell in folds]


@pytest.fixture
def board(planned, make_board):
    return with_pictures(make_board(planned), read, accumulated_picture)


def read(key, name):
    """Text in place of a PNG."""
    return f"{key} {name}".encode()


def runs_of(planned, method, seed):
    return [
        cell.run for cell in planned if (cell.identity.method.name, cell.identity.seed) == (method, seed) and cell.run
    ]


def test_the_confusion_shown_is_that_of_all_folds(board, planned):
    """The row of the best accuracy and its first seed; other pictures are of the first fold."""
    runs = runs_of(planned, "quadruplet", 0)
    confusion, top5 = board.run_pictures
    assert (confusion.name, confusion.caption) == ("confusion, 3 folds", "quadruplet, seed 0: confusion, 3 folds")
    assert confusion.file == "picture-2-knn-confusion-3-folds.png"
    labels = [label for run in runs for label in run.predictions.labels]
    predicted = [number for run in runs for number in run.predictions.predicted[0]]
    assert confusion.png == confusion_picture(torch.tensor(labels), torch.tensor(predicted), NAMES)
    assert confusion.png != confusion_picture(*(torch.tensor(row[:225]) for row in (labels, predicted)), NAMES)
    assert top5.png == read(runs[0].key, "top-5")
    assert runs[0].identity.data.options["fold"] == 1


def test_rows_sum_to_the_test_videos_of_all_folds_and_the_trace_to_those_right(board, planned):
    row = next(row for row in board.rows if row.method == "sfa")
    runs = confused_folds(row.cells[0], 1)
    assert list(runs) == runs_of(planned, "sfa", 1)
    labels, predicted = map(torch.tensor, accumulated_predictions(runs))
    matrix = confusion_matrix(labels, predicted, 15)
    each = [torch.tensor(run.predictions.labels).bincount(minlength=15) for run in runs]
    assert matrix.sum(1).tolist() == sum(each).tolist()
    assert int(matrix.sum()) == 225 + 215 + 205
    right = [run.scores[0].value * len(run.predictions.videos) for run in runs]
    assert float(matrix.trace()) == pytest.approx(sum(right))


def test_the_folder_is_made_again_from_its_results(board, tmp_path):
    render(board, tmp_path / "one")
    assert stale(tmp_path / "one") == ()
    back = load_results(tmp_path / "one" / "results.json")
    assert back.run_pictures == board.run_pictures
    render(back, tmp_path / "other")
    one, other = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in sorted(tmp_path.iterdir()))
    assert one == other
    assert "picture-2-knn-confusion-3-folds.png" in one
    assert "![quadruplet, seed 0: confusion, 3 folds]" in one["README.md"].decode()


def test_another_picture_is_refused(board, tmp_path):
    render(board, tmp_path)
    (tmp_path / "picture-2-knn-confusion-3-folds.png").write_bytes(b"other")
    with pytest.raises(DataError, match="is not the picture that"):
        load_results(tmp_path / "results.json")


def without_names(cell):
    return told(cell, names=None)


def with_other_names(cell):
    return told(cell, names=[*NAMES[:-1], "another"] if cell.identity.data.options["fold"] == 3 else NAMES)


def with_few_names(cell):
    return told(cell, names=NAMES[:-1])


def without_a_picture(cell):
    return told(cell, pictures=("top-5",) if cell.identity.data.options["fold"] == 2 else ("confusion", "top-5"))


def without_the_last_fold(cell):
    return cell.model_copy(update={"run": None}) if cell.identity.data.options["fold"] == 3 else told(cell)


def without_predictions(cell):
    cell = told(cell)
    return cell.model_copy(update={"run": cell.run.model_copy(update={"predictions": None})})


@pytest.mark.parametrize(
    "change",
    [
        without_names,
        with_other_names,
        with_few_names,
        without_a_picture,
        without_the_last_fold,
        without_predictions,
    ],
)
def test_a_row_whose_folds_cannot_be_summed_shows_its_first_fold(folds, make_board, change):
    planned = [change(cell) for cell in folds]
    board = with_pictures(make_board(planned), read, accumulated_picture)
    assert [picture.name for picture in board.run_pictures] == ["confusion", "top-5"]
    assert board.run_pictures[0].png == read(board.run_pictures[0].key, "confusion")
    assert board.run_pictures[0].key.endswith("-1")


def test_a_row_of_one_fold_shows_its_own(folds, make_board):
    alone = [
        told(cell).model_copy(update={"average": None}) for cell in folds if cell.identity.data.options["fold"] == 1
    ]
    board = with_pictures(make_board(alone), read, accumulated_picture)
    assert [picture.name for picture in board.run_pictures] == ["confusion", "top-5"]


SUITE = """
name: folds
title: Three folds
frames: 64
methods: [random_init]
backbones: [small_2d]
pretraining: [{{name: ucf101, fold: [1, 2, 3]}}]
evaluators: [linear_probe]
seeds: [0]
paths: {{ucf101: {folder}}}
"""


def test_a_board_of_stored_runs_sums_their_folds(home, ucf101, tmp_path):
    suite = tmp_path / "folds.yaml"
    suite.write_text(SUITE.format(folder=ucf101))
    store = Store(tmp_path / "runs")
    done = api.run(suite, store=store)
    assert [picture.name for picture in done.board.run_pictures] == ["confusion"]
    names = [f"class {number}" for number in range(1 + max(done.runs[0].predictions.labels))]
    for run in done.runs:
        store.write(run.model_copy(update={"notes": {**run.notes, "classes": names}}))
    board = api.leaderboard(suite, store=store)
    (summed,) = board.run_pictures
    assert summed.name == "confusion, 3 folds"
    labels, predicted = map(torch.tensor, accumulated_predictions(done.runs))
    assert len(labels) == sum(len(run.predictions.videos) for run in done.runs)
    assert summed.png == confusion_picture(labels, predicted, names)
    assert api.leaderboard(api.publish(board, tmp_path / "board")).run_pictures == board.run_pictures
