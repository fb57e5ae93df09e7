"""The registry of methods: statements on the weights that they start from."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from harness.errors import UsageError
from harness.methods.along import AtShare
from harness.methods.pretrained import Pretrained
from harness.methods.start import WithStart
from harness.methods.supervised import Supervised
from harness.plugins.manager import Plugins
from harness.store.choices import Choice
from harness.system.hashing import file_hash

METHODS = Plugins(points=[]).methods
STATED = {"weights": "a.pth", "learnt_from": "kinetics400", "labels": True}


def test_a_method_is_built_with_its_start():
    method = METHODS.build("supervised", {"lr": 0.1, "start": STATED})
    assert isinstance(method, WithStart)
    assert method.card == Supervised.card
    start = METHODS.start("supervised", {"start": {**STATED, "ignore": ["fc."]}})
    assert (start.weights, start.learnt_from, start.labels, start.strict, start.ignore) == (
        *STATED.values(),
        True,
        ("fc.",),
    )
    assert METHODS.start("supervised", {"lr": 0.1}) is None
    assert isinstance(METHODS.build("pretrained", STATED), Pretrained)
    assert METHODS.start("pretrained", STATED) == METHODS.start("supervised", {"start": STATED})


@pytest.mark.parametrize(("name", "nested"), [("pretrained", False), ("supervised", True)])
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": None}, r"lacks labels \(true or false: whether they learnt from labels\)"),
        (
            {"learnt_from": ""},
            r"lacks learnt_from \(names of the data sets that the weights learnt from, ",
        ),
        ({"weights": None, "labels": None}, r"lacks weights \(the file\), labels \("),
        ({"labels": "sometimes"}, "labels='sometimes': Input should be a valid boolean"),
        ({"strikt": False}, "'strikt'; did you mean 'strict'"),
    ],
)
def test_what_is_not_stated_is_refused(name, nested, changes, message):
    stated = {part: value for part, value in {**STATED, **changes}.items() if value is not None}
    with pytest.raises(UsageError, match=message) as caught:
        METHODS.draft(name, {"start": stated} if nested else stated)
    assert "\n" not in str(caught.value)


def test_a_method_that_trains_no_network_starts_from_nothing():
    for name in ("random_init", "pretrained"):
        with pytest.raises(UsageError, match=f"method '{name}' trains no network that could start from weights"):
            METHODS.draft(name, {**STATED, "start": STATED} if name == "pretrained" else {"start": STATED})
    with pytest.raises(UsageError, match=r"start='a.pth': expected a mapping with weights, learnt_from, labels"):
        METHODS.draft("supervised", {"start": "a.pth"})


def test_one_spelling():
    written = {"start": {**STATED, "strict": True, "ignore": (), "labels": "yes"}}
    options = METHODS.canonical("supervised", written)
    assert options == {"start": STATED}
    label = Choice(name="supervised", options=options).label
    assert label == "supervised(start=(labels=True, learnt_from=kinetics400, weights=a.pth))"
    assert METHODS.canonical("supervised", {"lr": 3e-3}) == {}
    completed = METHODS.completed("supervised", written)
    assert completed["start"] == {**STATED, "strict": True, "ignore": [], "entry": "", "sha256": ""}
    assert "start" not in METHODS.completed("supervised", {})


def test_the_place_and_the_hash_of_the_file(tmp_path):
    path = tmp_path / "b.pth"
    torch.save({}, path)
    start = METHODS.located("pretrained", STATED, {"a.pth": path})
    assert (start.weights, start.sha256) == (str(path), file_hash(path))
    options = METHODS.started("pretrained", STATED, start)
    assert METHODS.start("pretrained", options) == start
    assert METHODS.located("supervised", {}, {}) is None
    with pytest.raises(UsageError, match=r"'pretrained': expected a file of weights at .*none.pth, where none is"):
        METHODS.located("pretrained", {**STATED, "weights": str(tmp_path / "none.pth")}, {})
    with pytest.raises(UsageError, match=f"expected weights with the sha256 {'0' * 64}, got {start.sha256} of"):
        METHODS.located("pretrained", {**STATED, "sha256": "0" * 64}, {"a.pth": path})


FIT = {"method": {"name": "supervised", "lr": 0.1}, "pretraining": "ucf101", "frames": 100}


def test_a_start_from_a_fit():
    options = {"start": {"fit": FIT, "strict": False, "ignore": ["fc."]}}
    assert METHODS.start("supervised", options) is None
    assert METHODS.located("supervised", options, {}) is None
    start = METHODS.fit_start("supervised", options)
    assert (start.weights, start.strict, start.ignore) == ("fit of supervised", False, ("fc.",))
    assert start.fit.label == "supervised(lr=0.1) on ucf101, 100 frames"
    assert METHODS.fit_start("supervised", {"start": STATED}) is METHODS.fit_start("supervised", {}) is None
    method = METHODS.build("supervised", options)
    assert isinstance(method, WithStart)  # of which what was fitted is loaded
    assert method.card == Supervised.card


def test_one_spelling_of_a_start_from_a_fit():
    written = {"start": {"strict": True, "fit": {**FIT, "frames": "100", "method": {"name": "supervised", "lr": 3e-3}}}}
    spelt = {
        "method": {"name": "supervised", "options": {}},
        "pretraining": {"name": "ucf101", "options": {}},
        "frames": 100,
    }
    options = METHODS.canonical("supervised", written)
    assert options == {"start": {"fit": spelt}}
    assert METHODS.canonical("supervised", options) == options
    label = Choice(name="supervised", options=options).label
    assert label == "supervised(start=(fit=supervised on ucf101, 100 frames))"
    assert METHODS.completed("supervised", written)["start"] == {"fit": spelt, "strict": True, "ignore": []}
    bare = {"start": {"fit": {"method": "supervised"}}}
    nested = {"start": {"fit": {"method": {"name": "supervised", "start": bare["start"], "lr": "0.1"}}}}
    (inner,) = METHODS.canonical("supervised", nested)["start"].values()
    assert inner["method"]["options"] == {"lr": 0.1, "start": METHODS.canonical("supervised", bare)["start"]}


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({"fit": FIT, **STATED}, "no file; leave weights, learnt_from, labels out of 'start'"),
        ({"fit": FIT, "labels": True}, "a start from a fit is no file; leave labels out of 'start'"),
        ({"fit": FIT, "entry": "teacher", "sha256": "0"}, "leave entry, sha256 out of 'start'"),
        ({"fit": FIT, "strikt": False}, "'strikt'; did you mean 'strict'"),
        ({"fit": "supervised"}, "option start.fit='supervised'"),
        ({"fit": {"frames": 3}}, "option start.fit.method="),
        ({"fit": {**FIT, "frames": 0}}, "option start.fit.frames=0: Input should be greater than 0"),
        ({"fit": {**FIT, "seed": 1}}, "option start.fit.seed=1: Extra inputs are not permitted"),
        ({"fit": {**FIT, "method": "supervise"}}, "did you mean 'supervised'"),
        ({"fit": {**FIT, "method": {"name": "supervised", "lrs": 1}}}, "did you mean 'lr'"),
        ({"fit": {**FIT, "method": "random_init"}}, "method 'random_init' reads no pretraining; leave 'pretraining'"),
        ({"fit": {"method": "random_init", "frames": 1}}, "method 'random_init' reads no budget; leave 'frames'"),
        ({"fit": {"method": {"name": "random_init", "start": STATED}}}, "'random_init' trains no network"),
    ],
)
def test_a_wrong_start_from_a_fit_is_refused_in_one_line(start, message):
    with pytest.raises(UsageError, match=message) as caught:
        METHODS.draft("supervised", {"start": start})
    assert "\n" not in str(caught.value)


def test_a_method_without_a_network_is_nothing_to_start_from(monkeypatch):
    card = dataclasses.replace(METHODS.entry("random_init").card, reads=frozenset({"pretraining"}))
    registered = dataclasses.replace(METHODS.entry("random_init"), card=card)
    monkeypatch.setitem(METHODS._entries, "random_init", (registered,))
    with pytest.raises(UsageError, match="method 'supervised': method 'random_init' fits no network that could be"):
        METHODS.draft("supervised", {"start": {"fit": {"method": "random_init"}}})


def test_shares_of_a_fit_have_rows_of_their_own():
    method = Choice(name="supervised", options={"lr": 0.1, "along": [50, 10, 50]})
    whole, *shares = METHODS.along(method)
    assert whole == Choice(name="supervised", options={"lr": 0.1})
    assert [one.label for one in shares] == ["supervised(lr=0.1) @ 10 %", "supervised(lr=0.1) @ 50 %"]
    assert METHODS.along(whole) == (whole,)
    assert METHODS.canonical("supervised", method.options) == {"along": [10, 50], "lr": 0.1}
    assert METHODS.canonical("supervised", shares[0].options) == shares[0].options == {"@": 10, "lr": 0.1}
    same = [METHODS.completed("supervised", one.options) for one in (method, whole, *shares)]
    assert all(one == same[0] for one in same)
    assert isinstance(METHODS.draft("supervised", method.options), Supervised)
    assert isinstance(METHODS.build("supervised", shares[0].options), AtShare)
    assert isinstance(METHODS.build("supervised", {**shares[0].options, "start": STATED}), WithStart)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"along": 10},
            r"along=10: expected shares of the fit, such as \[10, 25, 50\], in whole per cent from 1 to 99",
        ),
        ({"along": []}, r"along=\[\]: expected shares of the fit"),
        ({"along": [10, 100]}, r"along=\[10, 100\]: expected shares"),
        ({"along": [10.5]}, "expected shares"),
        ({"along": [True]}, "expected shares"),
        ({"@": "10"}, r"option @='10': expected a share of the fit in whole per cent from 1 to 99"),
        ({"@": 10, "along": [10]}, "expected 'along' or '@', got both"),
    ],
)
def test_shares_are_whole_per_cent(options, message):
    with pytest.raises(UsageError, match=message):
        METHODS.draft("supervised", options)


@pytest.mark.parametrize("option", [{"along": [10]}, {"@": 10}])
def test_a_method_without_one_training_has_no_shares(option):
    with pytest.raises(UsageError, match=r"method 'random_init' trains no network of which .* no option '(along|@)'"):
        METHODS.draft("random_init", option)
