import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.functional import folds
from harness.functional.folds import _deal_groups, group_folds
from harness.functional.numbering import number_groups


def counts(labels, folds, number):
    table = torch.zeros(number, int(labels.max()) + 1, dtype=torch.int64)
    return table.index_put_((folds, labels), torch.tensor(1), accumulate=True)


@settings(max_examples=50, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 4), st.sampled_from("abcdefgh")), min_size=1, max_size=60),
    number=st.integers(2, 5),
)
def test_no_group_lies_in_two_folds(pairs, number):
    labels = torch.tensor([label for label, _ in pairs])
    groups = [group for _, group in pairs]
    folds = group_folds(labels, groups, number)
    assert folds.dtype == torch.int64
    assert folds.shape == labels.shape
    homes = {(group, fold) for group, fold in zip(groups, folds.tolist(), strict=True)}
    assert len(homes) == len(set(groups))
    assert len(set(folds.tolist())) == min(number, len(set(groups)))


def test_equal_groups_are_dealt_evenly():
    labels = torch.arange(12 * 10) % 5
    groups = [f"g{video // 10:02d}" for video in range(120)]
    assert counts(labels, group_folds(labels, groups, 3), 3).tolist() == [[8] * 5] * 3


def test_groups_of_one_class_are_stratified():
    """As in UCF101, where a group is of one class: 7 groups of 4 videos for each of 6 classes."""
    labels = torch.arange(6).repeat_interleave(28)
    groups = [f"class{int(label)}_g{video % 7}" for video, label in enumerate(labels)]
    table = counts(labels, group_folds(labels, groups, 3), 3)
    assert ((table == 8) | (table == 12)).all()
    assert table.sum(1).max() - table.sum(1).min() <= 8


def test_unequal_groups_are_balanced():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(4, (600,), generator=generator)
    groups = [str(int(g)) for g in (torch.rand(600, generator=generator) ** 2 * 30)]
    table = counts(labels, group_folds(labels, groups, 3), 3)
    shares = table / table.sum(0)
    assert (shares - 1 / 3).abs().max() < 0.08


def test_the_order_of_videos_does_not_matter():
    labels = torch.arange(60) % 4
    groups = [f"g{(video * 7) % 11}" for video in range(60)]
    folds = group_folds(labels, groups, 3)
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    assert torch.equal(group_folds(labels[order], [groups[i] for i in order], 3), folds[order])


def test_videos_without_a_group_are_groups_of_their_own():
    folds = group_folds(torch.zeros(9).long(), [""] * 9, 3)
    assert folds.bincount().tolist() == [3, 3, 3]


@pytest.mark.parametrize("seed", range(40))
def test_videos_of_their_own_are_dealt_as_groups_are(seed):
    random = np.random.default_rng(seed)
    videos, classes = (int(random.integers(1, most)) for most in ((80, 5), (400, 60), (900, 500))[seed % 3])
    labels = random.choice(classes, videos, p=random.dirichlet(np.ones(classes)))
    groups = [""] * videos if seed % 2 else [f"g{place}" for place in random.permutation(videos)]
    index, number = number_groups(groups), int(random.integers(2, 6))
    expected = _deal_groups(labels, index, number)[index]
    assert group_folds(torch.from_numpy(labels), groups, number).tolist() == expected.tolist()


def test_as_many_videos_as_kinetics_has_are_dealt_without_a_table(monkeypatch):
    monkeypatch.setattr(folds, "_deal_groups", None)
    labels = torch.arange(240_000) % 400
    table = counts(labels, group_folds(labels, [""] * len(labels), 3), 3)
    assert table.max() - table.min() <= 1


def test_one_group_fills_one_fold():
    assert group_folds(torch.arange(4), ["a"] * 4, 3).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("labels", "groups", "number", "message"),
    [
        (torch.zeros(2).long(), ["a"], 2, "like the groups"),
        (torch.zeros(0).long(), [], 2, "not empty"),
        (torch.zeros(2).long(), ["a", "b"], 1, "at least 2 folds"),
    ],
)
def test_bad_input_is_named(labels, groups, number, message):
    with pytest.raises(ValueError, match=message):
        group_folds(labels, groups, number)


def test_sets_of_classes_are_spread_evenly():
    generator = torch.Generator().manual_seed(0)
    groups = [f"g{video // 4:02d}" for video in range(240)]
    of_groups = torch.rand(60, 5, generator=generator) < torch.tensor([0.05, 0.2, 0.5, 0.9, 0.0])
    membership = of_groups.repeat_interleave(4, 0)  # the last class has no video, and some videos have no class
    folds = group_folds(membership, groups, 3)
    assert all(len(set(folds[4 * group : 4 * group + 4].tolist())) == 1 for group in range(60))
    table = torch.stack([membership[folds == fold].sum(0) for fold in range(3)])
    assert (table.max(0).values - table.min(0).values).max() <= 8
    assert torch.bincount(folds).max() - torch.bincount(folds).min() <= 8
    assert set(group_folds(torch.zeros(6, 2, dtype=torch.bool), list("abcabc"), 3).tolist()) == {0, 1, 2}


def test_sets_of_one_class_are_dealt_as_classes():
    labels = torch.arange(12 * 10) % 5
    groups = [f"g{video // 10:02d}" for video in range(120)]
    folds = group_folds(torch.nn.functional.one_hot(labels).bool(), groups, 3)
    assert counts(labels, folds, 3).tolist() == [[8] * 5] * 3
