"""Pictures of an evaluation: confusion matrices and clips of the top clusters."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from harness.pictures.sheet import Frame, moving_sheet, sheet
from harness.system.text import printable

if TYPE_CHECKING:
    from torch import Tensor

    from harness.evaluators.labelled_features import ClusteringSamples
    from harness.values import Evaluation


def confusion_matrix(labels: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """Count videos by true class (row) and predicted class (column): (C, C) int64.

    Args:
        labels: (N,) int64.
        predicted: (N,) int64.
        classes: C.

    >>> confusion_matrix(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    return torch.bincount(labels * classes + predicted, minlength=classes**2).view(classes, classes)


def with_confusion(evaluation: Evaluation, classes: Sequence[str]) -> Evaluation:
    """Add the picture `confusion` of the first repeat to an evaluation."""
    predictions = evaluation.predictions
    assert predictions is not None
    picture = confusion_picture(torch.tensor(predictions.labels), torch.tensor(predictions.predicted[0]), classes)
    return dataclasses.replace(evaluation, pictures={**evaluation.pictures, "confusion": picture})


def confusion_picture(labels: Tensor, predicted: Tensor, classes: Sequence[str]) -> bytes:
    """Draw the confusion matrix as a PNG: shares of each class's videos.

    Args:
        labels: (N,) int64.
        predicted: (N,) int64.
        classes: names, in the order of rows and columns.
    """
    import altair as alt  # evaluators that draw nothing do without
    import vl_convert

    counts = confusion_matrix(labels, predicted, len(classes)).cpu()
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    rows, columns = counts.nonzero(as_tuple=True)
    records = [
        {"true": i, "taken for": j, "share": round(float(shares[i, j]), 4)}
        for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
    ]
    step = 22 if len(classes) <= 30 else 10
    names = [printable(name, NAME) for name in classes]
    axis: dict[str, Any] = {
        "labelExpr": f"{json.dumps(names)}[datum.value]",
        "labelLimit": 150,
        "labelFontSize": min(11, step),
        "ticks": False,
        "domain": False,
    }
    domain = list(range(len(classes)))
    chart = (
        alt.Chart(alt.InlineData(values=records))
        .mark_rect()
        .encode(
            x=alt.X("taken for:O", scale=alt.Scale(domain=domain), axis=alt.Axis(labelAngle=-90, grid=False, **axis)),
            y=alt.Y("true:O", scale=alt.Scale(domain=domain), axis=alt.Axis(grid=False, **axis)),
            color=alt.Color("share:Q", scale=alt.Scale(scheme="blues", domain=[0, 1]), title="share of the true class"),
        )
        .properties(width=alt.Step(step), height=alt.Step(step))
        .configure(background="white", font="Liberation Sans, Helvetica Neue, Helvetica, Arial, sans-serif")
        .configure_view(stroke="#e6e9ee")
    )
    content: bytes = vl_convert.vegalite_to_png(chart.to_dict())
    return content


NAME = 24
"""Characters of a class's name beside a confusion matrix."""
ROWS, COLUMNS = 6, 8
HEIGHT, MOVING_HEIGHT = 80, 64
"""Height of a frame in pixels, still and moving, of which a picture has many."""
MOMENTS = 8
"""Frames that show a clip in motion, evenly spaced over it."""

BORDER, COLOUR = 4, (213, 94, 0)
"""Border of frames of other classes: vermilion of Okabe and Ito's palette."""


def information_gain(labels: Tensor, clusters: Tensor) -> Tensor:
    """Bits each cluster adds to the mutual information with classes: (K,) float64.

    p(cluster) times the divergence of its classes from those of all videos; they sum to H(class) - H(class | cluster).

    Args:
        labels: (N,) int64.
        clusters: (N,) int64, in [0, K).

    >>> information_gain(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 1, 1])).tolist()
    [0.5, 0.5]
    """
    table = torch.zeros(int(clusters.max()) + 1, int(labels.max()) + 1, dtype=torch.float64, device=labels.device)
    table.index_put_((clusters, labels), table.new_ones(()), accumulate=True)
    joint = table / len(labels)
    expected = joint.sum(0) * joint.sum(1, keepdim=True)
    return torch.where(joint > 0, joint * (joint / expected).log2(), 0.0).sum(1)


def top_clusters(samples: ClusteringSamples, clusters: Tensor, *, seed: int) -> bytes:
    """Draw samples of the 6 clusters with the highest information gain as a PNG.

    A row shows 8 random samples of a cluster, its size and its most frequent class; samples of other classes have a
    border in vermilion. Samples of several frames move: the PNG is animated, and a still where that is not shown.

    Args:
        samples: N videos, clips or frames.
        clusters: (N,) int64.
        seed: of the choice of samples.

    Raises:
        DataError: when a video does not decode.

    Source: the figure of top clusters in Redondo-Cabrera and López-Sastre, "Unsupervised learning from videos using
    temporal coherency deep networks", CVIU 2019; moving clips in place of figures 2 and 3 of Tokmakov et al.,
    "Unsupervised learning of video representations via dense trajectory clustering", 2020.
    """
    features = samples.features
    labels, moving = features.labels, any(first < last for first, last in samples.spans)
    order = torch.sort(information_gain(labels, clusters), descending=True, stable=True).indices[:ROWS].tolist()
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for cluster in order:
        members = (clusters == cluster).nonzero().flatten().cpu()
        if not len(members):
            continue
        own = labels.cpu()[members]
        name = int(own.bincount().argmax())
        share = float((own == name).double().mean())
        chosen = members[torch.randperm(len(members), generator=generator)[:COLUMNS]].sort().values.tolist()
        shown = [_clip(samples, one, other=int(labels[one]) != name, moving=moving) for one in chosen]
        rows.append((f"{printable(features.classes[name])}\n{share:.0%} of {len(members)}", shown))
    if moving:
        return moving_sheet(rows, MOVING_HEIGHT)
    return sheet([(text, [clip[0] for clip in clips]) for text, clips in rows], HEIGHT)


def _clip(samples: ClusteringSamples, sample: int, *, other: bool, moving: bool) -> list[Frame]:
    """Read the frame that shows a sample, and those of its motion.

    With a border when it is of another class.
    """
    first, last = samples.spans[sample]
    moments = np.linspace(first, last, MOMENTS).round().astype(int).tolist() if first < last else []
    height = MOVING_HEIGHT if moving else HEIGHT
    frames = samples.features.split.read(sample, [samples.frames[sample], *moments], short_side=height).numpy()
    return [_bordered(frame, height) if other else frame for frame in frames]


def _bordered(frame: Frame, height: int) -> Frame:
    width = max(1, round(BORDER * frame.shape[0] / height))
    inside = frame[width:-width, width:-width]
    frame = np.full_like(frame, np.array(COLOUR, dtype=np.uint8))
    frame[width:-width, width:-width] = inside
    return frame
