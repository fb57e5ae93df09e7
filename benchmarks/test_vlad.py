"""VLAD-all of a video with 5,000 codes, beside NumPy and its own matrix products."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.functional.product import product
from harness_midlevel.vlad import vlad_all

POINTS, CONCEPTS, DIM = 5000, 499, 198


def numpy_loops(x, concepts, beta):
    """Distances and residuals of one concept after another, as written in a paper."""
    logits = np.stack([-beta * ((x - concept) ** 2).sum(1) for concept in concepts], axis=1)
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    return np.stack([share @ (x - concept) for share, concept in zip(shares.T, concepts, strict=True)])


def numpy_products(x, concepts, beta):
    """Everything by matrix products."""
    logits = 2 * beta * (x @ concepts.T) - beta * (concepts**2).sum(1)
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    return shares.T @ x - shares.sum(0)[:, None] * concepts


@pytest.fixture(scope="module")
def video():
    """Codes, concepts and beta."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(POINTS, DIM, generator=generator), torch.randn(CONCEPTS, DIM, generator=generator), 0.05


def test_beside_numpy(beside, video):
    x, concepts, beta = video
    arrays, segments = (x.numpy(), concepts.numpy(), beta), torch.tensor([0, POINTS])
    expected = numpy_loops(x.double().numpy(), concepts.double().numpy(), beta)

    def check(vectors, theirs):
        for vector in (vectors[0].numpy(), *theirs.values()):
            assert np.abs(vector - expected).max() <= 1e-5 * np.abs(expected).max()

    times = beside(
        lambda: vlad_all(x, segments, concepts, beta),
        {
            "NumPy, concept by concept": lambda: numpy_loops(*arrays),
            "NumPy by matrix products": lambda: numpy_products(*arrays),
        },
        clips=1,
        rounds=9,
        check=check,
    )
    assert times["NumPy, concept by concept"] >= 5


def test_beside_its_matrix_products(beside, video):
    """Apart from NumPy, so that threads of its library cannot stand in the way."""
    x, concepts, beta = video
    segments = torch.tensor([0, POINTS])

    times = beside(
        lambda: vlad_all(x, segments, concepts, beta),
        {"two matrix products alone": lambda: product(product(concepts, x.mT), x)},
        clips=1,
        rounds=15,
    )
    assert times["two matrix products alone"] >= 0.5
