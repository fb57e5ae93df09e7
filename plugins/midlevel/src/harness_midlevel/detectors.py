"""Detectors of clusters: a network with a linear layer, or linear SVMs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from harness.functional.product import product
from harness.functional.svm import fit_svm
from harness.interfaces import Stage
from harness.system.seeding import derive_seed, seeded
from harness_dense_trajectories.rows import blocks
from harness_midlevel.firing import Members, detection_scores
from harness_midlevel.losses import fisher_loss
from harness_midlevel.networks import Autoencoder
from harness_midlevel.training import ClusterLoss, Options, balanced, cluster_loss, train_on_clusters

COST = 0.1
"""Cost of a linear SVM's loss, in Singh, Gupta and Efros 2012."""
BACKGROUND = 20
"""Negatives that are drawn, or found hard, for each member of the largest cluster."""
HARD = 2
"""Times that SVMs are trained again with hard negatives."""


class NetworkDetectors:
    """Linear detectors on the codes of a network that is trained with them.

    Args:
        network: trained in place; its codes should have unit deviation, otherwise no detector fires for long.
        options: of training.
        loss: `joint` learns by the hinge loss from everything, then by hinge and Fisher loss from members, and detects
            by eq. 7; `softmax` learns by cross-entropy from both, and detects by the largest posterior.
        epochs: of each of the two trainings.
        rank: number of this process.
        world: number of processes.

    Source: Hou et al. 2018, section "Iterative algorithm"; `softmax` is their third baseline, of table 1.
    """

    def __init__(
        self,
        network: Autoencoder,
        options: Options,
        *,
        loss: Literal["joint", "softmax"] = "joint",
        epochs: int,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.network = network
        self.options = options
        self.loss = loss
        self.epochs = epochs
        self.rank, self.world = rank, world
        self.begin(1, 0)

    @property
    def count(self) -> int:
        """K."""
        return len(self.classifier.bias)

    def begin(self, count: int, seed: int) -> None:
        """Begin with small weights and biases of -1, so that no detector fires yet."""
        weight = 0.01 * torch.randn(count, self.network.dim, generator=torch.Generator().manual_seed(seed))
        self._set(weight, torch.full((count,), -1.0))

    def learn(
        self,
        samples: Tensor,
        members: Members,
        stage: Stage,
        *,
        subset: Tensor,
        everything: tuple[Tensor, Tensor] | None,
        seed: int,
    ) -> None:
        """Train on everything where it is given, then on the members.

        Raises:
            DivergedError: when a loss becomes NaN or infinite, or the joint loss has a single cluster.
        """
        if everything is not None:
            first: ClusterLoss = "softmax" if self.loss == "softmax" else "hinge"
            self._train(samples, *everything, stage, first, derive_seed(seed, 0))
        self._train(samples, members.samples, members.clusters, stage, self.loss, derive_seed(seed, 1))

    def _train(self, samples: Tensor, rows: Tensor, labels: Tensor, stage: Stage, loss: ClusterLoss, seed: int) -> None:
        train_on_clusters(
            self.network,
            self.classifier,
            samples,
            rows,
            labels,
            stage,
            loss=loss,
            epochs=self.epochs,
            options=self.options,
            seed=seed,
            rank=self.rank,
            world=self.world,
        )

    @torch.no_grad()
    def detect(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Score (N,) and cluster (N,): eq. 7, or the largest posterior."""
        self.network.eval()
        scores = samples.new_empty(len(samples), dtype=torch.float32)
        clusters = samples.new_empty(len(samples), dtype=torch.int64)
        start = 0
        for block in self.network.blocks(samples):
            part = slice(start, start := start + len(block))
            outputs = self.classifier(self.network.encode(block))
            if self.loss == "softmax":
                scores[part], clusters[part] = outputs.softmax(1).max(1)
            else:
                scores[part], clusters[part] = detection_scores(outputs)
        return scores, clusters

    def codes(self, samples: Tensor) -> Tensor:
        """Codes (N, D) of samples."""
        return self.network.codes(samples)

    def keep(self, kept: Tensor) -> None:
        """Keep only the detectors of these numbers (K',), in this order."""
        self._set(self.classifier.weight.detach()[kept], self.classifier.bias.detach()[kept])

    def curves(self, samples: Tensor, members: Members) -> dict[str, float]:
        """Gradient norms of both losses; none for `softmax`."""
        if self.loss == "softmax":
            return {}
        return gradient_norms(self.network, self.classifier, samples, members, self.options)

    def linear(self) -> dict[str, Tensor]:
        """Linear maps from codes to outputs: `weight` (K, D) and `bias` (K,)."""
        return {"weight": self.classifier.weight.detach(), "bias": self.classifier.bias.detach()}

    def state_dict(self) -> dict[str, Any]:
        """Weights of the network, and of the detectors."""
        return {"network": self.network.state_dict(), **self.linear()}

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Put back what `state_dict` gave, with its number of detectors."""
        self.network.load_state_dict(state["network"])
        self._set(state["weight"], state["bias"])

    def _set(self, weight: Tensor, bias: Tensor) -> None:
        count, dim = weight.shape
        with seeded(0):  # what it draws is replaced, and the caller's random numbers stay
            self.classifier = nn.Linear(dim, count).to(self.network.mean.device)
        with torch.no_grad():
            self.classifier.weight.copy_(weight)
            self.classifier.bias.copy_(bias)


class SvmDetectors:
    """Linear SVMs, one a cluster, on samples that are codes already.

    The positives of a cluster are its members; its negatives the other clusters' members and a background that all
    clusters share: random other samples of the subset, and then, twice, those on which two detectors or more fire,
    hardest first. A sample fires where a score is above -1. The subset is centred and scaled to unit deviation before,
    so that the cost means the same for any codes.

    Source: Singh, Gupta and Efros, "Unsupervised discovery of mid-level discriminative patches", ECCV 2012, algorithm
    1, adapted: their negatives are another data set's, which is not there.
    """

    def __init__(self) -> None:
        self.begin(0, 0)

    @property
    def count(self) -> int:
        """K."""
        return len(self.bias)

    def begin(self, count: int, seed: int) -> None:
        """Forget all SVMs; nothing is drawn."""
        self.weight, self.bias = torch.zeros(count, 0), torch.full((count,), -1.0)

    def learn(
        self,
        samples: Tensor,
        members: Members,
        stage: Stage,
        *,
        subset: Tensor,
        everything: tuple[Tensor, Tensor] | None,
        seed: int,
    ) -> None:
        """Fit all SVMs anew to the members; `stage` and `everything` are not used."""
        others = subset[~torch.isin(subset, members.samples)]
        most = BACKGROUND * int(members.clusters.bincount().max())
        mixed = torch.randperm(len(others), generator=torch.Generator().manual_seed(seed)).to(others.device)
        background = others[mixed[:most]]
        self._fit(samples, subset, members, background)
        for _ in range(HARD if self.count > 1 else 0):
            left = others[~torch.isin(others, background)]
            seconds = [outputs.topk(2).values[:, 1] for outputs in self._outputs(samples[left])]
            second = torch.cat([samples.new_zeros(0), *seconds])
            order = second.argsort(descending=True, stable=True)[:most]
            background = torch.cat([background, left[order[second[order] > -1]]])
            self._fit(samples, subset, members, background)

    def _fit(self, samples: Tensor, subset: Tensor, members: Members, background: Tensor) -> None:
        whole = samples[subset]
        mean = whole.mean(0)
        scale = whole.var(0, correction=0).mean().sqrt()
        if not scale > 0:
            msg = f"expected samples that differ, got {len(whole)} equal ones"
            raise ValueError(msg)
        x = (samples[torch.cat([members.samples, background])] - mean) / scale
        labels = torch.cat([members.clusters, torch.full_like(background, self.count)])
        fitted = fit_svm(x, labels, x.new_tensor([COST]), classes=self.count + 1)
        self.weight = fitted.weight[0, : self.count] / scale
        self.bias = fitted.bias[0, : self.count] - self.weight @ mean

    def _outputs(self, samples: Tensor) -> Iterator[Tensor]:
        """Outputs (n, K) of blocks of samples, one block at a time."""
        width = sum(self.weight.shape)
        for part in blocks(len(samples), width, samples.device):
            yield product(samples[part], self.weight.mT, self.bias)

    def detect(self, samples: Tensor) -> tuple[Tensor, Tensor]:
        """Score (N,) and cluster (N,): the largest output and 1, where that is above 0."""
        best = [outputs.max(1) for outputs in self._outputs(samples)]
        scores = torch.cat([samples.new_zeros(0), *(one.values for one in best)])
        clusters = torch.cat([samples.new_zeros(0, dtype=torch.int64), *(one.indices for one in best)])
        return (scores + 1).clamp_min(0), clusters

    def codes(self, samples: Tensor) -> Tensor:
        """Samples as they are."""
        return samples

    def keep(self, kept: Tensor) -> None:
        """Keep only the SVMs of these numbers (K',), in this order."""
        self.weight, self.bias = self.weight[kept], self.bias[kept]

    def curves(self, samples: Tensor, members: Members) -> dict[str, float]:
        """Nothing: SVMs are fitted to their optimum."""
        return {}

    def linear(self) -> dict[str, Tensor]:
        """Linear maps from codes to outputs: `weight` (K, D) and `bias` (K,)."""
        return {"weight": self.weight, "bias": self.bias}

    def state_dict(self) -> dict[str, Any]:
        """Weights and biases."""
        return self.linear()

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Put back what `state_dict` gave, with its number of SVMs."""
        self.weight, self.bias = state["weight"], state["bias"]


def gradient_norms(
    network: Autoencoder, classifier: nn.Linear, samples: Tensor, members: Members, options: Options
) -> dict[str, float]:
    """Norms of the gradients of both losses by the encoder's weights.

    The hinge and the Fisher loss are those of one balanced batch of the members, before alpha weighs them.

    Args:
        network: its encoder.
        classifier: codes -> outputs of K clusters.
        samples: (N, ...).
        members: of the clusters.
        options: of training.
    """
    sizes = torch.unique(members.clusters, return_counts=True)[1].tolist()
    places = torch.split(torch.arange(len(members)), sizes)  # as members are sorted by cluster
    numbers = balanced(places, options.batch_size, 0).to(members.samples.device)
    labels = members.clusters[numbers]
    codes = network.encode(samples[members.samples[numbers]])
    hinge = cluster_loss("hinge", options, codes, classifier, labels)
    fisher = fisher_loss(codes, labels)
    return {"hinge_gradient": _norm(hinge, network.encoder), "fisher_gradient": _norm(fisher, network.encoder)}


def _norm(loss: Tensor, encoder: nn.Module) -> float:
    gradients = torch.autograd.grad(loss, list(encoder.parameters()), retain_graph=True)
    return float(torch.stack([gradient.norm() for gradient in gradients]).norm())
