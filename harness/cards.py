"""Cards of methods, backbones, data sets and evaluators, known without imports."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

from harness.errors import UsageError

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")

Need = Literal["vector", "tokens", "maps", "blocks", "trainable", "feature_map", "pretext"]
"""Abilities of encoders that evaluators ask for.

- `vector`: (D,) for each clip; `tokens`: (N, D) for each clip, see `harness.values.as_tokens`
- `maps`: (C, H, W) or (C, T, H, W) for each clip
- `blocks`: the features of several encoders, kept apart
- `trainable`: a network that can be trained on
- `feature_map`: a network with a layer whose output is a map (B, c, h, w) or (B, c, t, h, w)
- `pretext`: the network of the pretext task, which its method's own evaluator measures
"""

Read = Literal["backbone", "pretraining", "budget", "seed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """Publication of a method, backbone, data set or protocol."""

    title: str
    authors: str
    year: int
    venue: str
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Clips and crops that an encoder sees of a video.

    A clip is `frames` frames, `stride` apart; `clips` of them are spread evenly over the video. With the stride
    `uniform` a clip's frames are spread evenly over the whole video instead. Each frame's short side is resized to
    `resize` pixels (default: `size`), and `crops` squares of `size` pixels are cut out: 1 is the centre; 3 are the two
    ends and the centre of the longer side; 5 are the corners and the centre; 10 are these and their mirror images. The
    harness averages an encoder's vectors over clips and crops, unless an evaluator's option says otherwise.

    Raises:
        ValueError: when a number is not positive, a crop would be larger than the frame, or several clips are asked
            for where each of them spans the video.
    """

    frames: int = 16
    stride: int | Literal["uniform"] = 1
    size: int = 112
    resize: int | None = None
    clips: int = 1
    crops: Literal[1, 3, 5, 10] = 1

    def __post_init__(self) -> None:
        stride = 1 if self.stride == "uniform" else self.stride
        if min(self.frames, stride, self.size, self.clips) < 1:
            msg = f"a view's numbers must be at least 1, got {self}"
            raise ValueError(msg)
        if self.stride == "uniform" and self.clips > 1:
            msg = f"a clip of uniform stride spans the video, so that a video has one clip, got clips={self.clips}"
            raise ValueError(msg)
        if self.short_side < self.size:
            msg = f"a view cannot crop {self.size} pixels from a frame resized to {self.short_side}"
            raise ValueError(msg)

    @property
    def count(self) -> int:
        """Clips and crops of a video."""
        return self.clips * self.crops

    @property
    def short_side(self) -> int:
        """Short side of a frame before the crop, in pixels."""
        return self.size if self.resize is None else self.resize

    @property
    def step(self) -> int:
        """Frames from one frame of a clip to the next.

        Raises:
            UsageError: when the stride is uniform, so that it depends on the video.
        """
        if self.stride == "uniform":
            msg = "expected a view whose stride is a number of frames, got 'uniform', which depends on the video"
            raise UsageError(msg)
        return self.stride

    @property
    def span(self) -> int:
        """Frames from the first to the last of a clip, both counted; errors as in `step`."""
        return (self.frames - 1) * self.step + 1


@dataclass(frozen=True, slots=True)
class WholeVideo:
    """View of an encoder that is shown every frame of a video at the file's own size."""

    @property
    def count(self) -> int:
        """Clips and crops of a video: 1."""
        return 1


@dataclass(frozen=True, slots=True)
class Elsewhere(WholeVideo):
    """View of vectors that were computed elsewhere, of frames that nobody here knows."""


def in_words(view: View | WholeVideo) -> str:
    """A view in a few words: frames x stride, and pixels.

    >>> in_words(View(frames=16, stride=2, size=112)), in_words(View(frames=1)), in_words(WholeVideo())
    ('16×2, 112 px', '1 frame, 112 px', 'whole videos')
    """
    if isinstance(view, Elsewhere):
        return "vectors computed elsewhere"
    if isinstance(view, WholeVideo):
        return "whole videos"
    frames = f"{view.frames}×{view.stride}" if view.frames > 1 else "1 frame"
    size = f"{view.size} px" if view.short_side == view.size else f"{view.size} of {view.short_side} px"
    return f"{frames}, {size}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Place of a metric on a curve of its card, such as accuracy over shots."""

    curve: str
    """Name of the curve, when a card has several: `elbow`, `wrist`."""
    axis: str
    """Quantity that `at` counts: `videos a class`."""
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
    unit: Literal["%", "bits", "nats", "1", "clips/s", "MiB", "GFLOP", "M"]
    higher_is_better: bool
    bounds: tuple[float | None, float | None] = (0.0, None)
    statistic: str = ""
    point: Point | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """Name, summary and licence, which every kind of card states.

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
    """A method, and where it departs from its paper.

    One that reads labels is `supervised`: a reference, never ranked.
    """

    supervised: bool = False
    reads: frozenset[Read] = frozenset({"backbone", "pretraining", "budget", "seed"})
    """Parts of a fit that change its encoder; fits that differ in others only are one."""
    deviations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BackboneCard(Card):
    """A backbone: shape of its vectors and names of its inner layers.

    Layers are named as `torch.nn.Module.get_submodule` finds them.
    """

    dim: int
    layers: tuple[str, ...] = ()
    """Layers whose outputs can be asked for as vectors, such as `fc6`."""
    spatial: str = ""
    """Layer whose output is a map (B, c, h, w) or (B, c, t, h, w); empty for none."""
    tokens: str = ""
    """Layer whose outputs are tokens (B, N, D), or a map; `spatial` when empty."""
    length: int | None = None
    """Vectors of a clip in order, (B, length, dim); one, (B, dim), when None."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a clip's output."""
        return (self.dim,) if self.length is None else (self.length, self.dim)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetCard(Card):
    """A data set: its splits and the labels its videos carry."""

    splits: tuple[str, ...] = ("train", "test")
    labels: tuple[str, ...] = ("action",)
    """Kinds of which each video has one class."""
    multilabels: tuple[str, ...] = ()
    """Kinds of which each video has a set of classes, which may be empty."""
    targets: tuple[str, ...] = ()
    """Numbers that each video has, for regression."""
    joints: bool = False
    located: bool = False
    """True if the user says where its files lie: `harness dataset add`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatorCard(Card):
    """An evaluator: source of its protocol, needs, metrics with the primary one first.

    One that measures `time` gives other numbers every time, and on every machine.
    """

    protocol: str
    time: bool = False
    sets: bool = False
    """True if its `label` names a kind of which videos have sets of classes."""
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
