"""Seeds that stay where they are used: the global random state is put back afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import torch


@contextlib.contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Run the block with torch's CPU random numbers starting from `seed`; afterwards they go on as before.

    >>> before = torch.get_rng_state()
    >>> with seeded(1):
    ...     first = torch.rand(2)
    >>> with seeded(1):
    ...     bool((torch.rand(2) == first).all())
    True
    >>> bool((torch.get_rng_state() == before).all())
    True
    """
    state = torch.get_rng_state()
    try:
        torch.default_generator.manual_seed(seed)
        yield
    finally:
        torch.set_rng_state(state)


def derive_seed(*numbers: int) -> int:
    """A seed for each tuple of non-negative `numbers` (seed, step, rank); neighbouring tuples are unrelated.

    >>> derived(0, 1) == derived(0, 1), derived(0, 1) == derived(1, 0)
    (True, False)
    """
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
