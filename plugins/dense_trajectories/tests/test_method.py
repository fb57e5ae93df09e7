"""The method: conformance, what is remembered, what has no trajectories."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from harness.errors import DataError
from harness.execution.plan import check
from harness.interfaces import Budget, VideoBatch
from harness.plugins.manager import Plugins
from harness.suites.schema import load
from harness.testing import MovingSquares, TinyBackbone, conformance
from harness.video.decode import decode
from harness_dense_trajectories import encoder as encoding
from harness_dense_trajectories.encoder import DESCRIPTORS, TrajectoryEncoder, columns
from harness_dense_trajectories.extract import extract
from harness_dense_trajectories.idt_bow import IdtBow
from harness_dense_trajectories.idt_fv import IdtFv
from harness_dense_trajectories.many import extract_many
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.tables import Tables, grey

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """Trajectories are kept from test to test, away from the user's."""
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path_factory.getbasetemp() / "home"))


@conformance(IdtFv(components=2))
def test_conformance(check):
    check()


@conformance(IdtBow(words=20))
def test_conformance_of_bags_of_words(check):
    check()


@pytest.fixture(scope="module")
def squares():
    return MovingSquares()


def fitted(squares, device="cpu", **options):
    method = IdtBow(**options) if "words" in options else IdtFv(components=2, **options)
    return method.fit(TinyBackbone(), squares.split("train").unlabelled(), Budget(frames=400, seed=0, device=device))


@pytest.mark.parametrize("device", DEVICES)
def test_a_clip_has_the_vector_of_the_video_it_is(squares, device):
    encoder, test = fitted(squares, device), squares.split("test")
    videos = encoder.encode_videos(test)
    assert videos.shape == (len(test), encoder.dim)
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
    assert again.dim == encoder.dim == (dim or sum(part.dim for part in encoder.parts.values()))
    assert torch.equal(again.encode_videos(test), encoder.encode_videos(test))
    (tmp_path / "trajectories.json").write_text("{}")
    with pytest.raises(DataError, match="cannot be read"):
        TrajectoryEncoder.load(tmp_path)


def test_videos_without_trajectories_have_the_zero_vector_and_are_counted(squares, capsys):
    encoder, test = fitted(squares), squares.split("test")
    frames = test.frames.clone() if isinstance(test.frames, torch.Tensor) else list(test.frames)
    frames[1] = torch.zeros_like(frames[1])
    dark = dataclasses.replace(test, frames=frames)
    vectors = encoder.encode_videos(dark)
    assert vectors[1].abs().max() == 0
    assert vectors.isfinite().all()
    assert "videos of test have no trajectories" in capsys.readouterr().err
    short = VideoBatch(torch.zeros(1, 3, 10, 48, 64, dtype=torch.uint8))
    assert encoder.encode(short).abs().max() == 0


def test_trajectories_are_computed_once(squares, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path))
    split = squares.split("test")
    some = dataclasses.replace(split, videos=split.videos[:2], frames=split.frames[:2])
    first = Tables(Settings()).of(some)
    (files,) = [sorted(tmp_path.rglob("*.npy"))]
    assert len(files) == 2
    stamps = [file.stat().st_mtime_ns for file in files]
    again = Tables(Settings()).of(some)
    assert [file.stat().st_mtime_ns for file in files] == stamps
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    Tables(Settings(compensate=False)).of(some)
    assert len(list(tmp_path.rglob("*.npy"))) == 4


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
    for available, device in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda available=available: available)
        assert TrajectoryEncoder.load(tmp_path).device == device


def test_tables_described_on_cuda_have_names_of_their_own():
    cpu, cuda = (Tables(Settings(), device)._recipe() for device in ("cpu", "cuda:1"))
    assert Tables(Settings())._recipe() == cpu
    assert cuda == Tables(Settings(), "cuda")._recipe() != cpu


def test_words_are_counted_for_each_descriptor(squares):
    encoder, test = fitted(squares, words=20), squares.split("test")
    vector = encoder.encode_videos(test)[3]
    (table,) = Tables(Settings()).of(test, [3])
    for part, name in zip(vector.split(20), DESCRIPTORS, strict=True):
        x, centres = torch.from_numpy(table[:, columns(name)].copy()), encoder.parts[name].centres
        counts = torch.cdist(x.double(), centres.double()).argmin(1).bincount(minlength=20)
        torch.testing.assert_close(part, (counts / len(x)).sqrt())


def boxed(squares, home, name, boxes):
    """The first two test videos, with the same boxes in each frame of both."""
    split = squares.split("test")
    some = dataclasses.replace(split, videos=split.videos[:2], frames=split.frames[:2])
    for video in some.videos:
        path = home / "boxes" / name / video.path.parent.name / f"{video.path.stem}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([boxes] * video.frames))
    return some


def test_boxes_of_humans_are_kept_out_of_the_cameras_motion(squares, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path))
    some = boxed(squares, tmp_path, "ours", [[0, 0, 64, 48]])
    plain, ours = Tables(Settings()).of(some), Tables(Settings(), boxes="ours").of(some)
    expected = extract(grey(some.read(0)), boxes=[[[0, 0, 64, 48]]] * some.videos[0].frames)
    assert np.array_equal(ours[0], expected.table)
    assert not np.array_equal(ours[0], plain[0])
    boxed(squares, tmp_path, "ours", [])
    assert np.array_equal(Tables(Settings(), boxes="ours").of(some)[0], plain[0])
    assert len(list((tmp_path / "trajectories").rglob("*.npy"))) == 6  # other boxes, other names


def test_boxes_go_with_the_encoder(squares, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path))
    some = boxed(squares, tmp_path, "ours", [[0, 0, 64, 48]])
    method = IdtFv(components=2, boxes="ours")
    encoder = method.fit(TinyBackbone(), some.unlabelled(), Budget(frames=400, seed=0))
    encoder.save(tmp_path / "encoder")
    again = TrajectoryEncoder.load(tmp_path / "encoder")
    assert torch.equal(again.encode_videos(some), encoder.encode_videos(some))
    assert set(again.illustrations(some)) == {"trajectories.png", "trajectories.mp4"}
    name = some.videos[1].path.stem
    missing = tmp_path / "boxes" / "ours" / some.videos[1].path.parent.name / f"{name}.json"
    missing.unlink()
    with pytest.raises(DataError, match=f"{name}.avi: no boxes at .*{name}.npz or .json; .*leave `boxes` out"):
        encoder.encode_videos(some)
    missing.write_text("[]")
    with pytest.raises(DataError, match=f"{some.videos[1].id}.*boxes of 0 frames"):
        encoder.encode_videos(some)


def test_too_few_trajectories(squares):
    with pytest.raises(DataError, match="fewer than the 100000 components or words"):
        IdtFv(components=100_000).fit(TinyBackbone(), squares.split("train").unlabelled(), Budget(frames=400, seed=0))


def test_trajectories_are_drawn_over_frames(squares, tmp_path):
    found = fitted(squares).illustrations(squares.split("test"))
    assert set(found) == {"trajectories.png", "trajectories.mp4"}
    assert found["trajectories.png"].startswith(b"\x89PNG")
    (tmp_path / "film.mp4").write_bytes(found["trajectories.mp4"])
    film = decode(tmp_path / "film.mp4").astype(int)
    assert len(film) == squares.split("test").videos[0].frames
    assert min(film.shape[1:3]) >= 240
    green = (film[..., 1] - film[..., [0, 2]].max(-1) > 80).sum((1, 2))
    assert green[0] == 0  # a trajectory is shown from its second frame
    assert green[1:].max() > 20


def test_the_suite_can_be_planned():
    plugins = Plugins()
    suite = load("idt", plugins.suites)
    check(suite, plugins)
    assert [choice.label for choice in suite.methods if choice.name == "idt_fv"] == [
        "idt_fv(components=64)",
        "idt_fv(compensate=False, components=64)",
        "idt_fv(components=64, flow=farneback)",
        "idt_fv(components=64, encoding=separate)",
    ]
    assert "idt_bow(words=500)" in [choice.label for choice in suite.methods]
