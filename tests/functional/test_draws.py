import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.functional.draws import draw_ranks


@settings(max_examples=50, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["", "a", "b", "c"])), min_size=1, max_size=40),
    seed=st.integers(0, 5),
)
def test_within_a_class_every_place_is_taken_once(pairs, seed):
    labels = torch.tensor([label for label, _ in pairs])
    ranks = draw_ranks(labels, [group for _, group in pairs], 3, seed)
    assert ranks.shape == (3, len(pairs))
    for row in ranks:
        for label in set(labels.tolist()):
            assert sorted(row[labels == label].tolist()) == list(range(int((labels == label).sum())))


@settings(max_examples=50, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["", "a", "b", "c"])), min_size=1, max_size=40),
    seed=st.integers(0, 5),
)
def test_no_group_gives_a_second_video_before_each_has_given_one(pairs, seed):
    labels = [label for label, _ in pairs]
    groups = [group or f"own {position}" for position, (_, group) in enumerate(pairs)]
    for row in draw_ranks(torch.tensor(labels), [group for _, group in pairs], 2, seed).tolist():
        for label in set(labels):
            mine = sorted((rank, groups[i]) for i, rank in enumerate(row) if labels[i] == label)
            order = [group for _, group in mine]
            left = {group: order.count(group) for group in order}
            while left:  # round after round, each group that still has a video gives one
                taken, order = order[: len(left)], order[len(left) :]
                assert sorted(taken) == sorted(left)
                left = {group: count - 1 for group, count in left.items() if count > 1}


def test_every_video_is_as_likely_to_be_drawn():
    labels = torch.zeros(6, dtype=torch.int64)
    ranks = draw_ranks(labels, ["a", "a", "a", "b", "b", "b"], 6000, 0)
    first = (ranks == 0).double().mean(0)
    torch.testing.assert_close(first, torch.full((6,), 1 / 6, dtype=torch.float64), atol=0.02, rtol=0)
    place = ranks.double().mean(0)
    torch.testing.assert_close(place, torch.full((6,), 2.5, dtype=torch.float64), atol=0.08, rtol=0)


def test_draws_depend_on_the_seed_alone():
    labels, groups = torch.arange(40) % 4, [f"g{i // 8}" for i in range(40)]
    torch.manual_seed(0)
    first = draw_ranks(labels, groups, 5, 3)
    torch.manual_seed(1)
    assert torch.equal(first, draw_ranks(labels, groups, 5, 3))
    assert not torch.equal(first, draw_ranks(labels, groups, 5, 4))
    assert torch.equal(first[:1], draw_ranks(labels, groups, 5, 3)[:1])
    assert len({tuple(row) for row in first.tolist()}) == 5


def test_more_draws_begin_with_the_same():
    labels, groups = torch.arange(40) % 4, [""] * 40
    assert torch.equal(draw_ranks(labels, groups, 10, 3)[:5], draw_ranks(labels, groups, 5, 3))


@pytest.mark.parametrize(
    ("labels", "groups", "draws", "message"),
    [
        (torch.zeros(2), ["a"], 1, r"labels must be \(1,\)"),
        (torch.zeros(0), [], 1, "not empty"),
        (torch.zeros(1), ["a"], 0, "at least one draw"),
    ],
)
def test_bad_input_is_named(labels, groups, draws, message):
    with pytest.raises(ValueError, match=message):
        draw_ranks(labels, groups, draws, 0)
