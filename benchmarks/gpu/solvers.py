"""Logistic regression, k-means and spectral clustering."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from sklearn.cluster import SpectralClustering
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score
from torch import Tensor

from benchmarks.gpu.cases import Case, Peer, Place, expect
from harness.evaluators.few_shot import SHOTS, TOLERANCE
from harness.evaluators.linear import LinearProbe
from harness.functional.batched_lloyd import batched_lloyd
from harness.functional.draws import draw_ranks
from harness.functional.kmeans import SAMPLE, kmeans
from harness.functional.logistic import fit_logistic, logistic_gradient, logistic_objective
from harness.functional.plus_plus import plus_plus
from harness.functional.spectral import spectral
from harness.functional.standardise import scaling


def blobs(n: int, dim: int, classes: int, spread: float) -> tuple[Tensor, Tensor]:
    """Points (n, dim) of classes that overlap the more the larger `spread`, and their classes."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(n) % classes
    centres = torch.randn(classes, dim, generator=generator)
    return centres[labels] + spread * torch.randn(n, dim, generator=generator), labels


def few_shot(place: Place) -> Case:
    """Draws of 1, 5, 10 and 20 videos a class, beside a loop of scikit-learn's."""
    draws, classes, dim = place.of((20, 101, 512), (2, 5, 16))
    points, labels = blobs(94 * classes, dim, classes, 2.0)
    ranks = draw_ranks(labels, [""] * len(labels), draws, seed=0)
    problems = []
    for shots in SHOTS:
        drawn = (ranks < shots).nonzero()[:, 1].view(draws, -1)
        mean, factor = scaling(points[drawn])
        strengths = points.new_full((draws,), 1 / drawn.shape[1])  # scikit-learn's C = 1
        problems.append(((points[drawn] - mean) * factor, labels[drawn], strengths))
    there = [tuple(part.to(place.device) for part in problem) for problem in problems]

    def ours() -> list[Any]:
        return [fit_logistic(*problem, classes=classes, tolerance=TOLERANCE) for problem in there]

    def theirs() -> list[list[Any]]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # with one point a class it asks whether labels are quantities
            return [
                [LogisticRegression().fit(a, b) for a, b in zip(x.numpy(), y.numpy(), strict=True)]
                for x, y, _ in problems
            ]

    def check() -> Mapping[str, float]:
        worst = 0.0
        for problem, fitted, models in zip(problems, ours(), theirs(), strict=True):
            weight, bias = (
                torch.stack([torch.from_numpy(getattr(model, name)) for model in models]).to(problem[0])
                for name in ("coef_", "intercept_")
            )
            expect(holds=bool(fitted.converged.all()), what="a solve did not converge")
            reached = logistic_objective(*problem, fitted.weight.cpu(), fitted.bias.cpu())
            worst = max(worst, float((reached / logistic_objective(*problem, weight, bias)).max()))
        expect(holds=worst <= 1 + 1e-5, what=f"an objective is {worst:.7f} of scikit-learn's")
        return {"largest objective over scikit-learn's": worst}

    peers = {"scikit-learn": Peer(theirs, 1, 0)}
    return Case(run=ours, check=check, amount=1, unit="s", peers=peers)


def strengths(place: Place) -> Case:
    """Nine strengths of a linear probe at once, checked by the gradient in float64."""
    n, dim, classes = place.of((9_494, 512, 101), (200, 16, 5))
    points, labels = blobs(n, dim, classes, 2.0)
    return _probe(((points - points.mean(0)) / points.std(0)), labels, classes, place, {})


def quickstart(place: Place) -> Case:
    """The quickstart's linear probe, beside the same on the CPU."""
    n, dim, classes = place.of((210, 128, 15), (60, 16, 5))
    points, labels = blobs(n, dim, classes, 2.0)
    x = (points - points.mean(0)) / points.std(0)
    candidates = x.new_tensor(LinearProbe.candidates)
    on_cpu = Peer(lambda: fit_logistic(x, labels, candidates, classes=classes), 5, 2)
    return _probe(x, labels, classes, place, {"the same on the CPU": on_cpu})


def _probe(x: Tensor, labels: Tensor, classes: int, place: Place, peers: Mapping[str, Peer]) -> Case:
    candidates = x.new_tensor(LinearProbe.candidates)
    there = x.to(place.device), labels.to(place.device), candidates.to(place.device)

    def ours() -> Any:
        return fit_logistic(*there, classes=classes)

    def check() -> Mapping[str, float]:
        fitted = ours()
        expect(holds=bool(fitted.converged.all()), what="a solve did not converge")
        weight, bias = fitted.weight.cpu().double(), fitted.bias.cpu().double()
        gradients = logistic_gradient(x.double(), labels, candidates.double(), weight, bias)
        largest = max(float(part.abs().max()) for part in gradients)
        # Where a penalty is tiny a solve ends where rounding allows no further descent.
        expect(holds=largest < 1e-4, what=f"a gradient has an entry of {largest:.2e}")
        return {"largest entry of a gradient": largest}

    return Case(run=ours, check=check, amount=1, unit="s", peers=peers)


def many_clusters(place: Place) -> Case:
    """25 iterations of k-means with a thousand clusters, beside faiss and beside its matrix products alone."""
    n, dim, k = place.of((50_000, 128, 1_000), (500, 8, 10))
    return _kmeans(blobs(n, dim, k, 1.0)[0], k, [0], 25, place)


def many_seeds(place: Place) -> Case:
    """K-means from ten seeds to the end."""
    n, dim, k = place.of((10_000, 512, 101), (300, 16, 5))
    return _kmeans(blobs(n, dim, k, 2.0)[0], k, range(place.of(10, 2)), 300, place)


def _kmeans(points: Tensor, k: int, seeds: Sequence[int], iterations: int, place: Place) -> Case:
    x = points.to(place.device)
    centres = x[:k].clone()

    def ours() -> Any:
        return kmeans(x, k, seeds, iterations=iterations)

    def on_a_device() -> None:
        """What `kmeans` does on a GPU; on a processor it goes another way."""
        starts = x[plus_plus(x[: SAMPLE * k], k, seeds)]
        batched_lloyd(x, starts, iterations=iterations)

    def check() -> Mapping[str, float]:
        found = ours()
        exact = points.double()
        for assigned, inertia, means in zip(found.assignments, found.inertia, found.centres, strict=True):
            own = (exact - means.cpu().double()[assigned.cpu()]).square().sum()
            expect(holds=abs(float(inertia) / float(own) - 1) < 1e-4, what=f"inertia {inertia} is {own} in float64")
        twin = _lloyd(exact, exact[torch.randperm(len(exact), generator=torch.Generator().manual_seed(0))[:k]], 25)
        ratio = float(found.inertia.mean()) / twin
        expect(holds=ratio < 1.02, what=f"inertia is {ratio:.3f} of that of plain iterations from random points")
        return {"inertia over that of plain iterations": ratio}

    def products() -> None:
        for _ in range(iterations):
            torch.mm(x, centres.mT)

    peers: dict[str, Peer | None] = {"faiss on the device": _faiss(points, k, seeds, iterations, place)}
    if iterations == 25:
        peers["its products alone"] = Peer(products, 3, 1, 1, place.device)
    counted = ours if place.device.type == "cuda" else on_a_device
    return Case(run=ours, check=check, amount=1, unit="s", peers=peers, counted=counted)


def _lloyd(x: Tensor, centres: Tensor, iterations: int) -> float:
    """Plain iterations of Lloyd's: inertia."""
    for _ in range(iterations):
        assigned = torch.cat([torch.cdist(part, centres).argmin(1) for part in x.split(4096)])
        sums = torch.zeros_like(centres).index_add_(0, assigned, x)
        counts = assigned.bincount(minlength=len(centres))[:, None]
        centres = torch.where(counts > 0, sums / counts.clamp(min=1), centres)
    return float(sum(torch.cdist(part, centres).amin(1).square().sum() for part in x.split(4096)))


def _faiss(points: Tensor, k: int, seeds: Sequence[int], iterations: int, place: Place) -> Peer | None:
    """Clustering by faiss on the device; None without such a build."""
    if importlib.util.find_spec("faiss") is None:
        return None
    import faiss

    cuda = place.device.type == "cuda"
    if cuda and not (hasattr(faiss, "get_num_gpus") and faiss.get_num_gpus()):
        return None

    def run() -> None:
        for seed in seeds:
            peer = faiss.Kmeans(
                points.shape[1],
                k,
                niter=iterations,
                seed=seed,
                gpu=cuda,
                max_points_per_centroid=len(points),
                min_points_per_centroid=1,
            )
            peer.train(points.numpy())

    return Peer(run, 2, 1)


def graph(place: Place) -> Case:
    """Spectral clustering of a graph of neighbours, beside scikit-learn's fastest way."""
    n, dim, k = place.of((10_000, 1024, 101), (300, 16, 3))
    points, labels = blobs(n, dim, k, place.of(3.0, 0.3))
    x = points.to(place.device)

    def ours() -> Tensor:
        return spectral(x, k, neighbours=10)

    def theirs() -> Any:
        peer = SpectralClustering(
            k,
            affinity="nearest_neighbors",
            n_neighbors=10,
            eigen_solver="arpack",
            assign_labels="cluster_qr",
            random_state=0,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of groups without an edge between them
            return peer.fit_predict(points.numpy())

    def check() -> Mapping[str, float]:
        found = ours().cpu()
        score = float(adjusted_rand_score(labels, found))
        expect(holds=score > 0.999, what=f"adjusted Rand index {score:.4f} to the classes")
        return {"adjusted Rand index to the classes": score}

    return Case(run=ours, check=check, amount=1, unit="s", peers={"scikit-learn": Peer(theirs, 1, 0)})
