from types import SimpleNamespace

from harness.profiling.allocations import SMALLEST, Allocations, tally_allocations


def record(address, size, allocator=9):
    return SimpleNamespace(address=address, size=size, allocator=allocator)


def test_blocks_and_their_peak():
    records = [
        record(1, SMALLEST),
        record(2, 3 * SMALLEST),
        record(1, 0, allocator=5),  # freed
        record(3, 2 * SMALLEST),
        record(4, SMALLEST - 1),
        record(5, 10 * SMALLEST, allocator=6),
        record(2, 0, allocator=5),
        record(3, SMALLEST),  # its free was not seen
    ]
    assert tally_allocations(records, 9) == Allocations(4, 5 * SMALLEST)


def test_nothing():
    assert tally_allocations([], 9) == Allocations(0, 0)
