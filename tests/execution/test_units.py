"""Units of work: values that any process can be handed."""

from __future__ import annotations

import dataclasses
import pickle
import shutil
import subprocess
import sys

import pytest
import torch

from harness.execution import units
from harness.execution.plan import plan_suite
from harness.execution.sources import DataSources
from harness.execution.stored_encoders import FIT
from harness.execution.units import Unit, Workplace
from harness.plugins.manager import Plugins
from harness.store import keys
from harness.store.records import Composite
from harness.suites.schema import Suite
from harness.system import paths

WORKER = (
    "import pickle, sys\n"
    "from harness.execution import units\n"
    "events = []\n"
    "outcomes = units.run(*pickle.load(sys.stdin.buffer), events.append)\n"
    "sys.stdout.buffer.write(pickle.dumps((outcomes, events)))\n"
)
"""A process that is handed a unit and knows nothing else."""


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
        rows = plan_suite(suite, plugins, DataSources(plugins)).rows()
        return [Unit(row=cells[0].row, evaluations=tuple(cells)) for cells in rows.values()]

    return plan


def handed_over(unit, workplace):
    """Outcomes of a unit that was pickled to a fresh interpreter, and the events that it sent."""
    done = subprocess.run(
        [sys.executable, "-c", WORKER], input=pickle.dumps((unit, workplace)), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr.decode()) == (0, "")
    return pickle.loads(done.stdout)


def quiet(event):
    """Show nothing of the progress."""


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
    return Unit(
        row=row,
        evaluations=tuple(
            dataclasses.replace(
                one,
                row=row,
                encodings=(*one.encodings, *other.encodings),
                key=keys.run_key(row=row.key, protocol=one.protocol, features=(one.key, other.key), seed=3),
            )
            for one, other in zip(first.evaluations, second.evaluations, strict=True)
        ),
    )


def both_ways(unit, tmp_path):
    """Outcomes of a unit in this process, after those of another process are seen to be the same."""
    events = []
    here = units.run(unit, Workplace(store=tmp_path / "here"), events.append)
    for remembered in ("fingerprints", "overlaps"):
        shutil.rmtree(paths.home() / remembered, ignore_errors=True)  # a fit that fails leaves none
    there, reported = handed_over(unit, Workplace(store=tmp_path / "there"))
    assert [timeless(outcome.run) for outcome in there] == [timeless(outcome.run) for outcome in here]
    assert [outcome.pictures for outcome in there] == [outcome.pictures for outcome in here]
    assert list(map(type, reported)) == list(map(type, events))
    return here


def test_a_unit_that_is_handed_to_another_process_gives_the_same_runs(plan, toy, tmp_path):
    (unit,) = plan("counted", backbone="small_2d")
    knn, clustering = both_ways(unit, tmp_path)
    assert toy.read_text().splitlines() == ["counted 3"] * 2  # each fitted in a store of its own
    assert (knn.run.status, clustering.run.status) == ("done", "done")
    assert [knn.run.key, clustering.run.key] == [spec.key for spec in unit.evaluations]
    assert knn.run.protocol == unit.evaluations[0].protocol
    assert list(clustering.pictures) == ["top-clusters"]
    planned = {encoding.key for spec in unit.evaluations for encoding in spec.encodings}
    assert len(planned) == 3  # train and test, and two clips of test
    for store in ("here", "there"):
        assert {path.stem for path in (tmp_path / store / "features").glob("*.npy")} == planned
        assert [path.name for path in (tmp_path / store / "fits").iterdir()] == [unit.row.key]


def test_a_unit_of_a_composite_too(plan, tmp_path):
    one, other = plan("counted", {"name": "counted", "scale": 0.5})
    runs = [outcome.run for outcome in both_ways(joined(one, other), tmp_path)]
    assert [run.status for run in runs] == ["done", "done"]
    assert len(list((tmp_path / "here" / "fits").iterdir())) == 2


def test_a_score_on_data_whose_test_videos_are_in_train_says_so(plan, tmp_path, monkeypatch):
    (unit,) = plan("counted")
    workshop = units.Workshop(Workplace(store=tmp_path / "store"))
    read = workshop.sources.split

    def leaking(choice, name):
        split = read(choice, name)
        copies = (*split.videos[3:], *read(choice, "train").videos[:3]) if name == "test" else split.videos
        frames = (*split.frames[3:], *read(choice, "train").frames[:3]) if name == "test" else split.frames
        return dataclasses.replace(split, videos=copies, frames=frames)

    assert units.attempt_fits(unit.row, workshop) is None
    sound = units.attempt(unit.evaluations[0], workshop).run.provenance.get("data_faults", {})
    assert not sound.get("shared", {}).get("train", {}).get("equal")
    monkeypatch.setattr(workshop.sources, "split", leaking)
    faults = units.attempt(unit.evaluations[0], workshop).run.provenance["data_faults"]
    assert faults["shared"]["train"]["equal"] == 3


def test_what_goes_wrong_is_told_the_same_way(plan, tmp_path):
    (unit,) = plan("diverges")
    runs = [outcome.run for outcome in both_ways(unit, tmp_path)]
    assert [(run.status, run.reason) for run in runs] == [("diverged", "loss became nan at step 3")] * 2
    assert not any((tmp_path / "here" / "features").glob("*"))


def test_what_is_stored_is_not_done_again(plan, toy, tmp_path):
    (unit,) = plan("counted")
    workplace = Workplace(store=tmp_path / "store")
    first = [outcome.run for outcome in units.run(unit, workplace, quiet)]
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*") if path.is_file()}
    second = [outcome.run for outcome in units.run(unit, workplace, quiet)]
    assert [timeless(run) for run in second] == [timeless(run) for run in first]
    assert toy.read_text().splitlines() == ["counted 3"]
    assert {path: path.stat().st_mtime_ns for path in files} == files


def test_a_fit_that_is_not_complete_is_made_again(plan, toy, tmp_path):
    (unit,) = plan("counted")
    workplace = Workplace(store=tmp_path / "store")
    units.run(unit, workplace, quiet)
    (workplace.store / "fits" / unit.row.key / FIT).unlink()
    assert [outcome.run.status for outcome in units.run(unit, workplace, quiet)] == ["done", "done"]
    assert toy.read_text().splitlines() == ["counted 3"] * 2


def test_an_encoder_that_was_not_promised_is_found(plan, tmp_path):
    (unit,) = plan("counted")
    promise = dataclasses.replace(unit.row.promise, shape=(7,))
    unit = Unit(row=dataclasses.replace(unit.row, promise=promise), evaluations=unit.evaluations)
    runs = [outcome.run for outcome in units.run(unit, Workplace(store=tmp_path / "store"), quiet)]
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
