"""Kernels and waits of the paths that compute on a GPU: bounds, and what they must not grow with."""

import pytest
import torch

from harness.backbones.small_2d import Small2D
from harness.backbones.small_3d import Small3D
from harness.encoders.network import NetworkEncoder
from harness.functional.batched_lloyd import CHECKED_EVERY, batched_lloyd
from harness.functional.knn import nearest
from harness.functional.logistic import fit_logistic
from harness.functional.plus_plus import plus_plus
from harness.functional.spectral import spectral
from harness.methods.supervised import Classifier
from harness.profiling.counters import count
from harness.training.session import TrainingSession
from harness.values import Batch, Budget, VideoBatch
from harness.video.tvl1 import tvl1


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def lloyd(n, k, seeds, iterations):
    x = drawn(n, 8)
    starts = torch.stack([x[seed : seed + k] for seed in range(seeds)])
    return count(lambda: batched_lloyd(x, starts, iterations=iterations))


def of_iterations(n, k, seeds):
    """What `CHECKED_EVERY` iterations of k-means ask for."""
    long, short = (lloyd(n, k, seeds, times * CHECKED_EVERY) for times in (2, 1))
    return long.kernels - short.kernels, long.synchronisations - short.synchronisations


def test_an_iteration_of_k_means():
    kernels, waits = of_iterations(2000, 20, 1)
    assert kernels <= 25 * CHECKED_EVERY
    assert waits == 1  # a look at what has converged


@pytest.mark.parametrize(("n", "k", "seeds"), [(4000, 20, 1), (2000, 40, 1), (2000, 20, 10)])
def test_an_iteration_of_k_means_is_the_same_for_more(n, k, seeds):
    assert of_iterations(n, k, seeds) == of_iterations(2000, 20, 1)


def test_starts_of_k_means():
    def counts(n, k, seeds):
        return count(lambda: plus_plus(drawn(n, 8), k, range(seeds)))

    first, second, more = counts(500, 10, 1), counts(500, 20, 1), counts(900, 20, 1)
    assert second.kernels - first.kernels <= 10 * 22
    assert second.kernels == more.kernels
    assert first.synchronisations == second.synchronisations == more.synchronisations <= 1
    # only the numbers that each seed draws
    assert counts(500, 20, 8).kernels - second.kernels <= 7 * 2


def logistic(problems, n, iterations):
    labels = torch.arange(n) % 5
    x = drawn(5, 16)[labels] + drawn(n, 16, seed=1)
    strengths = torch.full((problems,), 1e-3)
    return count(lambda: fit_logistic(x, labels, strengths, classes=5, tolerance=0.0, iterations=iterations))


def test_an_iteration_of_logistic_regression():
    long, short = logistic(3, 100, 30), logistic(3, 100, 20)
    assert long.kernels - short.kernels <= 10 * 120
    assert long.synchronisations - short.synchronisations <= 10 * 2


def test_logistic_regression_of_many_problems_is_one():
    one, many = logistic(1, 100, 20), logistic(20, 100, 20)
    assert many.kernels <= 1.1 * one.kernels
    assert many.synchronisations <= 1.1 * one.synchronisations


def test_nearest_neighbours():
    small, large = (count(lambda n=n: nearest(drawn(n, 8), drawn(50, 8), k=5)) for n in (500, 1000))
    assert max(small.kernels, large.kernels) <= 55
    assert small.synchronisations == large.synchronisations <= 2


def test_spectral_clustering():
    counts = count(lambda: spectral(drawn(300, 8), 3, neighbours=5))
    assert counts.kernels <= 400
    assert counts.synchronisations <= 50


def test_flow_never_waits_and_batches_pairs():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        few, many = (count(lambda n=n: tvl1(*(drawn(2, n, 48, 64).abs() * 99))) for n in (2, 6))
    finally:
        torch.set_num_threads(threads)
    assert few.kernels == many.kernels <= 5500
    assert few.synchronisations == many.synchronisations == 0


def test_encoding_of_a_batch():
    encoder = NetworkEncoder(Small3D().build(seed=0), Small3D().inputs)

    def counts(size):
        batch = VideoBatch(torch.zeros(size, 3, 16, 64, 64, dtype=torch.uint8))
        return count(lambda: encoder.encode(batch))

    small, large = counts(2), counts(4)
    assert small.kernels == large.kernels <= 20
    assert small.synchronisations == large.synchronisations == 0
    assert large.flops == 2 * small.flops > 0


def training(steps, size):
    inputs = Small2D().inputs
    batch = Batch(torch.zeros(size, 3, *(inputs.view.frames, 64, 64), dtype=torch.uint8), torch.arange(size) % 4)

    def fit():
        loss = Classifier(Small2D().build(seed=0), Small2D().card.dim, 4, 0.1)
        optimizer = torch.optim.SGD(loss.parameters(), lr=0.01, momentum=0.9, fused=True)
        session = TrainingSession(Budget(frames=0, seed=0))
        session.train(loss, inputs, lambda _: batch, steps=steps, optimizer=optimizer)

    return count(fit)


def test_a_training_step():
    two, three, larger = training(2, 2), training(3, 2), training(3, 4)
    assert three.kernels - two.kernels <= 75
    # Clips and targets go to the device, which is the CPU here; the loss is read only when it is reported.
    assert three.synchronisations - two.synchronisations <= 2
    assert larger.kernels == three.kernels
    assert larger.flops - three.flops == three.flops
