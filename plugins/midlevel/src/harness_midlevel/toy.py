"""Toy example of clusters in the plane: `python -m harness_midlevel.toy FILE.png`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from harness.functional.kmeans import kmeans
from harness.system.seeding import seeded
from harness.training.session import TrainingSession
from harness.values import Budget
from harness_midlevel.concepts import concept_centres
from harness_midlevel.detectors import NetworkDetectors, SvmDetectors
from harness_midlevel.losses import fisher_loss
from harness_midlevel.networks import Autoencoder
from harness_midlevel.plots import scatter_panels
from harness_midlevel.protocols import Detectors
from harness_midlevel.rounds import Rounds, discover
from harness_midlevel.training import Options, train_autoencoder

CLUSTERS = 5
"""True clusters, and those that every way is asked for."""
EACH = 160
"""Points of a true cluster."""
NOISE = 80
"""Points that lie anywhere."""
EPOCHS = 30
"""Epochs of a round of the networks."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Places of the toy's points, and their clusters by one way."""

    title: str
    places: Tensor
    """(N, 2)."""
    clusters: Tensor
    """(N,) int64; -1 for none."""
    concepts: Tensor
    """(K, 2), in the space of the places; K may be 0."""

    def fisher(self, labels: Tensor) -> float:
        """Fisher ratio of the places by true labels (N,), noise left out; lower is better."""
        return float(fisher_loss(self.places[labels >= 0], labels[labels >= 0]))


def toy_points(seed: int = 0) -> tuple[Tensor, Tensor]:
    """Draw points (N, 2) of long clusters that overlap in part, and noise.

    Their true labels (N,) are -1 for noise. The points come in random order.
    """
    generator = torch.Generator().manual_seed(seed)
    angles = torch.tensor([0.9, -0.4, 1.9, 0.2, -0.9])[:, None]
    around = torch.arange(CLUSTERS)[:, None] * (2 * torch.pi / CLUSTERS)
    centres = 2.1 * torch.cat([around.cos(), around.sin()], 1)
    along = torch.cat([angles.cos(), angles.sin()], 1)
    across = torch.cat([-angles.sin(), angles.cos()], 1)
    labels = torch.arange(CLUSTERS).repeat_interleave(EACH)
    drawn = torch.randn(len(labels), 2, generator=generator) * torch.tensor([1.0, 0.25])
    points = centres[labels] + drawn[:, :1] * along[labels] + drawn[:, 1:] * across[labels]
    noise = 9 * torch.rand(NOISE, 2, generator=generator) - 4.5
    order = torch.randperm(len(points) + NOISE, generator=generator)
    return torch.cat([points, noise])[order], torch.cat([labels, torch.full((NOISE,), -1)])[order]


def toy_panels(points: Tensor, labels: Tensor, seed: int = 0) -> list[Panel]:
    """Cluster points by k-means, linear SVMs, and networks with softmax or with ours.

    Source: Hou et al. 2018, fig. 5.

    Raises:
        DivergedError: when detectors do not fire.
    """
    nothing = points.new_zeros(0, 2)
    found = kmeans(points, CLUSTERS, [seed])
    panels = [
        Panel(title="Points", places=points, clusters=labels, concepts=nothing),
        _panel("k-means", points, found.assignments[0], found.centres[0], labels),
        _discovered("SVMs", SvmDetectors(), points, labels, seed),
    ]
    options = Options(batch_size=64, lr=5e-3)
    losses: list[tuple[str, Literal["softmax", "joint"]]] = [
        ("Softmax network's features", "softmax"),
        ("Our network's features", "joint"),
    ]
    for title, loss in losses:
        detectors = NetworkDetectors(_network(points, options, seed), options, loss=loss, epochs=EPOCHS)
        panels.append(_discovered(title, detectors, points, labels, seed))
    return panels


def toy_picture(panels: list[Panel], labels: Tensor) -> bytes:
    """Draw panels beside each other as a PNG, with the Fisher ratio of each.

    Colours are the true clusters in the first panel, in the others those found; grey is noise, or what fires nowhere.
    Stars are concepts.
    """
    drawn = [
        (f"{panel.title}: Fisher {panel.fisher(labels):.3f}", panel.places.numpy(), panel.clusters.numpy())
        for panel in panels
    ]
    concepts = [panel.concepts.numpy() for panel in panels]
    stars = [(places, np.arange(len(places))) if len(places) else None for places in concepts]
    return scatter_panels(drawn, stars=stars)


def main(arguments: list[str]) -> None:
    """Draw the toy into the file that is named; exits with 2 where it cannot."""
    parser = argparse.ArgumentParser(prog="python -m harness_midlevel.toy", description=__doc__)
    parser.add_argument("file", type=Path, help="the PNG to write")
    file: Path = parser.parse_args(arguments).file
    if not file.resolve().parent.is_dir():
        parser.error(f"there is no folder {file.resolve().parent}")
    points, labels = toy_points()
    file.write_bytes(toy_picture(toy_panels(points, labels), labels))


def _network(points: Tensor, options: Options, seed: int) -> Autoencoder:
    """Small autoencoder whose codes are in the plane, trained to reconstruct."""
    with seeded(seed):
        encoder = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
        decoder = nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 2))
    network = Autoencoder(encoder, decoder, shape=(2,), dim=2)
    network.set_mean(points)
    train_autoencoder(network, points, _session(seed), epochs=10, options=options, seed=seed)
    network.standardise(points)
    return network


def _discovered(title: str, detectors: Detectors, points: Tensor, labels: Tensor, seed: int) -> Panel:
    """Clusters by rounds over two halves of the points."""
    halves = torch.arange(len(points)).chunk(2)
    rounds = Rounds(clusters=CLUSTERS, members=60, least=5, cycles=2)
    members, _ = discover(detectors, points, halves, _session(seed), rounds, seed=seed)
    codes = detectors.codes(points)
    scores, clusters = detectors.detect(points)
    known, concepts = concept_centres(codes[members.samples], members.clusters)
    found = (clusters[:, None] == known).long()
    fires = (scores > 0) & found.any(1)
    return _panel(title, codes, torch.where(fires, found.argmax(1), -1), concepts, labels)


def _panel(title: str, places: Tensor, clusters: Tensor, concepts: Tensor, labels: Tensor) -> Panel:
    """Panel whose clusters have the numbers of the true ones that they match best."""
    both = (clusters >= 0) & (labels >= 0)
    cells = (clusters[both] * CLUSTERS + labels[both]).bincount(minlength=len(concepts) * CLUSTERS)
    found, true = linear_sum_assignment(cells.reshape(len(concepts), CLUSTERS).numpy(), maximize=True)
    numbers = torch.full((len(concepts) + 1,), -1)  # -1 is the last
    numbers[torch.from_numpy(found)] = torch.from_numpy(true)
    order = torch.full((CLUSTERS,), -1).scatter(0, numbers[:-1], torch.arange(len(concepts)))
    return Panel(title=title, places=places, clusters=numbers[clusters], concepts=concepts[order[order >= 0]])


def _session(seed: int) -> TrainingSession:
    return TrainingSession(Budget(frames=0, seed=seed), name="toy")


if __name__ == "__main__":
    main(sys.argv[1:])
