"""Units of work: values that any process can be handed."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from harness.errors import DataError
from harness.execution import units
from harness.execution.plan import plan_suite
from harness.execution.sources import DataSources
from harness.execution.stored_encoders import FIT
from harness.execution.units import Workplace
from harness.execution.work_units import Unit, work_units
from harness.plugins.manager import Plugins
from harness.store import keys
from harness.store.specs import Composite
from harness.suites.schema import Suite
from harness.testing.fixtures import MovingSquares


@pytest.fixture
def plan(toy):
    """Plan one row of the toy plugin for each method: two evaluations of vectors each."""

    def plan(*methods: object, backbone="two_layers"):
        suite = Suite.model_validate(
            {
                "name": "toy",
                "title": "Toy",
                "frames": 512,
                "methods": list(methods),
                "backbones": [backbone],
                "pretraining": ["blobs"],
                "evaluators": [{"name": "knn", "k": 5}, {"name": "clustering", "repeats": 1, "clips": 2}],
                "seeds": [3],
            }
        )
        plugins = Plugins()
        return work_units(plan_suite(suite, plugins, DataSources(plugins)).cells, plugins)

    return plan


@pytest.fixture
def one_thread():
    """Compute with one thread, as child processes do."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def here(unit, workplace):
    """Runs of a unit that is done in this process, with their pictures."""
    workshop = units.Workshop(workplace, Plugins(only=unit.plugins))
    for fit in unit.row.fits:
        units.fit(fit, workshop)
    return [(done.run, dict(done.pictures)) for done in (units.measure(cell, workshop) for cell in unit.evaluations)]


def timeless(run):
    """Everything that a run says, but how long it took and when."""
    content = run.model_dump(mode="json")
    assert content["provenance"].pop("evaluation_seconds") >= 0
    assert content["provenance"].pop("finished")
    return content


def joined(first, second):
    """A unit on the vectors of two rows beside each other."""
    row = Composite(
        of=(first.row, second.row), by="concat", key=keys.row_key((first.row.key, second.row.key), "concat")
    )
    cells = tuple(
        dataclasses.replace(
            one,
            row=row,
            encodings=(*one.encodings, *other.encodings),
            key=keys.run_key(row=row.key, protocol=one.protocol, features=(one.key, other.key), seed=3),
        )
        for one, other in zip(first.evaluations, second.evaluations, strict=True)
    )
    return Unit(
        row=row,
        evaluations=cells,
        after=(first.row, second.row),
        plugins=first.plugins,
        evaluators={cell.key: first.plugins for cell in cells},
    )


def test_a_unit_of_another_process_gives_the_same_runs(plan, do, toy, tmp_path, one_thread):
    (unit,) = plan("counted", backbone="small_2d")
    there = do(unit, Workplace(store=tmp_path / "there"))
    alike = here(unit, Workplace(store=tmp_path / "here"))
    assert [timeless(run) for run, _ in there] == [timeless(run) for run, _ in alike]
    assert [pictures for _, pictures in there] == [pictures for _, pictures in alike]
    (knn, _), (clustering, pictures) = there
    assert toy.read_text().splitlines() == ["counted 3"] * 2  # each fitted in a store of its own
    assert (knn.status, clustering.status) == ("done", "done")
    assert [knn.key, clustering.key] == [spec.key for spec in unit.evaluations]
    assert knn.protocol == unit.evaluations[0].protocol
    assert list(pictures) == ["top-clusters"]
    planned = {encoding.key for spec in unit.evaluations for encoding in spec.encodings}
    assert len(planned) == 3  # train and test, and two clips of test
    for store in ("here", "there"):
        assert {path.stem for path in (tmp_path / store / "features").glob("*.npy")} == planned
        assert [path.name for path in (tmp_path / store / "fits").iterdir()] == [unit.row.key]


def test_a_unit_of_a_composite_too(plan, do, tmp_path, one_thread):
    parts = plan("counted", {"name": "counted", "scale": 0.5})
    both = joined(*parts)
    for part in parts:
        do(part.only([]), Workplace(store=tmp_path / "there"))
    there = do(both, Workplace(store=tmp_path / "there"))
    assert [timeless(run) for run, _ in there] == [
        timeless(run) for run, _ in here(both, Workplace(store=tmp_path / "here"))
    ]
    assert [run.status for run, _ in there] == ["done", "done"]
    assert len(list((tmp_path / "here" / "fits").iterdir())) == 2


def test_a_score_on_data_whose_test_videos_are_in_train_says_so(plan, tmp_path, monkeypatch):
    read = MovingSquares.split

    def leaking(self, name):
        split, train = read(self, name), read(self, "train")
        if name == "train":
            return split
        videos, frames = (*split.videos[3:], *train.videos[:3]), (*split.frames[3:], *train.frames[:3])
        return dataclasses.replace(split, videos=videos, frames=frames)

    def faults(unit):
        workshop = units.Workshop(Workplace(store=tmp_path / "store"))
        units.fit(unit.row, workshop)
        return units.measure(unit.evaluations[0], workshop).run.provenance.get("data_faults", {})

    assert not faults(*plan("counted")).get("shared", {}).get("train", {}).get("equal")
    monkeypatch.setattr(MovingSquares, "split", leaking)
    assert faults(*plan("counted"))["shared"]["train"]["equal"] == 3


def test_data_that_changed_after_the_plan_give_no_number_of_its_keys(plan, tmp_path, monkeypatch):
    (unit,) = plan("counted")
    cell, store = unit.evaluations[0], tmp_path / "store"
    read = MovingSquares.split

    def fewer(self, name):
        split = read(self, name)
        return dataclasses.replace(split, videos=split.videos[1:], frames=split.frames[1:])

    def workshop():
        return units.Workshop(Workplace(store=store))

    before = workshop()
    monkeypatch.setattr(MovingSquares, "split", fewer)
    with pytest.raises(DataError, match=r"blobs: its split 'train' here is not as planned: .*--retry-failed"):
        units.fit(unit.row, workshop())
    assert not (store / "fits").exists()
    monkeypatch.setattr(MovingSquares, "split", read)
    units.fit(unit.row, before)
    for name in ("train", "test"):
        before.sources.split(cell.identity.data, name)
    monkeypatch.setattr(MovingSquares, "split", fewer)
    with pytest.raises(DataError, match=r"blobs: its split 't.*' here is not as planned"):
        units.evaluate(cell, workshop())
    assert not any((store / "features").glob("*"))
    with pytest.raises(DataError, match=r"blobs: its split 't.*' here is not as planned"):
        units.evaluate(cell, before)  # which reads for the evaluator once more


def test_what_goes_wrong_is_told(plan, do, tmp_path):
    (unit,) = plan("diverges")
    runs = [run for run, _ in do(unit, Workplace(store=tmp_path / "store"))]
    assert [(run.status, run.reason) for run in runs] == [("diverged", "loss became nan at step 3")] * 2
    assert not any((tmp_path / "store" / "features").glob("*"))


def test_what_is_stored_is_not_done_again(plan, do, toy, tmp_path):
    (unit,) = plan("counted")
    workplace = Workplace(store=tmp_path / "store")
    first = do(unit, workplace)
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*") if path.is_file()}
    second = do(unit, workplace)
    assert [timeless(run) for run, _ in second] == [timeless(run) for run, _ in first]
    assert toy.read_text().splitlines() == ["counted 3"]
    changed = {path.suffix for path, time in files.items() if path.stat().st_mtime_ns != time}
    assert changed <= {".lock"}


def test_a_fit_that_is_not_complete_is_made_again(plan, do, toy, tmp_path):
    (unit,) = plan("counted")
    workplace = Workplace(store=tmp_path / "store")
    do(unit, workplace)
    (workplace.store / "fits" / unit.row.key / FIT).unlink()
    assert [run.status for run, _ in do(unit, workplace)] == ["done", "done"]
    assert toy.read_text().splitlines() == ["counted 3"] * 2


def test_an_encoder_that_was_not_promised_is_found(plan, do, tmp_path):
    (unit,) = plan("counted")
    promise = dataclasses.replace(unit.row.promise, shape=(7,))
    unit = dataclasses.replace(unit, row=dataclasses.replace(unit.row, promise=promise))
    runs = [run for run, _ in do(unit, Workplace(store=tmp_path / "store"))]
    assert [run.status for run in runs] == ["failed", "failed"]
    assert "method 'counted' promised" in runs[0].reason
    assert not (tmp_path / "store" / "fits" / unit.row.key / FIT).exists()


def test_encoding_and_evaluating_do_not_depend_on_the_number_of_threads(toy, tmp_path):
    evaluators = [
        {"name": "knn", "k": 5},
        "linear_probe",
        "linear_svm",
        "retrieval",
        {"name": "clustering", "repeats": 1},
    ]
    content = {
        "name": "toy",
        "title": "Toy",
        "frames": 512,
        "methods": ["counted"],
        "backbones": ["small_3d"],
        "pretraining": ["blobs"],
        "evaluators": evaluators,
        "seeds": [0],
    }
    plugins = Plugins()
    cells = plan_suite(Suite.model_validate(content), plugins, DataSources(plugins)).cells
    evaluations, before = {}, torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            workshop = units.Workshop(Workplace(store=tmp_path / str(threads)), plugins)
            for cell in cells:
                units.fit(cell.row, workshop)
            evaluations[threads] = [units.evaluate(cell, workshop) for cell in cells]
    finally:
        torch.set_num_threads(before)
    assert [one.scores for one in evaluations[1]] == [one.scores for one in evaluations[2]]
    assert [one.predictions for one in evaluations[1]] == [one.predictions for one in evaluations[2]]
