"""What is known of a method, backbone, data set or evaluator without importing it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

Need = Literal["vector", "trainable", "feature_map"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """Where something was published."""

    title: str
    authors: str
    year: int
    venue: str
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What an encoder wants to see of a video.

    A clip is `frames` frames, `stride` apart. `clips` of them are spread evenly over the video. Each frame's
    short side is resized to `resize` pixels (default: `size`), and `crops` squares of `size` pixels are cut out: 1 is
    the centre; 3 are the two ends and the centre of the longer side; 5 are the corners and the centre; 10 are these
    and their mirror images. The harness averages an encoder's vectors over clips and crops.

    With `whole`, an encoder is shown every frame of a video at the file's own size, and no other number counts.

    Raises:
        ValueError: when a number is not positive, or a crop would be larger than the frame.
    """

    frames: int = 16
    stride: int = 1
    size: int = 112
    resize: int | None = None
    clips: int = 1
    crops: Literal[1, 3, 5, 10] = 1
    whole: bool = False

    def __post_init__(self) -> None:
        if min(self.frames, self.stride, self.size, self.clips) < 1:
            msg = f"a view's numbers must be at least 1, got {self}"
            raise ValueError(msg)
        if self.short_side < self.size:
            msg = f"a view cannot crop {self.size} pixels from a frame resized to {self.short_side}"
            raise ValueError(msg)

    @property
    def count(self) -> int:
        """Clips and crops of a video."""
        return 1 if self.whole else self.clips * self.crops

    @property
    def short_side(self) -> int:
        """The frame's short side before the crop, in pixels."""
        return self.size if self.resize is None else self.resize

    @property
    def span(self) -> int:
        """Frames from the first to the last of a clip, both counted."""
        return (self.frames - 1) * self.stride + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Where a metric lies on a curve that several metrics of a card make: accuracy over shots, PDJ over thresholds."""

    curve: str
    """What the curve is of, when a card has several: `elbow`, `wrist`."""
    axis: str
    """What `at` counts: `videos a class`."""
    at: float | None
    """None for all there are, which stands behind every number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One number an evaluator gives.

    `statistic` names the function of `harness.functional.statistics` that computes it from what is stored of each
    video, so that intervals can be recomputed; empty where it has none. `mean` is the one that is computed from
    `Predictions.values`, all others from labels and predicted classes.
    """

    id: str
    title: str
    unit: Literal["%", "bits", "1", "clips/s", "MiB", "GFLOP", "M"]
    higher_is_better: bool
    bounds: tuple[float | None, float | None] = (0.0, None)
    statistic: str = ""
    point: Point | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What every kind states: a short name, one line, and the terms it may be used under.

    Raises:
        ValueError: when the name is not lower-case letters, digits, '.', '_' and '-' (64 at most), or the summary is
            empty.
    """

    name: str
    summary: str
    licence: str = "Apache-2.0"
    paper: Paper | None = None

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            msg = f"{self.name!r} is not a short name: lower-case letters, digits, '.', '_', '-', 64 at most"
            raise ValueError(msg)
        if not self.summary.strip():
            msg = f"the card of {self.name!r} needs a summary of one line"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodCard(Card):
    """A method: what its encoders offer, and where it departs from its paper.

    One that reads labels is `supervised`: a reference, never ranked.
    """

    supervised: bool = False
    offers: frozenset[Need] = frozenset({"vector", "trainable"})
    deviations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneCard(Card):
    """A backbone: the view it expects, the length of its vector, and how RGB in [0, 1] is normalised for it.

    One with a `feature_map` builds networks whose attribute of that name is a module, normalised float images
    (B, C, H, W) -> (B, c, h, w). One that names `layers` builds networks with a method `until(name) -> nn.Module`, the
    same network up to that layer, with the same weights: normalised float clips (B, C, T, H, W) -> (B, length).
    """

    dim: int
    view: View
    feature_map: bool = False
    layers: Mapping[str, int] = field(default_factory=dict, hash=False)
    """Length of the vectors of each layer that can be asked for, such as `fc6`; the last one is what `dim` is of."""
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    std: tuple[float, float, float] = (0.25, 0.25, 0.25)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetCard(Card):
    """A data set: its splits and the labels its videos carry."""

    splits: tuple[str, ...] = ("train", "test")
    labels: tuple[str, ...] = ("action",)
    joints: bool = False
    located: bool = False
    """Whether the user says where its files lie: `harness dataset add`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatorCard(Card):
    """An evaluator: its protocol's source, what it needs of an encoder, and its metrics, the primary one first.

    One that measures `time` gives other numbers every time, and on every machine.
    """

    protocol: str
    time: bool = False
    needs: frozenset[Need] = field(default_factory=lambda: frozenset({"vector"}))
    metrics: tuple[Metric, ...]

    def __post_init__(self) -> None:
        Card.__post_init__(self)
        if not self.metrics:
            msg = f"the card of evaluator {self.name!r} needs at least one metric"
            raise ValueError(msg)

    @property
    def primary(self) -> Metric:
        """The metric that ranks."""
        return self.metrics[0]
