"""Protocols and provenance as lines."""

from __future__ import annotations

from harness.leaderboard.text import differences, flatten, merge


def test_the_order_of_keys_does_not_matter():
    assert list(flatten({"b": 1, "a": {"d": 2, "c": 3}}).items()) == [("a.c", "3"), ("a.d", "2"), ("b", "1")]


def test_differences_name_each_setting_once_and_absent_ones():
    here = [{"frames": 1, "same": 0}, {"frames": 1, "extra": True}, None]
    there = [{"frames": 16, "same": 0}, {"frames": 16}, {"frames": 3}]
    assert differences(here, there) == (("frames", "1", "16"), ("extra", "True", "absent"))


def test_many_values_become_first_and_last_in_numerical_order():
    runs = [{"seconds": value, "torch": "2.13.0"} for value in (10.0, 9.0, 2.5, 100.0)]
    assert merge(runs) == {"seconds": "2.5 … 100.0 (4 values)", "torch": "2.13.0"}
    assert merge([{"host": "b"}, {"host": "a"}, {"host": 3}]) == {"host": "3; a; b"}
    assert merge([]) == {}
