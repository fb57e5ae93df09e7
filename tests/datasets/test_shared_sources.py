"""Which data sets show the same videos, whatever their names are written like."""

from __future__ import annotations

import pytest

from harness.datasets.shared_sources import SHARED, shared_sources


@pytest.mark.parametrize("name", ["kinetics400", "Kinetics-400", "K400", " kinetics_400 "])
def test_names_are_compared_without_their_spelling(name):
    assert shared_sources(name, "kinetics400") == {name.strip(): "the data measured on"}
    assert shared_sources(name, "kinetics600") == {name.strip(): "editions of Kinetics share videos"}
    assert shared_sources(name, "ucf101") == {}


def test_each_of_several_names_is_judged():
    assert shared_sources("imagenet+THUMOS14+ucf101", "ucf101") == {
        "THUMOS14": "shares videos with UCF101",
        "ucf101": "the data measured on",
    }


def test_the_facts_are_spelled_as_names_are_compared_and_stand_once():
    names = [name for source in SHARED for name in source.names]
    assert all(name.isalnum() and name.islower() for name in names)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", ["ssv2", "SthV2", "Something-Something V2"])
def test_short_names_of_something_something(name):
    assert shared_sources(name, "something-something-v2") == {name: "the data measured on"}
