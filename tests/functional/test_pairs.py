"""Pairs: who may be a partner, that all who may are as likely, and that draws repeat."""

from __future__ import annotations

import pytest
import torch

from harness.functional.pairs import draw_pairs


def candidates(labels, groups, video, *, same):
    return {
        other
        for other in range(len(labels))
        if (labels[other] == labels[video]) == same
        and other != video
        and (not groups[video] or groups[other] != groups[video])
    }


def draw(seed=0, n=40, classes=4, groups=9):
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (n,), generator=generator)
    names = [
        "" if number == 0 else f"g{number}" for number in torch.randint(groups, (n,), generator=generator).tolist()
    ]
    return labels, names


@pytest.mark.parametrize("seed", range(4))
def test_all_partners_that_may_be_are_drawn_and_no_other(seed):
    labels, groups = draw(seed)
    pairs = draw_pairs(labels, groups, 400, seed)
    classes = labels.tolist()
    both = [
        video
        for video in range(len(classes))
        if candidates(classes, groups, video, same=True) and candidates(classes, groups, video, same=False)
    ]
    assert pairs.first.tolist() == both
    for video, same, other in zip(both, pairs.same.tolist(), pairs.other.tolist(), strict=True):
        assert set(same) == candidates(classes, groups, video, same=True)
        assert set(other) == candidates(classes, groups, video, same=False)


def test_partners_are_equally_likely():
    labels = torch.tensor([0, 0, 0, 0, 1, 1, 1, 2])
    groups = ["a", "a", "b", "c", "a", "d", "e", "f"]
    pairs = draw_pairs(labels, groups, 6000, 0)
    for drawn, expected in ((pairs.same[0], {2: 1 / 2, 3: 1 / 2}), (pairs.other[0], {5: 1 / 3, 6: 1 / 3, 7: 1 / 3})):
        shares = drawn.bincount(minlength=8) / 6000
        assert {video: share for video, share in enumerate(shares.tolist()) if share} == pytest.approx(
            expected, abs=0.03
        )


def test_videos_without_a_partner_open_no_pairs():
    labels, groups = torch.tensor([0, 0, 1, 1, 2]), ["a", "a", "b", "c", "d"]
    assert draw_pairs(labels, groups, 3, 0).first.tolist() == [2, 3]
    assert not len(draw_pairs(torch.tensor([0, 0, 1, 1]), ["a", "a", "b", "b"], 3, 0).first)
    assert not len(draw_pairs(torch.tensor([0, 0, 1]), ["a", "b", "a"], 3, 0).first[1:])


def test_equal_seeds_draw_equal_pairs_and_others_do_not():
    labels, groups = draw()
    one, again, other = (draw_pairs(labels, groups, 5, seed) for seed in (0, 0, 1))
    assert all(map(torch.equal, one, again))
    assert not torch.equal(one.same, other.same)
    assert not torch.equal(one.other, other.other)


@pytest.mark.parametrize(("groups", "count", "message"), [(["a"], 1, "like the groups"), (["a", "b"], 0, "one pair")])
def test_nothing_to_draw(groups, count, message):
    with pytest.raises(ValueError, match=message):
        draw_pairs(torch.tensor([0, 1]), groups, count, 0)
