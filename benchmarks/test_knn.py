"""Neighbours and classes of all test videos of UCF101's size, beside faiss's exact search and scikit-learn."""

from __future__ import annotations

import faiss
import numpy as np
import torch
from sklearn.neighbors import KNeighborsClassifier

from benchmarks.results.rows import PRODUCTS
from harness.functional.knn import nearest, vote
from harness.functional.similarities import similarity_blocks

TRAIN, TEST, DIM, K, CLASSES, TEMPERATURE = 9_537, 3_783, 512, 200, 101, 0.07


def test_nearest(beside):
    generator = torch.Generator().manual_seed(0)
    gallery = torch.randn(TRAIN, DIM, generator=generator)
    queries = torch.randn(TEST, DIM, generator=generator)

    def search():
        normal = [torch.nn.functional.normalize(points, dim=1).numpy() for points in (gallery, queries)]
        index = faiss.IndexFlatIP(DIM)
        index.add(normal[0])
        return index.search(normal[1], K)

    def check(found, theirs):
        torch.testing.assert_close(found[0], torch.from_numpy(theirs["faiss"][0]), atol=1e-5, rtol=0)

    def similarities():
        return sum(len(block) for _, block in similarity_blocks(gallery, queries))

    beside(lambda: nearest(gallery, queries, k=K), {"faiss": search, PRODUCTS: similarities}, clips=TEST, check=check)


def test_classify(beside):
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(CLASSES, DIM, generator=generator)
    labels = torch.randint(CLASSES, (TRAIN,), generator=generator)
    gallery = centres[labels] + 6 * torch.randn(TRAIN, DIM, generator=generator)
    asked = torch.randint(CLASSES, (TEST,), generator=generator)
    queries = centres[asked] + 6 * torch.randn(TEST, DIM, generator=generator)

    def ours():
        similarities, index = nearest(gallery, queries, k=K)
        return vote(similarities, labels[index], temperature=TEMPERATURE)

    def scikit_learn():
        model = KNeighborsClassifier(
            K, weights=lambda distances: np.exp((1 - distances) / TEMPERATURE), metric="cosine", algorithm="brute"
        )
        return model.fit(gallery.numpy(), labels.numpy()).predict(queries.numpy())

    def check(classes, theirs):
        assert (classes.numpy() == theirs["scikit-learn"]).mean() > 0.999
        assert 0.2 < (classes == asked).double().mean() < 0.99

    beside(ours, {"scikit-learn": scikit_learn}, clips=TEST, check=check, rounds=3)
