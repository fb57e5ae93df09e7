"""`harness bench data`: as a user runs it."""

from __future__ import annotations

import json

import pytest

SMALL = ("bench", "data", "blobs", "--backbone", "small_2d", "--batches", "2", "--batch-size", "4", "--device", "cpu")


def test_as_json(harness):
    done = harness(*SMALL, "--features", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["data"], found["backbone"], found["batch_size"]) == ("blobs", "small_2d", 4)
    assert list(found["milliseconds"]) == ["decode", "model", "transfer", "transform"]
    assert sum(found["shares"].values()) == pytest.approx(1)
    assert found["device"] == found["processor"] != ""
    for name in ("first", "later", "head"):
        assert 0 <= found[name]["waiting"] < 1
        assert found[name]["clips_per_s"] > 0
    assert found["first"]["clips"] == 8


def test_as_text(harness):
    done = harness(*SMALL)
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    stages = [line[0] for line in lines[1:5]]
    assert stages == ["decode", "transform", "transfer", "model"]
    assert sum(float(line[2]) for line in lines[1:5]) == pytest.approx(100, abs=0.3)
    assert [line[:2] for line in lines[8:10]] == [["first", "pass"], ["later", "pass"]]
    assert "linear head" not in done.stdout
    assert "network on" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("blob",), "blobs"),
        (("blobs", "--backbone", "small_2"), "small_2d"),
        (("blobs", "--device", "cuda:99"), "device cuda:99"),
        (("blobs", "--set", "size"), "key=value"),
    ],
)
def test_misuse(harness, arguments, message):
    done = harness("bench", "data", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout
