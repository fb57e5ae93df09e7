"""A picture of which classes were taken for which."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import altair as alt
import torch
import vl_convert

if TYPE_CHECKING:
    from torch import Tensor

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
