"""Pictures of two runs' videos: which are drawn, and what stands beside each."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from harness.leaderboard import pair_pictures as drawing
from harness.leaderboard.pair_pictures import FRAMES, ROWS, pair_pictures
from harness.leaderboard.run_pairs import pair_runs
from harness.pictures.contact_sheet import evenly_spaced

from .cards import CARDS
from .conftest import COLUMNS, fake_run
from .conftest import ROWS as METHODS

CLASSES = tuple(f"c{number}" for number in range(15))


@pytest.fixture
def pair():
    return pair_runs(fake_run(METHODS[0], COLUMNS[0], 0), fake_run(METHODS[5], COLUMNS[0], 0), CARDS, classes=CLASSES)


@pytest.fixture
def drawn(monkeypatch):
    """Rows of each picture in place of its pixels: caption, position in the split and number of frames."""
    monkeypatch.setattr(drawing, "frames_of", lambda split, position, count: (position, count))
    monkeypatch.setattr(drawing, "sheet", lambda rows, height: rows)


def split_of(names):
    """Split of videos, of which every second has four frames alone."""
    return SimpleNamespace(videos=[SimpleNamespace(id=name, frames=4 + 90 * (at % 2)) for at, name in enumerate(names)])


def test_videos_of_each_list_are_drawn_with_what_the_runs_took_them_for(pair, drawn):
    names = list(reversed(pair.predictions.videos))
    pictures = pair_pictures(pair, split_of(names))
    one, other = (run.predictions.predicted[0] for run in (pair.one, pair.other))
    right = [f"only-{run.key[:12]}-right.png" for run in (pair.one, pair.other)]
    places = dict(zip(["both-wrong.png", *right], [pair.both_wrong, pair.only_one, pair.only_other], strict=True))
    assert min(map(len, places.values())) > ROWS
    assert pictures.keys() == places.keys()
    for name, rows in pictures.items():
        chosen = [places[name][index] for index in evenly_spaced(len(places[name]), ROWS)]
        assert len(rows) == ROWS
        for place, (caption, (position, count)) in zip(chosen, rows, strict=True):
            assert names[position] == pair.predictions.videos[place]
            assert count == (4 if position % 2 == 0 else FRAMES)
            label = pair.predictions.labels[place]
            taken = [f"{run.key[:4]}: c{guess[place]}" for run, guess in ((pair.one, one), (pair.other, other))]
            assert caption == "\n".join([f"c{label}", *taken])


def test_videos_that_the_split_lacks_are_left_out(pair, drawn):
    (first, *_) = pair.both_wrong
    pictures = pair_pictures(pair, split_of([pair.predictions.videos[first]]))
    assert {name: len(rows) for name, rows in pictures.items()} == {"both-wrong.png": 1}
