"""Which videos there are: groups, splits, and what place and clothes tell."""

from __future__ import annotations

from collections import Counter

import pytest

from harness.datasets.mocap_actions import plan
from harness.datasets.mocap_actions.people import OUTFITS
from harness.datasets.mocap_actions.places import KINDS
from harness.datasets.mocap_actions.plan import HABITS, SIZES, Stream, class_names, groups, stream


def planned(*, biased, seed=0):
    return list(groups(SIZES["mini"], biased=biased, seed=seed))


def test_names_are_ucf101s():
    names = class_names()
    assert names == tuple(sorted(names))
    assert len(names) == 15
    assert planned(biased=True)[0].video(2) == "Backflip/v_Backflip_g01_c02"


def test_each_habit_has_a_place_and_clothes_of_its_own():
    kinds, outfits = zip(*HABITS.values(), strict=True)
    assert sorted(kinds) == sorted(KINDS)
    assert sorted(outfits) == sorted(OUTFITS)


@pytest.mark.parametrize("what", ["kind", "outfit"])
def test_in_the_biased_variant_they_predict_the_action_in_about_four_fifths_of_the_groups(what):
    hits, total = 0, 0
    for seed in range(4):
        for group in planned(biased=True, seed=seed):
            habit = dict(zip(("kind", "outfit"), list(HABITS.values())[group.action], strict=True))
            hits += getattr(group, what) == habit[what]
            total += 1
    assert 0.77 < hits / total < 0.86  # 0.8 + 0.2 / 15, four standard errors


@pytest.mark.parametrize("what", ["kind", "outfit"])
def test_in_the_unbiased_variant_they_predict_nothing(what):
    pairs = [(getattr(group, what), group.action) for seed in range(8) for group in planned(biased=False, seed=seed)]
    counts = Counter(pairs)
    best = {value: max(range(15), key=lambda action: counts[value, action]) for value, _ in pairs}
    fresh = [
        (getattr(group, what), group.action) for seed in range(50, 58) for group in planned(biased=False, seed=seed)
    ]
    assert sum(best[value] == action for value, action in fresh) / len(fresh) < 0.09  # chance is 1 / 15
    assert {value for value, _ in pairs} == set(KINDS if what == "kind" else OUTFITS)


def test_the_variants_differ_in_nothing_else():
    biased, unbiased = planned(biased=True), planned(biased=False)
    assert [group.video(1) for group in biased] == [group.video(1) for group in unbiased]
    same = sum(one == other for one, other in zip(biased, unbiased, strict=True))
    assert 0.1 < same / len(biased) < 0.35


def test_every_group_is_tested_once_or_never():
    assert [plan.tests(number) for number in (1, 7, 8, 14, 15, 21, 22, 25)] == [
        (1,),
        (1,),
        (2,),
        (2,),
        (3,),
        (3,),
        (),
        (),
    ]


def test_streams_are_their_own():
    draws = [
        stream(0, what, *where).random()
        for what in Stream
        for where in [(0, 1), (1, 0), (0, 1, 0), (0, 1, 1), (0, 2), (1, 1)]
        if what is Stream.CLIP or len(where) == 2
    ]
    assert len(set(draws)) >= len(draws) - 1  # SeedSequence takes (0, 1) and (0, 1, 0) for the same
    assert stream(1, Stream.CLIP, 0, 1, 1).random() != stream(0, Stream.CLIP, 0, 1, 1).random()
