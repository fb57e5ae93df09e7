"""Keys change with everything they are of, and with nothing else."""

from __future__ import annotations

import inspect
from typing import get_args

import pytest

from harness.cards import Read, View, WholeVideo
from harness.errors import UsageError
from harness.store import keys
from harness.store.choices import Choice
from harness.store.reduction import Reduction
from harness.system.hashing import digest
from harness.values import Encoding, Promise

KNN, ALL = Choice(name="knn"), frozenset(get_args(Read))
VALUES = {
    keys.fit_key: {
        "method": (Choice(name="sfa"), Choice(name="sfa", options={"dim": 3}), Choice(name="triplet")),
        "method_code": ("a", "b"),
        "reads": (ALL, ALL - {"seed"}),
        "backbone": (Choice(name="small_2d"), Choice(name="small_2d", options={"size": 3}), Choice(name="small_3d")),
        "backbone_code": ("a", "b"),
        "training": ("a", "b"),
        "training_code": ("a", "b"),
        "frames": (1000, 1001),
        "seed": (0, 1),
        "precision": ("fp32", "bf16"),
    },
    keys.share_key: {"fit": ("a", "b"), "share": (10, 25)},
    keys.row_key: {"parts": (("a", "b"), ("b", "a"), ("a", "b", "b")), "by": ("concat", "blocks")},
    keys.reduced_key: {
        "fit": ("a", "b"),
        "by": (Reduction(), Reduction(clips=1), Reduction(crops=1), Reduction(aggregate="max")),
    },
    keys.feature_key: {
        "fit": ("a", "b"),
        "view": (View(), View(size=96), View(stride="uniform"), WholeVideo()),
        "encoding": (
            Encoding(),
            Encoding(layer="fc6"),
            Encoding(layer="fc6", tokens=True),
            Encoding(shuffle=0),
            Encoding(precision="float16"),
        ),
        "manifest": ("a", "b"),
        "code": ("a", "b"),
    },
    keys.protocol: {
        "evaluator": (KNN, Choice(name="knn", options={"k": 5}), Choice(name="retrieval")),
        "evaluator_code": ("a", "b"),
        "source": ("CVIU 2019", "own"),
        "data": (Choice(name="ucf101"), Choice(name="ucf101", options={"fold": 2}), Choice(name="hmdb51")),
        "manifests": ({"train": "a", "test": "b"}, {"train": "a", "test": "c"}, {"train": "b", "test": "b"}),
        "coverage": ({}, {"test": {"videos": 3, "listed": 4}}, {"test": {"videos": 2, "listed": 4}}),
    },
    keys.run_key: {
        "row": ("a", "b"),
        "protocol": ({"selection": "train"}, {"selection": "test"}),
        "features": ((), ("a",), ("a", "b"), ("b", "a")),
        "seed": (0, 1),
    },
}
"""For each argument the value that a key is made of, and others."""


@pytest.mark.parametrize(
    ("function", "parameter"),
    [
        pytest.param(function, parameter, id=f"{function.__name__}-{parameter}")
        for function in VALUES
        for parameter in inspect.signature(function).parameters
    ],
)
def test_every_argument_is_in_the_key(function, parameter):
    same = {name: values[0] for name, values in VALUES[function].items()}
    made = [function(**{**same, parameter: value}) for value in VALUES[function][parameter]]
    assert len(made) > 1
    assert len({digest({"made": one}) for one in made}) == len(made)
    assert function(**same) == made[0]


def test_every_key_is_tested():
    made = {one for name, one in inspect.getmembers(keys, inspect.isfunction) if one.__module__ == keys.__name__}
    assert made - set(VALUES) == {
        keys.encoded,
        keys.shown,
        keys.view_content,
        keys.fitting_code,
        keys.encoding_code,
        keys.measuring_code,
    }


@pytest.mark.parametrize(
    ("part", "changes"),
    [
        ("backbone", {"backbone": Choice(name="small_3d"), "backbone_code": "b", "precision": "bf16"}),
        ("pretraining", {"training": "b"}),
        ("budget", {"frames": 7}),
        ("seed", {"seed": 7}),
    ],
)
def test_fits_that_differ_in_what_the_method_does_not_read_are_one(part, changes):
    same = {name: values[0] for name, values in VALUES[keys.fit_key].items()}
    assert keys.fit_key(**same) != keys.fit_key(**{**same, **changes})
    unread = {**same, "reads": ALL - {part}}
    assert keys.fit_key(**unread) == keys.fit_key(**{**unread, **changes})


def test_the_code_that_reduces_is_in_the_key_of_what_it_reduces(monkeypatch):
    before = keys.reduced_key("a", Reduction(crops=10))
    known = keys.module_hash
    monkeypatch.setattr(
        keys, "module_hash", lambda name: "other" if name == "harness.encoders.reduced" else known(name)
    )
    assert keys.reduced_key("a", Reduction(crops=10)) != before


def test_an_encoder_is_shown_its_own_view_with_the_clips_that_are_asked_for():
    view = View(frames=4, size=32)
    promise = Promise(views=(view, View()), shape=(3,))
    assert keys.shown(promise, Encoding(layer="fc6", frames=3)) == view
    assert keys.shown(promise, Encoding(clips=5)) == View(frames=4, size=32, clips=5)
    assert keys.shown(promise, Encoding(crops=3)) == View(frames=4, size=32, crops=3)
    spanning = Promise(views=(View(stride="uniform"),), shape=(3,))
    with pytest.raises(UsageError, match="so that a video has one clip, got clips=3"):
        keys.shown(spanning, Encoding(clips=3))


def test_a_whole_video_is_shown_once_whatever_is_asked_for():
    whole = Promise(views=(WholeVideo(),), shape=(3,))
    assert {keys.shown(whole, asked) for asked in (Encoding(), Encoding(clips=3, crops=10))} == {WholeVideo()}
