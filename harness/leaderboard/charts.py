"""Style and layout that all plots share, over Altair and Vega-Lite."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import altair as alt
import cv2
import numpy as np
import vl_convert

from harness.leaderboard.text import TITLE
from harness.system.text import one_line

METHOD, REFERENCE, LABELLED, CHANCE = "#0072b2", "#d55e00", "#009e73", "#5f6b7a"
"""Colours of Okabe and Ito's palette that all colour vision tells apart, and grey."""

INK, SOFT, GRID = "#1c2530", "#4a5563", "#e6e9ee"
FONT = "Liberation Sans, Helvetica Neue, Helvetica, Arial, sans-serif"
CONFIG = alt.Config(
    font=FONT,
    background="white",
    padding=14,
    view=alt.ViewConfig(stroke=None),
    title=alt.TitleConfig(
        anchor="start", frame="group", fontSize=13, color=INK, subtitleFontSize=11, subtitleColor=SOFT, offset=8
    ),
    axis=alt.AxisConfig(labelFontSize=11, labelColor=SOFT, gridColor=GRID),
    axisY=alt.AxisConfig(labelFontSize=12, labelColor=INK),
)
LINE = 13
"""Height of a line of a label in pixels."""
KINDS = {"method": METHOD, "reference": REFERENCE, "labelled": LABELLED}
"""Colours by `Row.kind`."""

_TOP = ("$schema", "config")
"""Keys that a specification has once, at its top."""

Spec = dict[str, Any]
"""Vega-Lite specification."""
Record = dict[str, str | float | None]
Datasets = dict[str, list[Record]]
"""Records of a specification's charts by name."""


def chart_of(records: list[Record], datasets: Datasets) -> alt.Chart:
    """Make a chart that names its records; Altair copies those that it holds."""
    name = f"data-{len(datasets) + 1}"
    datasets[name] = records
    return alt.Chart(alt.NamedData(name=name))


def beside(panels: Sequence[alt.LayerChart], spacing: int) -> Spec:
    """Put panels in a line."""
    # Altair's own concatenation, validation and `configure` copy all charts at every step: two thirds of the time.
    specs = [panel.to_dict(validate=False) for panel in panels]
    return {"hconcat": [{k: v for k, v in spec.items() if k not in _TOP} for spec in specs], "spacing": spacing}


def below(lines: Sequence[Spec], spacing: int) -> Spec:
    """Put lines of panels below each other, each with axes of its own."""
    return {"vconcat": list(lines), "spacing": spacing, "resolve": {"scale": {"x": "independent", "y": "independent"}}}


def figure(lines: Spec, title: alt.TitleParams, datasets: Datasets) -> Spec:
    """Complete a specification: schema, style, title and data."""
    top = {"$schema": alt.SCHEMA_URL, "title": title.to_dict(validate=False), "config": CONFIG.to_dict()}
    return {**top, **lines, "datasets": datasets}


def heading(text: str, *lines: str) -> alt.TitleParams:
    """Title of a whole plot, with lines of explanation under it."""
    return alt.TitleParams(
        one_line(text, TITLE), subtitle=[line for line in lines if line], fontSize=16, subtitleFontSize=12, offset=14
    )


def png(specification: Spec) -> bytes:
    """Draw a plot on white, two pixels a point."""
    content: bytes = vl_convert.vegalite_to_png(specification, scale=2)
    # Written again, because OpenCV's compression makes boards that live in git four times smaller; plots of few colours
    # are smallest without a filter, and five times as fast at level 6 as at 9.
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    smallest = [cv2.IMWRITE_PNG_COMPRESSION, 6, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_NONE]
    return cv2.imencode(".png", pixels, smallest)[1].tobytes()


def wrapped(labels: Sequence[str], length: int) -> list[str]:
    r"""Break labels of rows into as many lines each, the text in their middle.

    The first break is between the method and what distinguishes it.

    Args:
        labels: of all rows, which stay as they are where each has at most `length` characters.
        length: of a line.

    >>> labels = ["sfa", "slow_feature_analysis(components=64, prior=True) · ucf101"]
    >>> wrapped(labels, 99) == labels, wrapped(labels, 44)
    (True, ['\nsfa\n', 'slow_feature_analysis(components=64,\nprior=True)\nucf101'])
    """
    if all(len(label) <= length for label in labels):
        return list(labels)
    texts = [
        [line for part in label.split(" · ") for line in textwrap.wrap(part, length, break_on_hyphens=False)]
        for label in labels
    ]
    most = max(map(len, texts))
    missing = [most - len(lines) for lines in texts]
    return [
        "\n" * (blank // 2) + "\n".join(lines) + "\n" * (blank - blank // 2)
        for blank, lines in zip(missing, texts, strict=True)
    ]
