"""The four methods: what they learn, refuse, log and store."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest
import torch

from harness.errors import DataError, UsageError
from harness.testing import MovingSquares, TinyBackbone
from harness.testing.fixtures import MemorySplit
from harness_dense_trajectories.projections import Pca
from harness_midlevel import encoder as encoder_module
from harness_midlevel.baselines import MidlevelKmeans, MidlevelSvm
from harness_midlevel.concepts import concept_centres
from harness_midlevel.encoder import ConceptEncoder
from harness_midlevel.methods import Midlevel, MidlevelSoftmax

TRAIN, TEST = (MovingSquares().split(name).unlabelled() for name in ("train", "test"))
FRAMES = sum(video.frames for video in TRAIN.videos)
SMALL = {"clusters": 3, "members": 5, "least": 1, "cycles": 1, "samples": 20}
NETWORK = {**SMALL, "subsets": 2, "pretraining_epochs": 1, "epochs": 2, "batch_size": 32}


def vectors(encoder, split=TEST):
    encoded = dict(encoder.encode_videos(split, ()))
    return torch.stack([encoded[index] for index in range(len(split))])


@pytest.fixture
def fitted(session):
    return Midlevel(**NETWORK).fit(TinyBackbone(), TRAIN, session(FRAMES))


def test_concepts_are_the_means_of_their_members():
    codes, clusters = torch.randn(9, 4), torch.tensor([0, 0, 0, 1, 1, 3, 3, 3, 3])
    known, concepts = concept_centres(codes, clusters)
    assert known.tolist() == [0, 1, 3]
    torch.testing.assert_close(concepts, torch.stack([codes[clusters == one].mean(0) for one in known]))


def test_a_fit_logs_its_rounds_and_its_reconstruction(fitted):
    log = fitted.learnt.log
    assert [entry["round"] for entry in log["rounds"]] == [0, 1]
    assert log["rounds"][-1]["clusters"] == len(fitted.learnt.weight) >= 2
    assert {"fired", "effective_rank", "hinge_gradient", "fisher_gradient"} <= {*log["rounds"][0]}
    assert 0 < log["explained_variance"] < log["pca_variance"] <= 1
    json.dumps(log)


def test_what_is_stored_encodes_alike(fitted, tmp_path):
    fitted.save(tmp_path)
    again = ConceptEncoder.load(tmp_path)
    assert torch.equal(vectors(again), vectors(fitted))
    assert again.learnt.log == fitted.learnt.log
    assert torch.equal(again.learnt.weight, fitted.learnt.weight)
    assert again.promise == fitted.promise
    (tmp_path / "encoding.json").write_text("{}")
    with pytest.raises(DataError, match="cannot be read"):
        ConceptEncoder.load(tmp_path)


def test_what_is_stored_is_loaded_on_the_device_of_this_process(fitted, tmp_path, monkeypatch):
    fitted.reading = replace(fitted.reading, device="cuda:1")
    fitted.save(tmp_path)
    asked = []
    monkeypatch.setattr(encoder_module, "stored_device", lambda device: asked.append(device) or "meta")
    again = ConceptEncoder.load(tmp_path)
    assert asked == ["cuda"]
    assert again.reading.device == again.vlad.concepts.device.type == "meta"


def test_principal_components_are_stored(session, tmp_path):
    fitted = MidlevelKmeans(concepts=4, dim=8, samples=20).fit(TinyBackbone(), TRAIN, session(FRAMES))
    assert isinstance(fitted.codes, Pca)
    assert fitted.vlad.dim == 4 * 8
    fitted.save(tmp_path)
    assert torch.equal(vectors(ConceptEncoder.load(tmp_path)), vectors(fitted))


def test_vectors_have_length_1_and_those_of_still_videos_are_0(fitted, capsys):
    assert torch.allclose(vectors(fitted).norm(dim=1), torch.ones(len(TEST)))
    frames = torch.zeros(20, 48, 64, 3, dtype=torch.uint8)
    still = MemorySplit("test", (replace(TEST.videos[0], frames=20, content=""),), (frames,), {}, labelled=False)
    assert not vectors(fitted, still).any()
    assert "1 of 1 videos of test have no trajectories" in capsys.readouterr().err


def test_videos_are_encoded_in_groups_that_fit_memory(fitted, monkeypatch):
    whole = vectors(fitted)
    groups = []
    encode = fitted._encode
    monkeypatch.setattr(fitted, "_encode", lambda group: groups.append(len(group)) or encode(group))
    monkeypatch.setattr(encoder_module, "NUMBERS", 3 * fitted.vlad.dim)
    torch.testing.assert_close(vectors(fitted), whole)
    assert max(groups) <= 3
    monkeypatch.setattr(encoder_module, "ROWS", 1)
    torch.testing.assert_close(vectors(fitted), whole)
    assert groups[-1] == 1


def test_an_autoencoder_that_learnt_little_is_said(session, capsys):
    MidlevelKmeans(concepts=4, codes="autoencoder", pretraining_epochs=0, samples=20).fit(
        TinyBackbone(), TRAIN, session(FRAMES)
    )
    assert "more pretraining_epochs would help" in capsys.readouterr().err


def test_encoding_does_not_change_the_network(fitted):
    before = {name: value.clone() for name, value in fitted.codes.state_dict().items()}
    vectors(fitted)
    assert all(torch.equal(value, before[name]) for name, value in fitted.codes.state_dict().items())


def test_a_fit_stopped_anywhere_goes_on_with_the_same_bits(session, tmp_path, monkeypatch):
    method = Midlevel(**NETWORK)
    whole = vectors(method.fit(TinyBackbone(), TRAIN, session(FRAMES)))
    for stopped in ("pretraining", "round-0", "round-1"):
        folder = tmp_path / stopped
        first = session(FRAMES, folder)
        stage = first.stage

        def stop(name, run, state, *, at=stopped, stage=stage):
            if name == at:
                raise KeyboardInterrupt
            stage(name, run, state)

        monkeypatch.setattr(first, "stage", stop)
        with pytest.raises(KeyboardInterrupt):
            method.fit(TinyBackbone(), TRAIN, first)
        assert torch.equal(vectors(method.fit(TinyBackbone(), TRAIN, session(FRAMES, folder))), whole), stopped


def test_cross_entropy_and_svms_end_elsewhere(session, fitted):
    softmax = MidlevelSoftmax(**NETWORK).fit(TinyBackbone(), TRAIN, session(FRAMES))
    svm = MidlevelSvm(**SMALL).fit(TinyBackbone(), TRAIN, session(FRAMES))
    for encoder, gradients in ((fitted, {"hinge_gradient", "fisher_gradient"}), (softmax, set()), (svm, set())):
        assert {key for key in encoder.learnt.log["rounds"][0] if key.endswith("_gradient")} == gradients
    learnt = [encoder.learnt.weight for encoder in (fitted, softmax, svm)]
    assert not any(torch.equal(one, other) for one, other in itertools.combinations(learnt, 2))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Midlevel(samples=0), "samples must be at least 1, got 0"),
        (lambda: Midlevel(subsets=1), "subsets must be at least 2, got 1"),
        (lambda: Midlevel(alpha=1.5), r"alpha must be in \[0, 1\]"),
        (lambda: Midlevel(positive_weight=0.0), "positive_weight above 0"),
        (lambda: Midlevel(perplexity=1.0), "perplexity above 1"),
        (lambda: Midlevel(members=3), "least must be at most the 3 members of a cluster, got 5"),
        (lambda: MidlevelKmeans(network="volumes"), "take codes: autoencoder"),
        (lambda: MidlevelKmeans(concepts=1), "concepts must be at least 2, got 1"),
        (lambda: MidlevelKmeans(lr=0.0), "lr must be above 0, got 0.0"),
        (lambda: Midlevel(lr=-1.0), "lr must be above 0, got -1.0"),
        (lambda: MidlevelSoftmax(epochs=0), "epochs must be at least 1, got 0"),
    ],
)
def test_impossible_options(make, message):
    with pytest.raises(UsageError, match=message):
        make()


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (Midlevel(**{**NETWORK, "clusters": 500}), "500 clusters of 5 members need twice as many samples"),
        (Midlevel(**{**NETWORK, "subsets": 1000}), "ask for fewer subsets"),
        (MidlevelKmeans(concepts=10**6, samples=5), "concepts must be at most the"),
        (MidlevelKmeans(concepts=2, dim=500, samples=5), "ask for a smaller dim"),
        (
            MidlevelKmeans(concepts=2, codes="autoencoder", samples=1, videos=1),
            "concepts must be at most the 1 samples, got 2",
        ),
    ],
)
def test_too_little_data(method, message, session):
    with pytest.raises(UsageError, match=message):
        method.fit(TinyBackbone(), TRAIN, session(FRAMES))
