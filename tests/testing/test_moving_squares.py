"""The squares move where their labels say, and nothing else tells the class."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from harness.errors import UsageError
from harness.testing import MovingSquares, fixtures
from harness.testing.fixtures import DIRECTIONS, SIDE
from harness.video.decode import decode
from harness.video.probe import probe


def centres(clip):
    """(T, 2): x and y of the middle of the bright pixels."""
    bright = clip.amin(3) > 200
    t, y, x = bright.nonzero(as_tuple=True)
    count = bright.sum((1, 2))
    return torch.stack([torch.zeros(len(clip)).index_add_(0, t, axis.float()) / count for axis in (x, y)], dim=1)


@pytest.mark.parametrize("name", ["train", "test"])
def test_squares_move_as_labelled_within_the_central_square(name):
    split = MovingSquares().split(name)
    for index, video in enumerate(split.videos):
        clip = split.read(index)
        bright = clip.amin(3) > 200
        assert bright.sum((1, 2)).min() >= (SIDE - 1) ** 2
        assert not bright[:, :, :8].any()
        assert not bright[:, :, -8:].any()
        moved = centres(clip)[-1] - centres(clip)[0]
        direction = torch.tensor(list(DIRECTIONS.values())[video.labels["action"]])
        assert float(moved @ direction) > 15
        assert float((moved - (moved @ direction) * direction).abs().max()) < 1


def test_classes_and_groups_are_balanced():
    for name, count in (("train", 48), ("test", 32)):
        videos = MovingSquares().split(name).videos
        labels = [video.labels["action"] for video in videos]
        assert torch.tensor(labels).bincount().tolist() == [count // 4] * 4
        for group in {video.group for video in videos}:
            members = [label for label, video in zip(labels, videos, strict=True) if video.group == group]
            assert sorted(members) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_the_mean_picture_does_not_tell_the_class():
    split = MovingSquares().split("train")
    brightness = torch.stack([split.read(index).float().mean() for index in range(len(split))])
    labels = torch.tensor([video.labels["action"] for video in split.videos])
    means = torch.stack([brightness[labels == label].mean() for label in range(4)])
    assert float(means.std()) < 0.05 * float(brightness.std())


def test_reading_short_sides_is_the_mean_of_the_pixels_covered():
    split = MovingSquares().split("test")
    whole, half = split.read(4).float(), split.read(4, short_side=24).float()
    assert half.shape == (24, 24, 32, 3)
    slow = whole.view(24, 24, 2, 32, 2, 3).mean((2, 4))
    assert float((half - slow).abs().max()) <= 0.5


def test_what_was_read_can_be_written_to():
    split = MovingSquares().split("test")
    before = split.read(0).clone()
    for clip in (split.read(0), split.read(0, [0, 1]), split.read(0, short_side=48)):
        clip.zero_()
    assert torch.equal(split.read(0), before)


def test_files_hold_the_same_videos(tmp_path):
    split = MovingSquares(tmp_path).split("test")
    video = split.videos[7]
    info = probe(video.path)
    assert (info.frames, info.fps, info.width, info.height) == (24, 12.0, 64, 48)
    difference = torch.from_numpy(decode(video.path)).float() - split.read(7).float()
    assert float(difference.abs().mean()) < 8
    assert len(list(tmp_path.iterdir())) == 32
    assert split.manifest == MovingSquares().split("test").manifest


def test_another_split_is_an_error():
    with pytest.raises(UsageError, match="unknown split 'tests'; did you mean 'test'"):
        MovingSquares().split("tests")


def test_splits_of_the_same_frames_compute_their_flow_once(monkeypatch):
    split = MovingSquares().split("train")
    clip = split.frames[0].clone()
    split = replace(split, videos=split.videos[:1], frames=(clip,))
    first = split.flow(0, [0, 1], short_side=24)
    monkeypatch.setattr(fixtures, "flow", lambda *_: pytest.fail("computed again"))
    for other in (split.unlabelled(), replace(split, name="other")):
        assert torch.equal(other.flow(0, [0, 1], short_side=24), first)
    monkeypatch.undo()
    assert not torch.equal(replace(split, frames=(clip.flip(0),)).flow(0, [0, 1], short_side=24), first)
