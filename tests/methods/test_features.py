"""Vectors of a file as a row: keys by content, children, composites, the board's caution, and what cannot be."""

from __future__ import annotations

import pickle

import pytest
import torch

import harness
from harness import api
from harness.errors import DataError, UsageError
from harness.leaderboard.cautions import cautions
from harness.methods.features import FileFeatures
from harness.plugins.manager import Plugins
from harness.training.session import TrainingSession
from harness.values import Budget

SUITE = """
name: elsewhere
title: Vectors from elsewhere
frames: 512
methods:
- random_init
- {name: features, file: mine.safetensors, learnt_from: kinetics400, labels: false}
composites:
- name: both
  of:
  - random_init
  - {name: features, file: mine.safetensors, learnt_from: kinetics400, labels: false}
backbones: [tiny]
pretraining: [blobs]
evaluators: [{name: knn, k: 5}, linear_probe, temporal_order, throughput, {name: finetune, frames: 512, lrs: [0.001]}]
seeds: [0, 1]
"""
NOT_APPLICABLE = {"temporal_order", "throughput", "finetune"}


@pytest.fixture
def folder(toy, tmp_path):
    """A folder with the suite, and vectors that are the mean colours of its videos."""
    data = Plugins().datasets.build("blobs", {})
    vectors, ids = [], []
    for name in ("train", "test"):
        split = data.split(name)
        for index, video in enumerate(split.videos):
            vectors.append(split.read(index).float().mean((0, 1, 2)))
            ids.append(video.id)
    (tmp_path / "suite.yaml").write_text(SUITE)
    harness.save_features(tmp_path / "mine.safetensors", torch.stack(vectors), ids)
    return tmp_path


def test_a_suite_runs_with_vectors_of_a_file(folder):
    cells = api.plan(folder / "suite.yaml", changes=["seeds=[0]"])
    assert {cell.identity.evaluator.name for cell in cells} > NOT_APPLICABLE
    for cell in cells:
        of_file = cell.identity.method.name != "random_init"
        named = cell.identity.evaluator.name
        assert ("not applicable" in cell.state) == (of_file and named in NOT_APPLICABLE), (named, cell.state)
    result = api.run(folder / "suite.yaml", changes=["evaluators=[{name: knn, k: 5}]"])
    assert {run.status for run in result.runs} == {"done"}, [run.reason for run in result.runs]
    runs = {(run.identity.method.name, run.identity.seed): run for run in result.runs}
    one, other = (runs["features", seed] for seed in (0, 1))
    assert one.fit_key == other.fit_key
    assert one.sees == "vectors computed elsewhere"
    assert runs["both", 0].sees.endswith(" + vectors computed elsewhere")
    (start,) = one.starts
    assert str(start) == "mine.safetensors, learnt from kinetics400 without labels"
    assert one.provenance["weights"] == {"mine.safetensors": {"sha256": start.sha256}}
    assert (one.identity.backbone, one.identity.pretraining, one.identity.frames) == (None, None, None)

    (note,) = [note for note in cautions(result.board) if "elsewhere" in note.text]
    assert "Vectors of features" in note.text
    assert "both" in note.text
    assert "nothing here can check what they read" in note.text

    with pytest.raises(UsageError, match="its vectors were computed elsewhere, so that there is no network to export"):
        harness.export_encoder(one.fit_key, folder / "exported")
    alone = "methods=[{name: features, file: mine.safetensors, learnt_from: kinetics400, labels: false}]"
    changes = [alone, "evaluators=[{name: knn, k: 5}]", "seeds=[0]", "composites=[]"]
    (verdict,) = api.verify(folder / "suite.yaml", changes=changes)
    assert (verdict.run.fit_key, verdict.outcome) == (one.fit_key, "equal")


def test_the_key_is_of_the_content_and_of_the_statement(folder):
    def keys():
        cells = api.plan(folder / "suite.yaml", changes=["evaluators=[knn]", "seeds=[0]"])
        return {cell.identity.method.name: cell.key for cell in cells}

    before = keys()
    (folder / "elsewhere").mkdir()
    (folder / "mine.safetensors").rename(folder / "elsewhere" / "mine.safetensors")
    with pytest.raises(UsageError, match=r"method 'features': expected a file of vectors at .*mine.safetensors, where"):
        keys()
    (folder / "suite.yaml").write_text(SUITE + "paths: {mine.safetensors: elsewhere/mine.safetensors}")
    assert keys() == before
    harness.save_features(folder / "mine.safetensors", torch.ones(1, 3), ["a"])
    (folder / "suite.yaml").write_text(SUITE)
    assert {name for name, key in keys().items() if before[name] == key} == {"random_init"}


def test_what_vectors_learnt_from_has_to_be_stated(folder):
    lacking = SUITE.replace(", learnt_from: kinetics400, labels: false", "")
    (folder / "suite.yaml").write_text(lacking)
    wanted = r"expected a statement on its vectors, which lacks learnt_from .*the vectors learnt from.*, labels"
    with pytest.raises(UsageError, match=wanted):
        api.plan(folder / "suite.yaml")
    (folder / "suite.yaml").write_text(lacking.replace("file: mine.safetensors", "labels: true, learnt_from: a"))
    with pytest.raises(UsageError, match=r"which lacks file \(the file\)"):
        api.plan(folder / "suite.yaml")


def with_file(folder, ids, vectors):
    harness.save_features(folder / "mine.safetensors", vectors, ids)
    changes = ["evaluators=[{name: knn, k: 5}]", "seeds=[0]", "composites=[]"]
    return api.run(folder / "suite.yaml", changes=changes).runs


def test_a_video_without_a_vector_fails_the_row_alone(folder):
    network, features = with_file(folder, ["another"], torch.ones(1, 3))
    assert (network.status, features.status) == ("done", "data")
    assert "has no vector of video" in features.reason
    assert "name vectors by `Video.id`" in features.reason


def test_a_hostile_file_fails_the_row_alone(folder):
    (folder / "mine.safetensors").write_bytes(pickle.dumps(folder))
    changes = ["evaluators=[{name: knn, k: 5}]", "seeds=[0]", "composites=[]"]
    network, features = api.run(folder / "suite.yaml", changes=changes).runs
    assert (network.status, features.status) == ("done", "data")
    assert "not a safetensors file" in features.reason


def test_a_file_that_changed_after_the_plan_is_not_read(folder):
    method = FileFeatures(file=str(folder / "mine.safetensors"), learnt_from="a", labels=True, sha256="0" * 64)
    session = TrainingSession(Budget(frames=0, seed=0))
    with pytest.raises(DataError, match="another than when the suite was planned"):
        method.fit(None, None, session)
