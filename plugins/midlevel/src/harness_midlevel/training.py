"""Training of autoencoders, and of their codes on clusters."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from harness.errors import DivergedError
from harness.interfaces import Stage
from harness.system.seeding import derive_seed
from harness.training.epochs import epoch_videos
from harness.values import Batch
from harness_dense_trajectories.projections import fit_pca
from harness_midlevel.losses import fisher_loss, hinge_loss
from harness_midlevel.networks import Autoencoder

ClusterLoss = Literal["hinge", "joint", "softmax"]
"""Losses on clusters: eq. 5, eq. 6, or cross-entropy."""

_EACH = 8
"""Samples of a cluster in a batch that has enough clusters."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of training; the paper gives none of their values."""

    batch_size: int = 256
    """Samples of a step, of all processes together."""
    lr: float = 1e-3
    """Learning rate of Adam."""
    alpha: float = 0.5
    """Weight of the hinge loss in the joint loss; the Fisher loss has 1 - alpha."""
    penalty: float = 1e-4
    """lambda of eq. 5, on the squared weights of the detectors."""
    positive_weight: float | Literal["sqrt"] = "sqrt"
    """Factor of the hinge of a sample's own cluster; 1 is the paper's.

    `sqrt` is the root of the number of clusters, without which one positive term is lost among many negative ones.
    """


def train_autoencoder(
    network: Autoencoder,
    samples: Tensor,
    stage: Stage,
    *,
    epochs: int,
    options: Options,
    seed: int,
    rank: int = 0,
    world: int = 1,
) -> None:
    """Train encoder and decoder to give the samples back, in epochs in random order.

    The loss is the squared error summed over a sample's numbers, its mean over samples. The network's mean is used as
    it is.

    Args:
        network: trained in place.
        samples: (N, ...) on the network's device.
        stage: trains.
        epochs: none trains nothing.
        options: of training.
        seed: of the order.
        rank: number of this process.
        world: number of processes.

    Raises:
        DivergedError: when the loss becomes NaN or infinite.

    Source: Hou, Wu, Chen, Luo and Jia, "Unsupervised deep learning of mid-level video representation for action
    recognition", AAAI 2018, eq. 1.
    """
    size = min(_size(options, world), -(-len(samples) // world))

    def draw(step: int) -> Tensor:
        return epoch_videos(len(samples), size, step, seed=seed, rank=rank, world=world)

    steps = epochs * -(-len(samples) // (size * world))
    _train(stage, _Reconstruction(network, samples), draw, steps, options)


def train_on_clusters(
    network: Autoencoder,
    classifier: nn.Linear,
    samples: Tensor,
    rows: Tensor,
    labels: Tensor,
    stage: Stage,
    *,
    loss: ClusterLoss,
    epochs: int,
    options: Options,
    seed: int,
    rank: int = 0,
    world: int = 1,
) -> None:
    """Train encoder and classifier on samples with their clusters as classes.

    A batch has as many samples of each of its clusters, 8 where there are clusters enough: random ones of a random
    order, which begins again in a cluster of fewer. An epoch is as many steps as one through all rows would be.

    Args:
        network: its encoder is trained in place.
        classifier: codes -> outputs of K clusters, trained in place.
        samples: (N, ...) on the network's device.
        rows: (M,) int64 of the samples to learn from.
        labels: (M,) int64 clusters of these.
        stage: trains.
        loss: `hinge` with its penalty, `joint` with the Fisher loss as well, or `softmax`, the cross-entropy.
        epochs: none trains nothing.
        options: of training.
        seed: of the draw.
        rank: number of this process.
        world: number of processes.

    Raises:
        DivergedError: when the joint loss has a single cluster, or the loss becomes NaN or infinite.
        ValueError: when rows and labels differ in number, there are none, or a label is no class.

    Source: Hou et al. 2018, eq. 5 and 6.
    """
    _check(rows, labels, classifier.out_features)
    kinds, sizes = torch.unique(labels, return_counts=True)
    if loss == "joint" and len(kinds) < 2:
        msg = "expected members of at least two clusters to tell apart, got one; ask for more clusters"
        raise DivergedError(msg)
    clusters = torch.split(labels.argsort(stable=True).cpu(), sizes.tolist())
    size = _size(options, world)

    def draw(step: int) -> Tensor:
        return balanced(clusters, size, derive_seed(seed, step, rank))

    steps = epochs * -(-len(rows) // options.batch_size)
    module = _OnClusters(network, classifier, samples, rows, labels, functools.partial(cluster_loss, loss, options))
    _train(stage, module, draw, steps, options)


def cluster_loss(loss: ClusterLoss, options: Options, codes: Tensor, classifier: nn.Linear, labels: Tensor) -> Tensor:
    """Loss of codes (N, D) with their clusters (N,) int64 as classes, ().

    Source: Hou et al. 2018, eq. 5 and 6.
    """
    outputs = classifier(codes)
    if loss == "softmax":
        return cross_entropy(outputs, labels)
    weight = options.positive_weight
    factor = math.sqrt(classifier.out_features) if weight == "sqrt" else weight
    hinge = hinge_loss(outputs, labels, positive_weight=factor) + options.penalty * classifier.weight.square().sum()
    return hinge if loss == "hinge" else options.alpha * hinge + (1 - options.alpha) * fisher_loss(codes, labels)


def balanced(clusters: Sequence[Tensor], size: int, seed: int) -> Tensor:
    """Draw a batch with equally many samples of each of some clusters, int64.

    At most `size` samples, or two where that is less: 8 of each of size / 8 clusters, or more of each of all clusters
    when there are fewer than that.

    Args:
        clusters: the numbers of each cluster's samples.
        size: of the batch.
        seed: of the draw.

    >>> batch = balanced([torch.arange(10), torch.arange(10, 12)], 8, seed=0)
    >>> len(batch.unique()), sorted(batch.tolist())[4:]
    (6, [10, 10, 11, 11])
    """
    generator = torch.Generator().manual_seed(seed)
    count = min(len(clusters), max(2, size // _EACH))  # one alone has no scatter between clusters
    each = max(1, size // count)
    chosen = torch.randperm(len(clusters), generator=generator)[:count].tolist()
    orders = [clusters[one][torch.randperm(len(clusters[one]), generator=generator)] for one in chosen]
    return torch.cat([order[torch.arange(each) % len(order)] for order in orders])


@torch.no_grad()
def explained_variance(network: Autoencoder, samples: Tensor) -> float:
    """Share of the variance of samples (N, ...) that reconstructions explain.

    It is 0 where the samples do not vary.
    """
    error, squares = 0.0, 0.0
    total = torch.zeros_like(network.mean, dtype=torch.float64)
    for block in network.blocks(samples):
        wanted = network.prepared(block).double()
        error += float((wanted - network.reconstruct(block)).square().sum())
        squares += float(wanted.square().sum())
        total += wanted.sum(0)
    whole = squares - float(total.square().sum()) / len(samples)
    return 1 - error / whole if whole > 0 else 0.0


def pca_variance(samples: Tensor, dims: int) -> float:
    """Share of the variance of samples (N, D) that first principal axes explain.

    It is 0 where the samples do not vary.

    Raises:
        ValueError: when `dims` is not in [1, D].

    >>> round(pca_variance(torch.tensor([[2.0, 0.0], [-2.0, 0.0], [0.0, 1.0], [0.0, -1.0]]), 1), 6)
    0.8
    """
    width = samples.shape[1]
    if not 1 <= dims <= width:
        msg = f"expected dims of 1 to {width}, the length of a sample, got {dims}"
        raise ValueError(msg)
    if not bool((samples != samples[0]).any()):
        return 0.0
    variance = fit_pca(samples, variance=1.0).variance
    return float(variance[:dims].sum() / variance.sum())


class _Reconstruction(nn.Module):
    """Squared error of reconstructions: numbers of samples -> loss.

    The samples are a plain attribute, which no checkpoint carries.
    """

    def __init__(self, network: Autoencoder, samples: Tensor) -> None:
        super().__init__()
        self.network = network
        self.samples = samples

    def forward(self, _: object, numbers: Tensor) -> Tensor:
        rows = self.samples[numbers]
        with torch.autocast(numbers.device.type, enabled=False):
            error = self.network.reconstruct(rows) - self.network.prepared(rows)
            return error.square().sum() / len(rows)


class _OnClusters(nn.Module):
    """Loss of codes on clusters: numbers among the rows -> loss.

    Samples, rows and labels are plain attributes, which no checkpoint carries. The decoder is left out, as all that is
    trained must have a gradient.
    """

    def __init__(
        self,
        network: Autoencoder,
        classifier: nn.Linear,
        samples: Tensor,
        rows: Tensor,
        labels: Tensor,
        loss: Callable[[Tensor, nn.Linear, Tensor], Tensor],
    ) -> None:
        super().__init__()
        self.encoder = network.encoder
        self.classifier = classifier
        self.encode = network.encode
        self.samples, self.rows, self.labels = samples, rows, labels
        self.loss = loss

    def forward(self, _: object, numbers: Tensor) -> Tensor:
        numbers = numbers.to(self.rows.device)
        # In bfloat16 many outputs of detectors would be equal.
        with torch.autocast(numbers.device.type, enabled=False):
            codes = self.encode(self.samples[self.rows[numbers]])
            return self.loss(codes, self.classifier, self.labels[numbers])


def _train(stage: Stage, loss: nn.Module, draw: Callable[[int], Tensor], steps: int, options: Options) -> None:
    """Train all parameters of the loss by Adam, on batches that are numbers alone."""
    if steps:
        optimizer = torch.optim.Adam(loss.parameters(), lr=options.lr)
        stage.train(loss, {}, lambda step: Batch({}, draw(step), frames=0), steps=steps, optimizer=optimizer)


def _size(options: Options, world: int) -> int:
    """Samples of a process in a step."""
    return max(1, options.batch_size // world)


def _check(rows: Tensor, labels: Tensor, clusters: int) -> None:
    if not len(rows) or rows.shape != labels.shape:
        msg = f"expected rows and labels of equally many samples, got {len(rows)} and {len(labels)}"
        raise ValueError(msg)
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= clusters:
        msg = f"expected labels of 0 to {clusters - 1}, the classes of the classifier, got {low} to {high}"
        raise ValueError(msg)
