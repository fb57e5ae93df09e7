"""`harness run` on a store that is damaged, of a newer version, or on a disk that takes nothing."""

from __future__ import annotations

import json

import pytest

from harness.system import paths

ONE = ("run", "toy", "--set", "evaluators=[knn]", "--set", "seeds=[0]", "--set", "methods=[counted]")


@pytest.fixture
def done(once):
    """A suite of one cell that was run."""
    done = once(*ONE)
    assert done.returncode == 0, done.stderr
    return done


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_everything_damaged_is_named_set_aside_and_computed_again(harness, done, toy):
    (run,) = paths.store().glob("runs/*.json")
    (weights,) = paths.store().glob("fits/*/*.safetensors")
    features = list(paths.store().glob("features/*.npy"))
    for path in (run, weights, *features):
        flip(path)
    again = harness(*ONE)
    assert again.returncode == 0, again.stderr
    assert again.stdout == done.stdout
    said = [line for line in again.stderr.splitlines() if "damaged" in line]
    named = {path for path in (run, weights.parent, *features) if any(line.startswith(f"{path}: ") for line in said)}
    assert named == {run, weights.parent, *features}
    assert len(said) == len(named)
    for path in named:
        assert (paths.store() / "damaged" / path.relative_to(paths.store())).exists()
    assert toy.read_text().splitlines() == ["counted 0", "counted 0"]
    assert "damaged" not in harness(*ONE).stderr


def test_a_newer_record_stops_the_run_and_is_named_on_the_board(harness, done):
    (path,) = paths.store().glob("runs/*.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "reviewed_by": "a later version"}))
    written = path.read_bytes()
    again = harness(*ONE)
    assert again.returncode == 4
    (line,) = [line for line in again.stderr.splitlines() if line.startswith("harness: ")]
    assert line.startswith(f"harness: {path}: written by a newer version of video-harness")
    board = harness("leaderboard", *ONE[1:])
    assert board.returncode == 0
    (line,) = [line for line in board.stderr.splitlines() if "newer version" in line]
    assert str(path) in line
    assert path.read_bytes() == written


@pytest.mark.parametrize("spoilt", ["store", "store/runs", "store/features", "store/fits"])
def test_a_store_that_cannot_be_written_records_nothing_and_is_gone_on_with(harness, spoilt):
    """A file in the way of a folder, which stops root too."""
    place = paths.home() / spoilt
    place.parent.mkdir(parents=True)
    place.write_text("")
    done = harness(*ONE)
    assert done.returncode == 4, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("harness: ")]
    assert str(place) in line
    assert f"HARNESS_HOME (now {paths.home()})" in line
    assert not [*paths.store().glob("runs/*")]
    assert harness("doctor").returncode == 1
    place.unlink()
    again = harness(*ONE)
    assert again.returncode == 0, again.stderr
    assert len([*paths.store().glob("runs/*.json")]) == 1
