"""Movements of encoders that see one thing only."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from harness import Promise, View, WholeVideo
from harness.encoders.frozen import CachedEncoder
from harness.errors import UsageError
from harness.testing.fixtures import MovingSquares
from harness_temporal_coherency import movements as module
from harness_temporal_coherency.movements import main, movements

SPLIT = MovingSquares().split("test")


class Seeing:
    """One frame as a vector."""

    def __init__(self, dim, see):
        self.promise = Promise(views=(View(frames=1, size=32),), shape=(dim,))
        self.see = see

    def encode(self, batch):
        return self.see(batch.clips.float() / 255)


def moved(dim, see):
    return movements(CachedEncoder(Seeing(dim, see), key="x"), SPLIT, count=100)


def test_colours_alone():
    """Mean colours without their common part: only colour moves them."""
    shares = moved(3, lambda clips: clips.mean((2, 3, 4)) - clips.mean((1, 2, 3, 4))[:, None])
    assert shares["moved"] < 1e-3
    assert shares["mirrored"] < 1e-3
    assert shares["next_frame"] < shares["tinted"]
    assert shares["grey"] > 0.5
    assert shares["nearest_of_group"] > 0.5  # a group has a colour of its own


def test_places_alone():
    """The brightest column of a frame: colours move nothing, all else does."""
    shares = moved(32, lambda clips: torch.nn.functional.one_hot(clips.mean((1, 2, 3)).argmax(1), 32).float())
    assert shares["grey"] < 0.25  # where columns are nearly equal, a rounding decides
    assert shares["tinted"] < 0.25
    assert shares["moved"] > 0.8
    assert shares["mirrored"] > 0.8
    assert shares["nearest_of_group"] < 0.5


def test_videos_without_a_group_are_of_no_other_videos_group():
    def shares(group):
        videos = tuple(replace(video, group=group(number)) for number, video in enumerate(SPLIT.videos))
        encoder = CachedEncoder(Seeing(3, lambda clips: clips.mean((2, 3, 4)) + 1), key="x")
        return movements(encoder, replace(SPLIT, videos=videos), count=10)

    assert "nearest_of_group" not in shares(lambda number: "")
    assert shares(lambda number: "" if number else "alone")["nearest_of_group"] == 0
    assert shares(lambda number: "all")["nearest_of_group"] == 1


def test_the_changes_are_what_they_say():
    seen = []
    movements(
        CachedEncoder(Seeing(3, lambda clips: seen.append(clips) or clips.mean((2, 3, 4)) + 1), key="x"),
        SPLIT,
        count=20,
    )
    frames, _, _, _, grey, tinted, aside, mirrored = seen[:8]
    assert torch.equal(mirrored, frames.flip(-1))
    assert torch.equal(aside[..., 2:], frames[..., :-2])  # 5 of 64 pixels are 2 of 32
    assert torch.equal(grey[:, 0], grey[:, 2])
    ratio = (tinted / frames.clamp(min=1 / 255))[:, [0, 2]].flatten(2).median(2).values
    assert ((ratio.prod(1) - (1 - module.TINT**2)).abs() < 0.05).all()


def test_whole_videos_have_no_frame_to_change():
    whole = Seeing(3, None)
    whole.promise = Promise(views=(WholeVideo(),), shape=(3,))
    with pytest.raises(UsageError, match="expected an encoder of clips, got one that is shown whole videos"):
        movements(CachedEncoder(whole, key="x"), SPLIT)


def test_the_command_wants_one_key(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path))
    with pytest.raises(UsageError, match="give the key of a run"):
        main([])
    with pytest.raises(UsageError, match="no run starts with it"):
        main(["abc"])
