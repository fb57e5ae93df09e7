"""Blocks of similarities beside those of two points at a time."""

from __future__ import annotations

import math

import pytest
import torch

from harness.functional import similarities as module
from harness.functional.similarities import similarity_blocks


def draw(n):
    return torch.randn(n, 5, generator=torch.Generator().manual_seed(n))


@pytest.mark.parametrize("own", [False, True])
def test_blocks_are_cosines(own, monkeypatch):
    monkeypatch.setattr(module, "_ELEMENTS", 60)  # three queries at a time
    monkeypatch.setattr(module, "_ROWS", 1)
    gallery, queries = draw(20), None if own else draw(7)
    sources = gallery if own else queries
    seen = []
    for rows, block in similarity_blocks(gallery, queries):
        assert len(block) <= 3
        for query, row in zip(range(*rows.indices(len(sources))), block, strict=True):
            seen.append(query)
            expected = torch.cosine_similarity(sources[query][None], gallery)
            if own:
                expected[query] = -math.inf
            torch.testing.assert_close(row, expected)
    assert seen == list(range(len(sources)))


@pytest.mark.parametrize(
    ("gallery", "queries", "message"),
    [
        (draw(3), torch.zeros(2, 4), r"\(3, 5\) and \(2, 4\)"),
        (draw(3), torch.zeros(0, 5), r"\(0, 5\)"),
        (draw(3).fill_(math.inf), None, "finite"),
    ],
)
def test_what_cannot_be_compared(gallery, queries, message):
    with pytest.raises(ValueError, match=message):
        next(similarity_blocks(gallery, queries))
