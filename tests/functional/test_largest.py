import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.functional.largest import largest


@settings(max_examples=60, deadline=None)
@given(n=st.integers(1, 5), m=st.integers(1, 700), k=st.integers(1, 60), seed=st.integers(0, 99))
def test_sorting_agrees(n, m, k, seed):
    k = min(k, m)
    rows = torch.rand((n, m), generator=torch.Generator().manual_seed(seed))
    values, index = largest(rows, k)
    expected = rows.sort(dim=1, descending=True)
    assert torch.equal(values, expected.values[:, :k])
    assert torch.equal(rows.gather(1, index), values)
    assert all(len(set(row)) == k for row in index.tolist())


@pytest.mark.parametrize("ordered", [torch.arange(999.0), -torch.arange(999.0), torch.zeros(999)])
def test_order_and_ties_do_not_matter(ordered):
    values, index = largest(ordered[None], 9)
    assert torch.equal(values[0], ordered.sort(descending=True).values[:9])
    assert index.unique().numel() == 9


def test_entries_of_minus_infinity_come_last():
    rows = torch.full((1, 500), -torch.inf)
    rows[0, [3, 250, 499]] = torch.tensor([1.0, 2.0, 3.0])
    values, index = largest(rows, 4)
    assert index[0, :3].tolist() == [499, 250, 3]
    assert values[0].tolist() == [3.0, 2.0, 1.0, -torch.inf]
