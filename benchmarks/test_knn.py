"""The neighbours of all test videos of UCF101's size, beside faiss's exact search."""

from __future__ import annotations

import time

import faiss
import torch

from harness.functional.knn import nearest

TRAIN, TEST, DIM, K = 9_537, 3_783, 512, 200


def test_nearest(benchmark):
    generator = torch.Generator().manual_seed(0)
    gallery = torch.randn(TRAIN, DIM, generator=generator)
    queries = torch.randn(TEST, DIM, generator=generator)

    def search():
        normal = [torch.nn.functional.normalize(points, dim=1).numpy() for points in (gallery, queries)]
        index = faiss.IndexFlatIP(DIM)
        index.add(normal[0])
        return index.search(normal[1], K)

    search()
    times = []
    for _ in range(3):
        start = time.perf_counter()
        similarities, _ = search()
        times.append(time.perf_counter() - start)
    found, _ = benchmark.pedantic(lambda: nearest(gallery, queries, k=K), rounds=3, warmup_rounds=1)
    torch.testing.assert_close(found, torch.from_numpy(similarities), atol=1e-5, rtol=0)
    benchmark.extra_info.update(
        queries_per_s=round(TEST / benchmark.stats.stats.median, 1),
        threads=torch.get_num_threads(),
        times_as_fast_as={"faiss": round(sorted(times)[1] / benchmark.stats.stats.median, 3)},
    )
