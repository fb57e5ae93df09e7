"""Weights in suites: keys by content, portable names, and a checkpoint measured from file to board."""

from __future__ import annotations

import json

import pytest
import torch

from harness import api
from harness.errors import UsageError
from harness.execution import weights_files
from harness.execution.weights_files import portable_name
from harness.methods.supervised import Supervised
from harness.plugins.manager import Plugins
from harness.suites.schema import Suite
from harness.system import paths
from harness.testing.fixtures import MovingSquares, TinyBackbone
from harness.training.session import TrainingSession
from harness.values import Budget

SUITE = """
name: checkpoints
title: Checkpoints
frames: 512
methods:
- random_init
- {{name: pretrained, weights: {place}, learnt_from: kinetics400, labels: true}}
- {{name: supervised, start: {{weights: {place}, learnt_from: kinetics400, labels: true}}}}
backbones: [tiny]
pretraining: [blobs]
evaluators: [{{name: knn, k: 5}}]
seeds: [0, 1]
"""


@pytest.fixture
def folder(toy, tmp_path):
    """A folder with weights of a seed in `enc/a.pth`, and the suite that names them."""
    folder = tmp_path / "suites"
    (folder / "enc").mkdir(parents=True)
    torch.save({"state_dict": TinyBackbone().build(seed=7).state_dict()}, folder / "enc" / "a.pth")
    write(folder, "enc/a.pth")
    return folder


def write(folder, place):
    (folder / "s.yaml").write_text(SUITE.format(place=place))


def planned(folder):
    return {(cell.identity.method.name, cell.identity.seed): cell.key for cell in api.plan(folder / "s.yaml")}


def test_a_moved_file_keeps_its_keys_and_a_changed_one_has_others(folder, tmp_path, monkeypatch):
    before = planned(folder)
    assert len(set(before.values())) == 6
    monkeypatch.chdir(tmp_path)
    assert planned(folder) == before
    moved = tmp_path / "moved.pth"
    (folder / "enc" / "a.pth").rename(moved)
    with pytest.raises(UsageError, match=r"method 'pretrained': expected a file of weights at .*enc/a.pth, where none"):
        planned(folder)
    for place in (moved, "../moved.pth"):
        write(folder, place)
        assert planned(folder) == before
        (cell, *_) = [one for one in api.plan(folder / "s.yaml") if one.identity.method.name == "pretrained"]
        assert cell.identity.method.options["weights"] == "moved.pth"  # no folder of this machine
    torch.save(TinyBackbone().build(seed=8).state_dict(), moved)
    after = planned(folder)
    assert {name for name, key in before.items() if after[name] == key} == {("random_init", 0), ("random_init", 1)}


def test_the_suite_may_say_where_weights_lie(folder, tmp_path):
    before = planned(folder)
    (folder / "enc" / "a.pth").rename(tmp_path / "else.pth")
    suite = folder / "s.yaml"
    suite.write_text(suite.read_text() + "paths: {enc/a.pth: ../else.pth}")
    assert planned(folder) == before


def test_two_files_of_one_name_are_refused(folder, tmp_path):
    content = (folder / "enc" / "a.pth").read_bytes()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.pth").write_bytes(content)
    text = SUITE.format(place="../one/a.pth").replace("start: {weights: ../one", "start: {weights: ../two")
    (folder / "s.yaml").write_text(text)
    with pytest.raises(UsageError, match="have one name; rename one of the files"):
        planned(folder)


def test_statement_and_what_was_loaded_are_recorded(folder):
    first = api.run(folder / "s.yaml")
    assert {run.status for run in first.runs} == {"done"}
    runs = {(run.identity.method.name, run.identity.seed): run for run in first.runs}
    assert runs["random_init", 0].starts == ()
    for name in ("pretrained", "supervised"):
        (start,) = runs[name, 0].starts
        assert (start.weights, start.learnt_from, start.labels) == ("a.pth", "kinetics400", True)
        record = runs[name, 0].provenance["weights"]["a.pth"]
        assert record == {"sha256": start.sha256, "loaded": record["loaded"]}
        assert record["loaded"].startswith("100.0 % of ")
    assert runs["pretrained", 0].fit_key == runs["pretrained", 1].fit_key
    assert runs["supervised", 0].fit_key != runs["supervised", 1].fit_key
    fit = paths.store() / "fits" / runs["pretrained", 0].fit_key / "fit.json"
    assert json.loads(fit.read_text())["weights"] == runs["pretrained", 0].provenance["weights"]

    (folder / "enc").rename(folder / "moved")
    write(folder, "moved/a.pth")
    again = api.run(folder / "s.yaml")
    assert [run.key for run in again.runs] == [run.key for run in first.runs]
    assert {cell.status for row in again.board.rows for cell in row.cells} == {"done"}


def test_weights_that_do_not_fit_are_a_recorded_failure(folder):
    torch.save({"elsewhere.weight": torch.ones(2)}, folder / "enc" / "a.pth")
    runs = api.run(folder / "s.yaml", changes=["seeds=[0]"]).runs
    assert [run.status for run in runs] == ["done", "data", "data"]
    assert "do not fit 'tiny': 0.0 % of" in runs[1].reason


def test_a_checkpoint_of_a_supervised_network_beats_random_weights(folder):
    session = TrainingSession(Budget(frames=16_000, seed=0))
    encoder = Supervised(batch_size=16).fit(TinyBackbone(), MovingSquares().split("train"), session)
    encoder.save(folder)
    write(folder, "weights.safetensors")
    changes = ["methods.2=random_init", "evaluators=[linear_probe]", "seeds=[0]"]
    untrained, checkpoint = api.run(folder / "s.yaml", changes=changes).runs
    assert {untrained.status, checkpoint.status} == {"done"}, checkpoint.reason
    assert checkpoint.score("top1").value > untrained.score("top1").value + 0.2


PARTS = """
composites:
- name: both
  of:
  - random_init
  - method: {{name: pretrained, weights: {place}, learnt_from: kinetics400, labels: true}}
    backbone: tiny
    clips: 2
"""


def test_weights_of_a_part_are_of_its_own_network(folder):
    (folder / "s.yaml").write_text((SUITE + PARTS).format(place="enc/a.pth"))
    changes = ["methods=[random_init]", "backbones=[two_layers]", "seeds=[0]"]
    _, both = api.run(folder / "s.yaml", changes=changes).runs
    assert both.status == "done", both.reason
    assert [start.weights for start in both.starts] == ["a.pth"]
    assert both.provenance["weights"]["a.pth"]["loaded"].startswith("100.0 % of ")
    part = both.identity.method.options["of"][1]
    assert part["method"]["options"]["weights"] == "enc/a.pth"
    (folder / "enc" / "a.pth").rename(folder / "b.pth")
    with pytest.raises(UsageError, match=r"expected a file of weights at .*a.pth, where none is"):
        api.plan(folder / "s.yaml", changes=changes)


def test_weights_of_a_library_are_fetched_for_the_networks_that_start_from_them(monkeypatch):
    library = {"name": "pretrained", "weights": "library", "learnt_from": "imagenet", "labels": True}
    own = {"method": library, "backbone": "timm:resnet18"}
    suite = Suite.model_validate(
        {
            "name": "library",
            "title": "Library",
            "frames": 1,
            "methods": ["random_init"],
            "composites": [{"name": "both", "of": ["random_init", own]}],
            "backbones": ["small_2d", "small_3d"],
            "pretraining": ["ucf101"],
            "evaluators": ["knn"],
            "seeds": [0],
        }
    )
    fetched = []
    monkeypatch.setattr(weights_files, "_published", lambda start, backbone, *, download: fetched.append(backbone.name))
    weights_files.fetch_weights(suite, Plugins())
    assert fetched == ["timm:resnet18"]


def test_a_portable_name_has_no_folder_of_the_machine():
    assert portable_name("~/me/a.pth") == portable_name("C:\\me\\a.pth") == portable_name("/me/a.pth") == "a.pth"
