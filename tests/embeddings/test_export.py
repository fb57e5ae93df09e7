"""A map of a split: what is in its table, and which points are drawn."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.embeddings.export import embedding_files, subsample
from harness.embeddings.tsne import tsne
from harness.evaluators.labelled_features import LabelledFeatures
from harness.testing import MovingSquares

SPLIT = MovingSquares().split("test")
LABELS = torch.tensor([video.labels["action"] for video in SPLIT.videos])
VECTORS = torch.randn(len(SPLIT), 6, generator=torch.Generator().manual_seed(0)) + 5 * LABELS[:, None]
POINTS = LabelledFeatures(VECTORS, LABELS, SPLIT.classes["action"], SPLIT)
FRAMES = [n % 24 for n in range(len(SPLIT))]


@pytest.fixture(scope="module")
def made():
    return embedding_files(POINTS, FRAMES, title="sfa", seed=0)


def rows(content, delimiter):
    return list(csv.DictReader(io.StringIO(content.decode()), delimiter=delimiter))


def test_the_table_has_every_point_with_its_place(made):
    table = rows(made["tsne.csv"], ",")
    assert list(table[0]) == ["video", "frame", "class", "x", "y"]
    assert [row["video"] for row in table] == [video.id for video in SPLIT.videos]
    assert [int(row["frame"]) for row in table] == FRAMES
    assert [row["class"] for row in table] == [SPLIT.classes["action"][label] for label in LABELS.tolist()]
    places = np.array([[float(row["x"]), float(row["y"])] for row in table])
    np.testing.assert_allclose(places, tsne(VECTORS.numpy(), seed=0), rtol=1e-5)


def test_no_cell_of_the_table_is_a_formula():
    classes = tuple(f'=HYPERLINK("http://{name}")' for name in SPLIT.classes["action"])
    made = embedding_files(LabelledFeatures(VECTORS, LABELS, classes, SPLIT), FRAMES, title="sfa", seed=0)
    assert all(row["class"].startswith("'=") for row in rows(made["tsne.csv"], ","))


@pytest.mark.parametrize(("name", "written"), [("-0AbC_dEf12", "-0AbC_dEf12"), ("-1+cmd", "'-1+cmd"), ("=1", "'=1")])
def test_ids_of_the_web_stay_as_they_are(name, written):
    videos = (replace(SPLIT.videos[0], id=name), *SPLIT.videos[1:])
    points = LabelledFeatures(VECTORS, LABELS, SPLIT.classes["action"], replace(SPLIT, videos=videos))
    made = embedding_files(points, FRAMES, title="sfa", seed=0)
    assert rows(made["tsne.csv"], ",")[0]["video"] == written


def test_the_projector_gets_the_same_points(made):
    known = rows(made["metadata.tsv"], "\t")
    assert list(known[0]) == ["action", "group", "video", "frame"]
    assert [row["video"] for row in known] == [row["video"] for row in rows(made["tsne.csv"], ",")]
    assert [row["group"] for row in known] == [video.group for video in SPLIT.videos]
    assert len(np.loadtxt(io.BytesIO(made["tensors.tsv"]))) == len(known)


def test_the_same_seed_gives_the_same_files(made):
    assert embedding_files(POINTS, FRAMES, title="sfa", seed=0) == made


def test_the_seed_draws_the_points(capsys):
    assert subsample(POINTS, FRAMES, 32, seed=0)[0] is POINTS
    few, frames = subsample(POINTS, FRAMES, 10, seed=3)
    again, _ = subsample(POINTS, FRAMES, 10, seed=3)
    other, _ = subsample(POINTS, FRAMES, 10, seed=4)
    ids = [video.id for video in few.split.videos]
    assert ids == [video.id for video in again.split.videos] != [video.id for video in other.split.videos]
    where = [[video.id for video in SPLIT.videos].index(name) for name in ids]
    assert where == sorted(set(where))
    assert len(few) == len(few.split) == 10
    assert torch.equal(few.vectors, VECTORS[where])
    assert torch.equal(few.labels, LABELS[where])
    assert frames == [FRAMES[position] for position in where]
    assert "10 of 32 points" in capsys.readouterr().err
