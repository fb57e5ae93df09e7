"""Vectors of videos and clips, and encoders that are stored."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import pytest
import torch

from harness.errors import DataError
from harness.testing import TinyBackbone
from harness.training.session import TrainingSession
from harness.values import Budget, VideoBatch
from harness_dense_trajectories import encoder as encoding
from harness_dense_trajectories import store
from harness_dense_trajectories.encoder import TrajectoryEncoder, columns
from harness_dense_trajectories.many import extract_many
from harness_dense_trajectories.methods import IdtBow, IdtFv
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.store import save
from harness_dense_trajectories.tables import Tables
from harness_dense_trajectories.trajectories import DESCRIPTORS

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]


def videos_encoded(encoder, split):
    """(N, dim) of all videos."""
    vectors = dict(encoder.encode_videos(split, ()))
    return torch.stack([vectors[position] for position in range(len(split))])


def fitted(squares, device="cpu", **options):
    method = IdtBow(**options) if "words" in options else IdtFv(components=2, **options)
    session = TrainingSession(Budget(frames=400, seed=0), device=device)
    return method.fit(TinyBackbone(), squares.split("train").unlabelled(), session)


@pytest.mark.parametrize("device", DEVICES)
def test_a_clip_has_the_vector_of_the_video_it_is(squares, device):
    encoder, test = fitted(squares, device), squares.split("test")
    videos = videos_encoded(encoder, test)
    assert videos.shape == (len(test), *encoder.promise.shape)
    clip = test.read(3).permute(3, 0, 1, 2)[None]
    torch.testing.assert_close(encoder.encode(VideoBatch(clip)), videos[3:4])
    assert videos[3].norm() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(
    ("options", "dim"),
    [
        ({"encoding": "separate"}, None),
        ({"sketch": 50}, 50),
        ({"form": "released"}, None),
        ({"words": 20}, 5 * 20),
    ],
)
def test_what_is_stored_encodes_alike(squares, tmp_path, options, dim):
    encoder, test = fitted(squares, **options), squares.split("test")
    encoder.save(tmp_path)
    again = TrajectoryEncoder.load(tmp_path)
    assert again.promise == encoder.promise
    assert encoder.promise.shape == (dim or sum(part.dim for part in encoder.parts.values()),)
    assert torch.equal(videos_encoded(again, test), videos_encoded(encoder, test))


@pytest.mark.parametrize("options", [None, {"parts": [["hog", "words"]]}, {"settings": {"levels": 0}, "parts": []}])
def test_an_encoding_that_is_no_encoder_is_refused(tmp_path, options):
    save({"centres": torch.ones(1, 2)}, tmp_path, options)
    with pytest.raises(DataError, match="stored encoder cannot be read"):
        TrajectoryEncoder.load(tmp_path)


def test_videos_without_trajectories_have_the_zero_vector_and_are_counted(squares, capsys):
    encoder, test = fitted(squares), squares.split("test")
    frames = test.frames.clone() if isinstance(test.frames, torch.Tensor) else list(test.frames)
    frames[1] = torch.zeros_like(frames[1])
    videos = list(test.videos)
    videos[1] = dataclasses.replace(videos[1], content="dark")  # trajectories on disk are found by it
    dark = dataclasses.replace(test, videos=tuple(videos), frames=frames)
    vectors = videos_encoded(encoder, dark)
    assert vectors[1].abs().max() == 0
    assert vectors.isfinite().all()
    assert "videos of test have no trajectories" in capsys.readouterr().err
    short = VideoBatch(torch.zeros(1, 3, 10, 48, 64, dtype=torch.uint8))
    assert encoder.encode(short).abs().max() == 0


def test_on_cuda_tubes_are_described_there(squares, tmp_path, monkeypatch):
    encoder = fitted(squares)
    clips = VideoBatch(torch.stack([squares.split("test").read(index).permute(3, 0, 1, 2) for index in (2, 3)]))
    expected = encoder.encode(clips)
    asked = []

    def on_the_cpu(videos, settings, *, device):
        asked.append(device)
        return extract_many(videos, settings, device="cpu")

    monkeypatch.setattr(encoding, "extract_many", on_the_cpu)
    torch.testing.assert_close(encoder.encode(clips), expected)
    assert asked == []
    encoder.device = "cuda:1"
    torch.testing.assert_close(encoder.encode(clips), expected, atol=1e-3, rtol=0)
    assert asked == ["cuda:1"]
    encoder.save(tmp_path)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    loaded = []

    def load(folder, device="cpu"):
        loaded.append(device)
        return store.load(folder)

    monkeypatch.setattr(encoding, "store", SimpleNamespace(load=load, save=store.save))
    for available, device in ((True, "cuda:3"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda available=available: available)
        again = TrajectoryEncoder.load(tmp_path)
        assert again.device == loaded.pop() == device
    again.device = "cuda:3"
    again.save(tmp_path / "again")
    for path in (tmp_path / "again").iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes()


def test_words_are_counted_for_each_descriptor(squares):
    encoder, test = fitted(squares, words=20), squares.split("test")
    vector = videos_encoded(encoder, test)[3]
    (table,) = Tables(Settings()).load(test, [3])
    for part, name in zip(vector.split(20), DESCRIPTORS, strict=True):
        x, centres = torch.from_numpy(table[:, columns(name)].copy()), encoder.parts[name].centres
        counts = torch.cdist(x.double(), centres.double()).argmin(1).bincount(minlength=20)
        torch.testing.assert_close(part, (counts / len(x)).sqrt())


def test_boxes_go_with_the_encoder(boxed, tmp_path):
    some, write = boxed
    write([[0, 0, 64, 48]])
    method = IdtFv(components=2, boxes="ours")
    encoder = method.fit(TinyBackbone(), some.unlabelled(), TrainingSession(Budget(frames=400, seed=0)))
    encoder.save(tmp_path / "encoder")
    again = TrajectoryEncoder.load(tmp_path / "encoder")
    assert torch.equal(videos_encoded(again, some), videos_encoded(encoder, some))
    assert set(again.illustrations(some)) == {"trajectories.png", "trajectories.mp4"}
    name = some.videos[1].id
    missing = tmp_path / "boxes" / "ours" / f"{some.videos[1].content}.json"
    missing.unlink()
    with pytest.raises(
        DataError, match=f"video {name!r}: no boxes at .*{missing.stem}.npz or .json.*leave `boxes` out"
    ):
        videos_encoded(encoder, some)
    missing.write_text("[]")
    with pytest.raises(DataError, match=f"{some.videos[1].id}.*boxes of 0 frames"):
        videos_encoded(encoder, some)


def test_videos_that_are_done_are_not_encoded_again(squares):
    encoder, test = fitted(squares), squares.split("test")
    vectors = videos_encoded(encoder, test)
    done = range(0, len(test), 2)
    left = dict(encoder.encode_videos(test, done))
    assert list(left) == list(range(1, len(test), 2))
    assert all(torch.allclose(vector, vectors[position], atol=1e-6) for position, vector in left.items())


def test_the_released_form_has_a_balanced_sketch(squares):
    counts = [
        fitted(squares, form=form, sketch=20).sketch.buckets.bincount(minlength=20) for form in ("paper", "released")
    ]
    assert [int(one.max() - one.min()) <= 1 for one in counts] == [False, True]
