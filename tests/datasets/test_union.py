"""Several data sets learnt from as one."""

from __future__ import annotations

import dataclasses
import pickle

import pytest
import torch

from harness.datasets.derived import Derivation, derive
from harness.datasets.union import Union, UnionSplit
from harness.errors import UsageError
from harness.execution.plan import plan_suite
from harness.execution.sources import DataSources
from harness.plugins.manager import Plugins
from harness.store.choices import Choice
from harness.suites.schema import Suite
from harness.system.hashing import digest
from harness.testing import MovingSquares


class Part:
    """A training split as a data set."""

    card = MovingSquares.card

    def __init__(self, split):
        self._split = split

    def split(self, name):
        return self._split


@pytest.fixture
def splits():
    """The training videos twice: all of them, and six under other names with two that are new."""
    whole = MovingSquares().split("train")
    records = [
        dataclasses.replace(video, content=digest({"shown": number})) for number, video in enumerate(whole.videos)
    ]
    new = [dataclasses.replace(records[number], content=digest({"new": number})) for number in (6, 7)]
    others = [dataclasses.replace(video, id=f"other-{video.id}") for video in (*records[:6], *new)]
    frames = (*whole.frames[:6], *(255 - clip for clip in whole.frames[6:8]))
    return (
        dataclasses.replace(whole, videos=tuple(records)),
        dataclasses.replace(whole, videos=tuple(others), frames=frames),
    )


def shown(split):
    return sorted(split.read(index).double().mean().item() for index in range(len(split)))


def test_equal_videos_are_there_once_and_labels_never(splits):
    one, other = splits
    joined = UnionSplit("train", [one, other])
    assert len(joined) == len(one) + 2
    assert shown(joined) == sorted([*shown(one), *(other.read(index).double().mean().item() for index in (6, 7))])
    assert not joined.labelled
    assert joined.unlabelled() is joined
    assert joined.classes == {}
    told = {
        (video.id in {v.id for v in (*one.videos, *other.videos)}, video.group, *video.labels)
        for video in joined.videos
    }
    assert told == {(False, "")}
    assert len({video.id for video in joined.videos}) == len(joined)
    index = 5
    torch.testing.assert_close(joined.read(index, [3, 4]), joined.read(index)[3:5])


def test_what_each_part_left_out_is_counted(splits):
    parts = [
        Held(split, {"a/1.mp4": reason, name: "empty"})
        for split, reason, name in zip(splits, ("missing", "corrupt"), ("a/2.mp4", "a/3.mp4"), strict=True)
    ]
    left_out = UnionSplit("train", parts).left_out
    assert sorted(left_out.values()) == ["corrupt", "empty", "empty", "missing"]


class Held:
    """A split that left videos out."""

    def __init__(self, split, left_out):
        self._split, self.left_out = split, left_out

    def __getattr__(self, name):
        return getattr(self._split, name)


def test_the_order_does_not_depend_on_that_of_the_parts_and_the_manifest_names_them(splits):
    one, other = splits
    forth, back = UnionSplit("train", [one, other]), UnionSplit("train", [other, one])
    assert [video.content for video in forth.videos] == [video.content for video in back.videos]
    assert [forth.read(index).sum() for index in range(9)] == [back.read(index).sum() for index in range(9)]
    fewer = dataclasses.replace(other, videos=other.videos[:7], frames=other.frames[:7])
    manifests = {UnionSplit("train", parts).manifest for parts in ([one, other], [one, fewer], [one, one])}
    assert len(manifests) == 3


def test_it_is_pickled_and_takes_the_options_of_every_data_set(splits):
    union = Union([Choice(name="0"), Choice(name="1")], build=lambda choice: Part(splits[int(choice.name)]))
    split = pickle.loads(pickle.dumps(union.split("train")))
    assert shown(split) == shown(union.split("train"))
    assert len(derive(union, Derivation(subset=5)).split("train")) == 5
    assert len(derive(union, Derivation(joined=True)).split("train")) == 1


def test_it_is_only_learnt_from_and_has_at_least_two_parts(splits):
    union = Union([Choice(name="0"), Choice(name="1")], build=lambda choice: Part(splits[int(choice.name)]))
    with pytest.raises(UsageError, match="only learnt from"):
        union.split("test")
    with pytest.raises(UsageError, match="at least two data sets"):
        Union([Choice(name="0")], build=lambda choice: Part(splits[0]))


def planned(of, *, data=("blobs",), methods=("random_pairs",)):
    suite = Suite.model_validate(
        {
            "name": "toy",
            "title": "Toy",
            "frames": 64,
            "methods": list(methods),
            "backbones": ["small_2d"],
            "pretraining": [{"name": "union", "of": of}],
            "data": list(data),
            "evaluators": ["knn"],
            "seeds": [0],
        }
    )
    plugins = Plugins()
    return plan_suite(suite, plugins, DataSources(plugins)).cells


def test_a_suite_names_it_and_its_parts_in_any_spelling(toy):
    other = {"name": "blobs", "subset": 7}
    (one,) = planned(["blobs", other], methods=["sfa"])
    (same,) = planned([{"name": "blobs", "subset_seed": 0}, {"subset": 7, "name": "blobs"}], methods=["sfa"])
    assert one.key == same.key
    assert one.identity.pretraining.label == "union(of=blobs + blobs(subset=7))"
    (fewer,) = planned(["blobs", {"name": "blobs", "subset": 6}], methods=["sfa"])
    assert fewer.key != one.key
    for of, problem in (
        (["blobs"], "at least two"),
        (["blobs", "blob"], "did you mean 'blobs'"),
        (["blobs", {"name": "blobs", "subsett": 3}], "subsett"),
        ("blobs", "of"),
    ):
        with pytest.raises(UsageError, match=problem):
            planned(of, methods=["sfa"])
