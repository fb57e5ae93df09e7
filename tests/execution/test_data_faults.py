"""Faults of data that stand beside a score."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from harness.datasets import overlap
from harness.datasets.split_views import Subset
from harness.errors import UsageError
from harness.execution import data_faults as module
from harness.execution.data_faults import data_faults, shared_videos
from harness.store.choices import Choice, Part
from harness.store.records import CellSpec

pytestmark = pytest.mark.usefixtures("home")


def leaking(train, test, *positions):
    """The test split with videos of train in the place of its last ones."""
    kept = len(test) - len(positions)
    videos = (*test.videos[:kept], *(replace(train.videos[n], id=f"taken-{n}") for n in positions))
    return replace(test, videos=videos, frames=(*test.frames[:kept], *(train.frames[n] for n in positions)))


def sources(**splits):
    """Data sets by name, each with the splits given."""

    def split(choice, name):
        return splits[choice.name][name]

    def dataset(choice):
        return SimpleNamespace(card=SimpleNamespace(splits=tuple(splits[choice.name])))

    return SimpleNamespace(split=split, dataset=dataset)


def cell(pretraining, data):
    choice = Choice(name="any")
    return CellSpec(
        method=choice,
        backbone=choice,
        pretraining=pretraining and Choice(name=pretraining),
        frames=1,
        evaluator=choice,
        data=Choice(name=data),
        seed=0,
    )


def test_sound_data_say_nothing(textured):
    train, test = textured
    assert data_faults(cell("a", "a"), sources(a={"train": train, "test": test})) == {}
    assert data_faults(cell(None, "a"), sources(a={"train": train, "test": test})) == {}
    assert data_faults(cell("a", "a"), sources(a={"test": test})) == {}


def test_test_videos_in_train_and_in_the_data_learnt_from(textured):
    train, test = textured
    data = {"train": Subset(train, range(24)), "test": leaking(train, test, 3, 30, 40)}
    faults = data_faults(cell("b", "a"), sources(a=data, b={"train": train}))
    assert faults == {
        "shared": {
            "train": {"videos": 32, "equal": 1, "similar": 0},
            "pretraining": {"videos": 32, "equal": 3, "similar": 0},
        }
    }


def test_data_that_parts_learnt_from_are_looked_at_too(textured):
    train, test = textured
    data = {"train": Subset(train, range(24)), "test": leaking(train, test, 30, 40)}
    of = [Part(method="x", pretraining=name).model_dump() for name in ("a", "b", "c")]
    composite = cell(None, "a").model_copy(update={"method": Choice(name="both", options={"of": of, "by": "concat"})})
    found = data_faults(composite, sources(a=data, b={"train": train}, c={"train": Subset(train, range(3))}))
    assert found == {"shared": {"b": {"videos": 32, "equal": 2, "similar": 0}}}


def test_classes_without_a_video(textured):
    train, test = textured
    some = Subset(train, [n for n, video in enumerate(train.videos) if video.labels["action"] > 0])
    assert data_faults(cell("a", "a"), sources(a={"train": some, "test": test})) == {
        "absent": {"train": {"action": ("left",)}}
    }


def test_it_is_counted_once_for_the_same_content(textured, monkeypatch):
    train, test = textured
    first = shared_videos(train, leaking(train, test, 3))
    assert first == {"videos": 32, "equal": 1, "similar": 0}

    def never(*splits):
        raise AssertionError(splits)

    monkeypatch.setattr(module, "overlap", never)
    assert shared_videos(train, leaking(train, test, 3)) == first
    monkeypatch.setattr(module, "overlap", overlap.overlap)
    assert shared_videos(train, leaking(train, test, 3, 4))["equal"] == 2


def test_wrong_data_are_an_error(textured):
    train, test = textured

    def split(choice, name):
        raise UsageError(name)

    broken = sources(a={"train": train, "test": test})
    broken.split = split
    with pytest.raises(UsageError, match="train"):
        data_faults(cell("a", "a"), broken)
