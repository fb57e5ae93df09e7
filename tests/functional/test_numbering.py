import pytest
import torch

from harness.functional.numbering import number


def test_a_nameless_group_is_one_of_its_own():
    numbers = number(torch.tensor([4, 9, 9, 4]), ["b", "", "", "b"])
    assert numbers.classes.tolist() == [0, 1, 1, 0]
    assert numbers.groups[0] == numbers.groups[3]
    assert sorted(set(numbers.groups.tolist())) == [0, 1, 2]


@pytest.mark.parametrize(("labels", "groups"), [([0, 1], ["a"]), ([], [])])
def test_other_numbers_of_labels_and_groups_are_refused(labels, groups):
    with pytest.raises(ValueError, match=r"labels must be \(\d,\) like the groups, and not empty"):
        number(torch.tensor(labels, dtype=torch.int64), groups)
