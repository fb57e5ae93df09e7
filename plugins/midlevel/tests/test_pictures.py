"""Pictures of a fit: what they show, and that they are there."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image

from harness.testing import MovingSquares, TinyBackbone
from harness_midlevel import pictures
from harness_midlevel.baselines import MidlevelKmeans
from harness_midlevel.encoder import ConceptEncoder, Learnt
from harness_midlevel.methods import Midlevel
from harness_midlevel.vlad import Vlad

TRAIN, TEST = (MovingSquares().split(name).unlabelled() for name in ("train", "test"))
FRAMES = sum(video.frames for video in TRAIN.videos)


def test_each_concept_shows_its_strongest_volumes_of_different_videos(monkeypatch):
    shown = []
    monkeypatch.setattr(pictures, "moving_sheet", lambda rows, height: shown.extend(rows) or b"")
    volumes = np.arange(6, dtype=np.uint8)[:, None, None, None].repeat(12, 1).repeat(16, 2).repeat(16, 3)
    owners, concepts = torch.tensor([0, 0, 1, 0, 1, 2]), torch.tensor([4, 4, 4, 7, 7, 9])
    scores = torch.tensor([0.5, 0.9, 0.1, 2.0, 3.0, 9.0])
    pictures.draw_concepts(volumes, owners, scores, concepts)
    # Concept 9 is in one video only; of concept 4 the stronger volume of video 0 is shown.
    assert [(text, [int(clip[0][0, 0, 0]) for clip in clips]) for text, clips in shown] == [
        ("concept 7", [4, 3]),
        ("concept 4", [1, 2]),
    ]
    assert all(frame.shape == (16, 16, 3) for _, clips in shown for clip in clips for frame in clip)


def test_features_are_equally_many_of_the_largest_groups():
    groups = torch.tensor([0] * 300 + [1] * 80 + [2] * 60 + [3])
    rows = pictures._some(groups)
    assert len(rows) == len(set(rows.tolist()))
    assert groups[rows].bincount().tolist() == [50, 50, 50, 1]


def test_k_means_scores_by_distance_and_detectors_by_output(session):
    kmeans = MidlevelKmeans(concepts=4, dim=8, samples=20).fit(TinyBackbone(), TRAIN, session(FRAMES))
    concepts = kmeans.vlad.concepts
    scores, nearest = kmeans.detect(concepts)
    assert nearest.tolist() == [0, 1, 2, 3]
    assert torch.allclose(scores, torch.zeros(4), atol=1e-3)
    learnt = Learnt(weight=torch.tensor([[1.0, 0.0], [0.0, 2.0]]), bias=torch.tensor([0.0, -1.0]))
    detecting = ConceptEncoder(kmeans.reading, None, Vlad(torch.eye(2), 1.0), learnt)
    scores, strongest = detecting.detect(torch.tensor([[3.0, 1.0], [0.0, 1.0]]))
    assert (scores.tolist(), strongest.tolist()) == ([3.0, 1.0], [0, 1])


def test_a_fit_is_illustrated(session, monkeypatch, capsys):
    monkeypatch.setattr(pictures, "FEATURES", 100)
    options = {"clusters": 3, "members": 5, "least": 1, "cycles": 1, "samples": 20, "subsets": 2, "batch_size": 32}
    fitted = Midlevel(**options, pretraining_epochs=1).fit(TinyBackbone(), TRAIN, session(FRAMES))
    drawn = fitted.illustrations(TEST)
    assert {*drawn} == {"concepts.png", "features.png", "rounds.png"}
    assert all(min(Image.open(io.BytesIO(picture)).size) > 50 for picture in drawn.values())
    assert Image.open(io.BytesIO(drawn["concepts.png"])).n_frames == 12
    monkeypatch.setattr(pictures, "FEWEST", 10**6)
    assert {*fitted.illustrations(TEST)} == {"rounds.png"}
    assert "too few to show concepts and features" in capsys.readouterr().err
