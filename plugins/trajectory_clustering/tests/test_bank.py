"""The memory bank: entries keep their length, and others stay as they are."""

from __future__ import annotations

import torch
from torch.nn.functional import normalize

from harness_trajectory_clustering.bank import MemoryBank


def test_entries_keep_length_1_over_many_updates():
    torch.manual_seed(0)
    bank = MemoryBank(50, 16)
    before = bank.vectors.clone()
    for _ in range(1000):
        bank.update(torch.randint(40, (8,)), normalize(torch.randn(8, 16), dim=1))
    assert (bank.vectors.norm(dim=1) - 1).abs().max() < 1e-6
    assert torch.equal(bank.vectors[40:], before[40:])
    assert not bank.vectors.requires_grad
    assert [name for name, _ in bank.named_parameters()] == []


def test_half_of_the_old_and_half_of_the_new():
    bank = MemoryBank(2, 2)
    bank.fill(torch.eye(2))
    bank.update(torch.tensor([1]), torch.tensor([[1.0, 0.0]]))
    torch.testing.assert_close(bank.vectors, torch.tensor([[1.0, 0.0], [0.5**0.5, 0.5**0.5]]))


def test_a_video_that_comes_twice_gets_the_mean_in_any_order():
    torch.manual_seed(1)
    vectors = normalize(torch.randn(5, 8), dim=1)
    videos = torch.tensor([3, 1, 3, 0, 1])
    order = torch.tensor([4, 2, 0, 1, 3])
    banks = []
    for chosen in (torch.arange(5), order):
        torch.manual_seed(2)
        bank = MemoryBank(6, 8)
        bank.update(videos[chosen], vectors[chosen])
        banks.append(bank.vectors)
    torch.testing.assert_close(banks[0], banks[1])
    torch.manual_seed(2)
    old = MemoryBank(6, 8).vectors
    torch.testing.assert_close(banks[0][3], normalize(0.5 * old[3] + 0.25 * (vectors[0] + vectors[2]), dim=0))


def test_random_entries_are_of_length_1_and_of_their_seed():
    torch.manual_seed(3)
    bank = MemoryBank(1000, 128)
    assert (bank.vectors.norm(dim=1) - 1).abs().max() < 1e-6
    assert bank.vectors.mean().abs() < 1e-3
    torch.manual_seed(3)
    assert torch.equal(MemoryBank(1000, 128).vectors, bank.vectors)
