"""`harness map`: the features of a stored run, drawn."""

from __future__ import annotations

import csv
import json
import shutil
from collections import Counter
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from harness.cli.app import app
from harness.errors import DataError, UsageError
from harness.execution import restore
from harness.system import paths
from harness.testing import MovingSquares

FILES = {"tsne.png", "tsne.csv", "tensors.tsv", "metadata.tsv", "sprite.png", "projector_config.pbtxt"}


@pytest.fixture
def harness(compute, tmp_path):
    """Run `harness` here; its `keys` are of runs of videos, of clips, and of a layer's clips of train in float16."""
    evaluators = [
        {"name": "knn", "k": 5},
        {"name": "clustering", "repeats": 1, "clips": 3},
        {"name": "clustering", "repeats": 1, "clips": 2, "layer": "colours", "precision": "float16", "split": "train"},
    ]
    common = {"name": "toy", "title": "Toy", "frames": 512, "methods": ["random_init"], "pretraining": ["blobs"]}
    keys = []
    for backbone, measured in (("small_2d", evaluators[:2]), ("two_layers", evaluators[2:])):
        runs = compute({**common, "backbones": [backbone], "evaluators": measured, "seeds": [0]})
        assert [run.status for run in runs] == ["done"] * len(measured)
        keys += [run.key for run in runs]

    def harness(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    harness.keys = keys
    return harness


def table(folder):
    with (folder / "tsne.csv").open() as file:
        return list(csv.DictReader(file))


def test_videos_clips_or_layers_as_the_run_measured_them(harness, tmp_path):
    features = set(paths.store().glob("features/*"))
    videos, clips = tmp_path / "videos", tmp_path / "deep" / "clips"
    done = harness("map", harness.keys[0][:8], "-o", videos, "--json")
    assert done.exit_code == 0, done.output
    assert sorted(json.loads(done.stdout)) == sorted(map(str, videos.iterdir()))
    assert {path.name for path in videos.iterdir()} == FILES
    assert len(table(videos)) == 32
    assert {row["frame"] for row in table(videos)} == {"12"}
    assert {row["class"] for row in table(videos)} == {"left", "right", "up", "down"}

    done = harness("map", harness.keys[1], "-o", clips)
    assert sorted(done.stdout.splitlines()) == sorted(map(str, clips.iterdir()))
    assert len(list(clips.iterdir())) == len(FILES)
    assert set(Counter(row["video"] for row in table(clips)).values()) == {3}

    layer = tmp_path / "layer"
    assert harness("map", harness.keys[2], "-o", layer).exit_code == 0
    assert len(table(layer)) == 48 * 2
    vector = (layer / "tensors.tsv").read_text().splitlines()[0].split("\t")
    assert len(vector) == 3  # the layer's; the backbone's own have 2 numbers
    assert set(paths.store().glob("features/*")) == features  # nothing was encoded twice


def test_points_are_drawn_by_the_seed(harness, tmp_path):
    folders = [tmp_path / name for name in ("one", "same", "other")]
    for folder, seed in zip(folders, (1, 1, 2), strict=True):
        done = harness("map", harness.keys[1], "-o", folder, "--points", 12, "--seed", seed)
        assert "12 of 96 points, drawn at random" in done.stderr
        assert len(table(folder)) == 12
    one, same, other = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)
    assert one == same
    assert one["tsne.csv"] != other["tsne.csv"]


def test_bad_input_is_one_line_and_leaves_nothing(harness, tmp_path, monkeypatch):
    key = harness.keys[0]

    def refused(*arguments):
        done = harness("map", *arguments, "-o", tmp_path / "map")
        assert not (tmp_path / "map").exists()
        assert done.stdout == ""
        return done

    assert isinstance(refused("ffffffffff").exception, UsageError)
    error = refused(key, "--label", "scene").exception
    assert isinstance(error, DataError)
    assert str(error) == "split 'test' of data set 'blobs' has no label 'scene'; it has: action"
    assert refused(key, "--points", 4).exit_code == 2

    bare = SimpleNamespace(card=MovingSquares.card, split=lambda name: MovingSquares().split(name).unlabelled())
    with monkeypatch.context() as patch:
        patch.setattr(restore, "dataset", lambda plugins, run: bare)
        assert "'test' of data set 'moving-squares' has no labels" in str(refused(key).exception)

    shutil.rmtree(paths.store() / "fits")
    error = refused(key).exception
    assert isinstance(error, DataError)
    assert str(error) == f"run {key}: its encoder is not stored here; run its suite again to fit it"

    (tmp_path / "file").touch()
    refused = harness("map", key, "-o", tmp_path / "file").exception
    assert isinstance(refused, UsageError)
    assert str(refused).startswith(f"-o {tmp_path / 'file'}: expected a folder")
