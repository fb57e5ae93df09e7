"""Confusion matrices and montages of clusters."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import torch
import vl_convert

from harness.pictures.sheet import Frame, sheet

if TYPE_CHECKING:
    from torch import Tensor

    from harness.evaluators.labelled_features import Labelled
    from harness.interfaces import Evaluation


def confusion(labels: Tensor, predicted: Tensor, classes: int) -> Tensor:
    """(C, C) int64: how many videos of each class (row) were taken for each (column).

    Args:
        labels: (N,) int64.
        predicted: (N,) int64.
        classes: C.

    >>> confusion(torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    return torch.bincount(labels * classes + predicted, minlength=classes**2).view(classes, classes)


def with_confusion(evaluation: Evaluation, classes: Sequence[str]) -> Evaluation:
    """The evaluation with the picture `confusion` of its first repeat."""
    predictions = evaluation.predictions
    assert predictions is not None
    picture = confusion_picture(torch.tensor(predictions.labels), torch.tensor(predictions.predicted[0]), classes)
    return dataclasses.replace(evaluation, pictures={**evaluation.pictures, "confusion": picture})


def confusion_picture(labels: Tensor, predicted: Tensor, classes: Sequence[str]) -> bytes:
    """A PNG of the confusion matrix: shares of each class's videos, in the order of `classes`.

    Args:
        labels: (N,) int64.
        predicted: (N,) int64.
        classes: names.
    """
    counts = confusion(labels, predicted, len(classes)).cpu()
    shares = counts / counts.sum(1, keepdim=True).clamp(min=1)
    rows, columns = counts.nonzero(as_tuple=True)
    records = [
        {"true": i, "taken for": j, "share": round(float(shares[i, j]), 4)}
        for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
    ]
    step = 22 if len(classes) <= 30 else 10
    names = [" ".join(name.split())[:24] for name in classes]
    labelled = f"{json.dumps(names)}[datum.value]"
    axis: dict[str, Any] = {
        "labelExpr": labelled,
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


ROWS, COLUMNS = 6, 8
HEIGHT = 80
"""Of a frame, in pixels."""

BORDER, COLOUR = 4, (213, 94, 0)
"""Around frames of other classes than the cluster's: vermilion of Okabe and Ito's palette."""


def told(labels: Tensor, clusters: Tensor) -> Tensor:
    """How many bits each cluster adds to the mutual information of class and cluster: (K,) float64.

    p(cluster) times the divergence of its classes from those of all videos; they sum to H(class) - H(class | cluster).

    Args:
        labels: (N,) int64.
        clusters: (N,) int64, in [0, K).

    >>> told(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 1, 1])).tolist()
    [0.5, 0.5]
    """
    table = torch.zeros(int(clusters.max()) + 1, int(labels.max()) + 1, dtype=torch.float64, device=labels.device)
    table.index_put_((clusters, labels), table.new_ones(()), accumulate=True)
    joint = table / len(labels)
    expected = joint.sum(0) * joint.sum(1, keepdim=True)
    return torch.where(joint > 0, joint * (joint / expected).log2(), 0.0).sum(1)


def top_clusters(points: Labelled, frames: Sequence[int], clusters: Tensor, *, seed: int) -> bytes:
    """A PNG with a row for each of the 6 clusters that tell most: the frames of 8 random points of the cluster.

    Beside them the cluster's size and its most frequent class; points of other classes have a border in vermilion.

    Args:
        points: N videos, or clips of them.
        frames: the number of the frame that shows each.
        clusters: (N,) int64.
        seed: of the choice of points.

    Raises:
        DataError: when a video does not decode.

    Source: the figure of top clusters in Redondo-Cabrera and López-Sastre, "Unsupervised learning from videos using
    temporal coherency deep networks", CVIU 2019.
    """
    labels = points.labels
    order = torch.sort(told(labels, clusters), descending=True, stable=True).indices[:ROWS].tolist()
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
        shown = [_frame(points, point, frames[point], other=int(labels[point]) != name) for point in chosen]
        rows.append((f"{points.classes[name]}\n{share:.0%} of {len(members)}", shown))
    return sheet(rows, HEIGHT)


def _frame(points: Labelled, point: int, number: int, *, other: bool) -> Frame:
    frame: Frame = points.split.read(point, [number], short_side=HEIGHT)[0].numpy()
    if other:
        width = max(1, round(BORDER * frame.shape[0] / HEIGHT))
        inside = frame[width:-width, width:-width]
        frame = np.full_like(frame, np.array(COLOUR, dtype=np.uint8))
        frame[width:-width, width:-width] = inside
    return frame
