"""Cells find their runs by key, and by their place where data is gone."""

from __future__ import annotations

import pytest

from harness import api
from harness.cards import View
from harness.errors import DataError
from harness.execution.cells import suite_cells
from harness.execution.plan import check
from harness.leaderboard import PlannedCell, load_results
from harness.leaderboard.cautions import cautions
from harness.leaderboard.stored_cells import with_runs
from harness.plugins.manager import Plugins
from harness.store.runs import Store
from harness.store.specs import EvalSpec, FitSpec
from harness.suites import schema
from harness.values import Promise

GONE = """
name: gone
title: Gone
frames: 1000
methods: [random_init, supervised]
backbones: [small_2d]
pretraining: [ucf101]
evaluators: [knn]
seeds: [0]
"""


@pytest.fixture
def run(fake):
    row, column, make = fake
    return make(row("sfa", 0.4), column("knn"), 0)


def cells_of(run, **changes):
    identity = run.identity
    fit = FitSpec(
        method=identity.method,
        backbone=identity.backbone,
        pretraining=identity.pretraining,
        frames=identity.frames,
        seed=identity.seed,
        supervised=False,
        promise=Promise(views=(View(),), shape=(3,)),
        key=run.fit_key,
    )
    values = {"key": run.key, "row": fit, "encodings": (), "encoding_code": "", "protocol": {}, **changes}
    return (EvalSpec(identity=identity, **values),)


def test_a_cell_gets_the_run_of_its_key(run, tmp_path):
    store = Store(tmp_path)
    [before] = with_runs(cells_of(run), store)
    assert before.run is None
    store.write(run)
    assert with_runs(cells_of(run), store) == (
        PlannedCell(identity=run.identity, key=run.key, supervised=False, run=store.get(run.key), sees="16×1, 112 px"),
    )


def test_else_the_newest_run_of_the_same_cell(run, tmp_path):
    store = Store(tmp_path)
    for key, finished in (("b" * 20, "2026-01-01"), ("a" * 20, "2026-01-02"), ("c" * 20, "2025-01-01")):
        store.write(run.model_copy(update={"key": key, "provenance": {"finished": finished}}))
    store.write(run.model_copy(update={"key": "d" * 20, "provenance": {}}))  # of a version that noted no time
    [planned] = with_runs(cells_of(run, key="f" * 20), store)
    assert (planned.key, planned.run.key) == ("f" * 20, "a" * 20)


def test_a_cell_that_cannot_be_says_why_and_takes_no_run(run, tmp_path):
    store = Store(tmp_path)
    store.write(run)
    [planned] = with_runs(cells_of(run, not_applicable="its encoders offer no feature_map"), store)
    assert planned.run is None
    assert planned.not_applicable == "its encoders offer no feature_map"


@pytest.fixture
def suite(home, tmp_path, monkeypatch):
    """A suite whose data lay somewhere."""
    monkeypatch.setenv("HARNESS_DATA_UCF101", str(tmp_path / "unmounted"))
    path = tmp_path / "gone.yaml"
    path.write_text(GONE)
    return path


def stored(suite, store, fake):
    """Two runs of each cell, under keys that nobody can check."""
    row, column, make = fake
    plugins = Plugins()
    cells = [cell for cell, _ in suite_cells(check(schema.load(str(suite), plugins.suites), plugins), plugins)]
    for number, cell in enumerate(cells):
        run = make(row(cell.method.name, 0.4, cell.method.name == "supervised"), column("knn"), 0)
        for age, key in (("2025", "a"), ("2026", "b")):
            update = {"identity": cell, "key": f"{key}{number}", "provenance": {"finished": age}}
            store.write(run.model_copy(update=update))


def test_a_board_of_stored_runs_is_built_when_their_data_is_gone(suite, fake, tmp_path, capsys):
    store = Store(tmp_path / "store")
    stored(suite, store, fake)
    board = api.leaderboard(suite, store=store)
    cells = [row.cells[0] for row in board.rows]
    assert [cell.status for cell in cells] == ["done", "done"]
    assert [cell.seeds[0].key for cell in cells] == ["b0", "b1"], "the newest run of each"
    assert [row.supervised for row in board.rows] == [False, True]
    note = cautions(board)[0].text
    assert note.startswith("Keys could not be checked, because data cannot be read")
    assert "where nothing is" in note
    assert note in capsys.readouterr().err
    folder = api.publish(board, tmp_path / "board")
    assert cautions(load_results(folder / "results.json"))[0].text == note


def test_data_that_is_gone_with_all_runs_is_an_error(suite, tmp_path):
    with pytest.raises(DataError, match=r"suite 'gone': no run of it is stored, and .*where nothing is"):
        api.leaderboard(suite, store=Store(tmp_path / "store"))


def test_a_board_draws_no_data(home, fake, tmp_path):
    suite = tmp_path / "gone.yaml"
    suite.write_text(GONE.replace("ucf101", "{name: mocap-actions, size: mini}"))
    store = Store(tmp_path / "store")
    stored(suite, store, fake)
    assert "not drawn" in api.leaderboard(suite, store=store).unchecked


def test_the_order_of_options_is_no_part_of_a_cell(run, tmp_path):
    def with_options(**options):
        evaluator = run.identity.evaluator.model_copy(update={"options": options})
        return run.model_copy(update={"identity": run.identity.model_copy(update={"evaluator": evaluator})})

    store = Store(tmp_path)
    store.write(with_options(label="scene", k=5))  # on disk in alphabetical order
    [found] = with_runs(cells_of(with_options(label="scene", k=5), key="changed"), store)
    assert found.run is not None
