"""Matrix products in float32, beside PyTorch's and NumPy's own."""

from __future__ import annotations

import pytest
import torch

from harness.functional.product import product


@pytest.mark.parametrize(
    ("rows", "dim", "columns"),
    [
        (5000, 129, 256),  # posteriors of a video's descriptors
        (10_000, 512, 101),  # points and centres
        (9494, 512, 909),  # a linear probe's points and nine classifiers
    ],
)
def test_product(beside, rows, dim, columns):
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(rows, dim, generator=generator), torch.randn(dim, columns, generator=generator)
    torch.testing.assert_close(product(a, b), a @ b, atol=1e-3, rtol=1e-4)
    times = beside(
        lambda: product(a, b),
        {"PyTorch's operator": lambda: a @ b, "NumPy's operator": lambda: a.numpy() @ b.numpy()},
        clips=rows,
        rounds=15,
    )
    assert times["PyTorch's operator"] >= 0.8
