"""Pictures of a fit: volumes of its best concepts, its features, its rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from harness.embeddings.tsne import tsne
from harness.functional.kmeans import kmeans
from harness.pictures.sheet import moving_sheet
from harness.system import progress
from harness_midlevel.losses import fisher_loss
from harness_midlevel.plots import rounds_plot, scatter_panels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.interfaces import Split
    from harness_midlevel.reading import Reading

VIDEOS = 60
"""Videos whose samples are shown."""
CONCEPTS, EACH = 10, 8
"""Rows of `concepts.png`, and volumes of each, all of different videos."""
CLUSTERS, FEATURES = 10, 500
"""Clusters and features of `features.png`, as in figure 6 of the paper."""
FEWEST = 50
"""Fewest trajectories that are worth a picture."""
HEIGHT = 64
"""Height of a volume on the sheet, in pixels."""


def illustrations(
    split: Split,
    reading: Reading,
    code: Callable[[Tensor], Tensor],
    detect: Callable[[Tensor], tuple[Tensor, Tensor]],
    *,
    count: int,
    rounds: Sequence[Mapping[str, Any]],
) -> dict[str, bytes]:
    """Draw what an encoder makes of samples of `split`.

    `concepts.png` moves: volumes that its best concepts detect, figure 1 of the paper. `features.png` has t-SNE of
    samples clustered by k-means beside codes grouped by concept, figure 6, and the ratio of the traces of the scatters
    within and between the groups; both are left out where there are fewer than `FEWEST` trajectories, which is said.
    `rounds.png` is there where rounds were: clusters, firing and rank over them.

    Args:
        split: whose videos; those shown are spread evenly over it.
        reading: of the samples.
        code: samples -> codes (N, D).
        detect: codes -> score and concept of each, (N,).
        count: number of concepts.
        rounds: log of the fit's rounds; empty where there were none.

    Raises:
        DataError: when a video does not decode.
    """
    pictures = {"rounds.png": rounds_plot(rounds)} if rounds else {}
    chosen = np.unique(np.linspace(0, len(split) - 1, VIDEOS).round().astype(int)).tolist()
    reading = replace(reading, device="cpu")  # whose trajectories are in the order of their volumes
    samples, volumes = (list(each.load(split, chosen)) for each in (reading, replace(reading, kind="volumes")))
    rows = torch.cat(samples)
    if len(rows) < FEWEST:
        progress.say(f"split {split.name!r} gave {len(rows)} trajectories, too few to show concepts and features")
        return pictures
    owners = torch.repeat_interleave(torch.tensor([len(part) for part in samples]))
    codes = code(rows).cpu()
    scores, concepts = detect(codes)
    return pictures | {
        "concepts.png": draw_concepts(torch.cat(volumes).numpy(), owners, scores, concepts),
        "features.png": draw_features(rows.flatten(1).float(), codes, concepts, count),
    }


def draw_concepts(volumes: NDArray[np.uint8], owners: Tensor, scores: Tensor, concepts: Tensor) -> bytes:
    """Draw the strongest volumes of the best concepts, each of another video.

    Concepts are best that have the highest mean score over the volumes shown. One found in few videos has few volumes.

    Args:
        volumes: (N, 12, 16, 16) grey.
        owners: (N,) video of each.
        scores: (N,).
        concepts: (N,).
    """
    shown: dict[int, list[int]] = {}
    videos: dict[int, set[int]] = {}
    for index in scores.argsort(descending=True, stable=True).tolist():
        concept, video = int(concepts[index]), int(owners[index])
        if len(shown.setdefault(concept, [])) < EACH and video not in videos.setdefault(concept, set()):
            shown[concept].append(index)
            videos[concept].add(video)
    most = max(map(len, shown.values()))
    whole = [concept for concept, indices in shown.items() if len(indices) == most]
    best = sorted(whole, key=lambda concept: -float(scores[shown[concept]].mean()))[:CONCEPTS]
    colour = volumes[..., None].repeat(3, axis=-1)
    return moving_sheet([(f"concept {concept}", [list(colour[i]) for i in shown[concept]]) for concept in best], HEIGHT)


def draw_features(raw: Tensor, codes: Tensor, concepts: Tensor, count: int) -> bytes:
    """Draw t-SNE of samples by cluster of k-means, beside that of codes by concept.

    Args:
        raw: (N, D) samples.
        codes: (N, d).
        concepts: (N,) of the codes.
        count: number of concepts, and of clusters of k-means.
    """
    clusters = kmeans(raw, min(count, len(raw)), [0]).assignments[0]
    panels = []
    concepts = concepts + count  # clusters and concepts have nothing in common, nor have their colours
    for title, points, groups in (("samples, by k-means", raw, clusters), ("codes, by concept", codes, concepts)):
        rows = _some(groups)
        ratio = float(fisher_loss(points[rows], groups[rows]))
        places = tsne(points[rows].numpy(), seed=0)
        panels.append((f"{title}: within / between {ratio:.2f}", places, groups[rows].numpy()))
    return scatter_panels(panels)


def _some(groups: Tensor) -> Tensor:
    """Random rows of the largest groups, equally many of each that has so many."""
    generator = torch.Generator().manual_seed(0)
    largest = groups.bincount().argsort(descending=True, stable=True)[:CLUSTERS]
    parts = []
    for group in largest.tolist():
        rows = (groups == group).nonzero().squeeze(1)
        parts.append(rows[torch.randperm(len(rows), generator=generator)[: FEATURES // CLUSTERS]])
    return torch.cat(parts)
