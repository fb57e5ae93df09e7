"""Videos, and a home for their trajectories, that the tests share."""

from __future__ import annotations

import dataclasses
import json

import pytest

from harness.testing import MovingSquares


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """A home for trajectories that tests share, away from the user's."""
    folder = tmp_path_factory.getbasetemp() / "home"
    monkeypatch.setenv("HARNESS_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def squares():
    return MovingSquares()


@pytest.fixture
def own_home(home, tmp_path, monkeypatch):
    """A home without trajectories."""
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def boxed(squares, own_home):
    """Two test videos, and a function that writes their boxes, named `ours`."""
    split = squares.split("test")
    some = dataclasses.replace(split, videos=split.videos[:2], frames=split.frames[:2])

    def write(boxes):
        for video in some.videos:
            path = own_home / "boxes" / "ours" / f"{video.content}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps([boxes] * video.frames))

    return some, write
