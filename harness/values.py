"""Values that methods, encoders, backbones, data sets and evaluators exchange."""

from __future__ import annotations

from collections.abc import Mapping, Sized
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from harness.cards import NAME, Need, View, WholeVideo, in_words
from harness.errors import PluginError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of whole pixels, which may reach beyond the picture.

    Raises:
        ValueError: when it has no pixels.
    """

    left: int
    top: int
    right: int
    bottom: int
    """The first row, and column, that no longer belongs to it."""

    def __post_init__(self) -> None:
        if self.right <= self.left or self.bottom <= self.top:
            msg = f"a box needs at least one pixel, got {self}"
            raise ValueError(msg)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.right - self.left, self.bottom - self.top


@dataclass(frozen=True, slots=True)
class Video:
    """One video of a data set."""

    id: str
    """Unique in its data set; says nothing in an unlabelled split."""
    path: Path
    """File to decode; in an unlabelled split it leads nowhere, and the split reads."""
    frames: int
    """Frames that decode, not what the header claims."""
    fps: float
    width: int
    height: int
    """Pixels."""
    group: str = ""
    """Videos of one group show one scene, and are never on both sides of a split."""
    labels: Mapping[str, int] = field(default_factory=dict)
    """Class index of each kind of label ("action", "scene"); empty where unlabelled."""
    joints: Path | None = None
    """An .npz with `joints` (T, 9, 2) float32 in pixels and `visible` (T, 9) bool.

    In FLIC's order, `harness.functional.pose.JOINTS`.
    """
    box: Box | None = None
    """Part of the picture that counts, where it is not the whole.

    `width` and `height` are its size.
    """
    content: str = ""
    """Hash of the file's bytes, for caches and to find copies; empty where unknown.

    A video that is made of others has a hash of what it takes from them.
    """
    multilabels: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Class indices of each multi-label kind, ascending, maybe none."""
    targets: Mapping[str, float] = field(default_factory=dict)
    """Finite number of each regression target."""


@dataclass(frozen=True, slots=True)
class VideoBatch:
    """Clips on their way to an encoder.

    Raises:
        ValueError: when `clips` is not (B, 3, T, H, W) uint8.
    """

    clips: Tensor
    """(B, C, T, H, W) uint8 RGB, on the encoder's device."""
    flow: Tensor | None = None
    """(B, 2, T, H, W) optical flow in pixels, where the encoder's inputs ask for it."""

    def __post_init__(self) -> None:
        if self.clips.ndim != 5 or self.clips.shape[1] != 3 or str(self.clips.dtype) != "torch.uint8":
            msg = f"clips must be (B, 3, T, H, W) uint8, got {tuple(self.clips.shape)} {self.clips.dtype}"
            raise ValueError(msg)

    def __len__(self) -> int:
        return int(self.clips.shape[0])

    def stream(self, kind: Literal["rgb", "flow"]) -> Tensor:
        """Pixels of one kind.

        Raises:
            PluginError: when optical flow is asked for and the batch has none.
        """
        if kind == "rgb":
            return self.clips
        if self.flow is None:
            msg = (
                "expected a batch with optical flow, got clips alone; the encoder's inputs have to name the kind 'flow'"
            )
            raise PluginError(msg)
        return self.flow


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Budget and seed of a fit, never chosen by the method."""

    frames: int
    """Training frames the network may be shown over the whole fit.

    A clip of 16 counts 16, a tuple of 4 counts 4.
    """
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Input of a network: its view of a video, and the normalisation of pixels.

    An input is (pixel * scale - mean) / std in each channel. Flow has the channels x and y, in pixels.

    Raises:
        ValueError: when mean and std are not one number a channel, or a std or the scale is not positive.
    """

    view: View | WholeVideo
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.25, 0.25, 0.25)
    scale: float = 1 / 255
    order: Literal["rgb", "bgr"] = "rgb"
    kind: Literal["rgb", "flow"] = "rgb"

    def __post_init__(self) -> None:
        channels = 3 if self.kind == "rgb" else 2
        if not len(self.mean) == len(self.std) == channels or min(*self.std, self.scale) <= 0:
            msg = (
                f"expected mean and std of {channels} channels, std and scale positive, "
                f"got mean {self.mean}, std {self.std}, scale {self.scale}"
            )
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Recipe:
    """Python that builds and runs a network with its library alone."""

    library: str
    """Module to import: `timm`."""
    network: str
    """Expression of the network; its weights have the names of the saved ones."""
    vectors: str = "network(clips)"
    """Expression of the vectors of normalised `clips`."""
    classifier: str = ""
    """Name of the submodule that is replaced by an identity; empty for none."""
    strict: bool = True
    """False where the saved weights lack some, on which no vector depends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """Properties of an encoder, known before the fit and checked after it.

    Tokens and maps are read as `as_tokens` says, and give vectors too: their means. What follows from the shape and
    the layers is added to what the encoder offers.

    Raises:
        ValueError: when there is no view, one has several clips or crops, the shape has other than 1 to 4 axes, or
            `feature_map` is offered without a spatial layer or the reverse.

    >>> sorted(Promise(views=(View(),), shape=(1568, 768)).offers)
    ['tokens', 'vector']
    """

    views: tuple[View | WholeVideo, ...]
    """Views of a video, the encoder's own first; a composite has those of its parts."""
    shape: tuple[int | None, ...]
    """Shape of a clip's features, (D,) for a vector; None where the fit decides."""
    offers: frozenset[Need] = frozenset({"vector"})
    layers: tuple[str, ...] = ()
    """Layers whose outputs can be asked for as vectors."""
    spatial: str = ""
    """Layer whose output is a map (B, c, h, w) or (B, c, t, h, w); empty for none."""
    tokens: str = ""
    """Layer whose outputs are tokens; `spatial` when empty."""

    def __post_init__(self) -> None:
        if not self.views:
            msg = "expected at least one view in a promise, got none"
            raise ValueError(msg)
        for view in self.views:
            if view.count != 1:
                msg = f"an encoder sees one clip and crop; how many are averaged is an evaluator's option, got {view}"
                raise ValueError(msg)
        if ("feature_map" in self.offers) != bool(self.spatial):
            msg = f"'feature_map' is offered exactly by encoders with a spatial layer, got {self}"
            raise ValueError(msg)
        if not 1 <= len(self.shape) <= 4:
            msg = f"expected features (D,), (N, D), (C, H, W) or (C, T, H, W) of a clip, got {self.shape}"
            raise ValueError(msg)
        implied: set[Need] = {"vector"} if len(self.shape) > 1 else set()
        implied |= {"tokens"} if len(self.shape) > 1 or self.token_layer else set()
        implied |= {"maps"} if len(self.shape) > 2 else set()
        object.__setattr__(self, "offers", self.offers | implied)

    def kept_by(self, other: Promise) -> bool:
        """True if an encoder that is `other` keeps this promise.

        >>> before, after = (Promise(views=(WholeVideo(),), shape=(size,)) for size in (None, 512))
        >>> before.kept_by(after), after.kept_by(before)
        (True, False)
        """
        same = len(self.shape) == len(other.shape) and all(
            mine is None or mine == theirs for mine, theirs in zip(self.shape, other.shape, strict=True)
        )
        return same and replace(self, shape=other.shape) == other

    @property
    def view(self) -> View | WholeVideo:
        """View that the encoder sees unless another one is asked for."""
        return self.views[0]

    @property
    def dim(self) -> int | None:
        """Length of a clip's vector, or of its tokens; None where the fit decides."""
        return self.shape[-1] if len(self.shape) == 2 else self.shape[0]

    @property
    def token_layer(self) -> str:
        """Layer of the tokens; empty where the encoder's own features are them."""
        return "" if len(self.shape) > 1 else self.tokens or self.spatial

    @property
    def sees(self) -> str:
        """The views in words."""
        return " + ".join(map(in_words, self.views))


def as_tokens(features: Tensor) -> Tensor:
    """View features of B clips as tokens: (B, *shape) -> (B, N, D).

    Tokens (N, D) stay; each place of a map (C, H, W) or (C, T, H, W), channels first, is a token of C numbers, in the
    order of time, rows and columns; a vector (D,) is one token.

    >>> import torch
    >>> shapes = [(512,), (1568, 768), (512, 14, 14), (128, 2, 8, 8)]
    >>> [tuple(as_tokens(torch.zeros(5, *shape)).shape[1:]) for shape in shapes]
    [(1, 512), (1568, 768), (196, 512), (128, 128)]
    """
    if features.ndim == 3:
        return features
    return features.flatten(2).mT if features.ndim > 3 else features[:, None]


Precision = Literal["float32", "float16"]
"""Types that features are stored in."""

ComputePrecision = Literal["fp32", "bf16"]
"""Precisions in which networks multiply: float32, or bfloat16 by autocast."""

Aggregate = Literal["mean", "max"]
"""Ways to make one vector of those of a video's clips and crops."""


Join = Literal["concat", "blocks"]
"""Ways to join rows: concatenate vectors, or keep blocks apart for kernels."""


def joined_promise(parts: tuple[Promise, ...], by: Join) -> Promise:
    """Promise of a composite.

    >>> one = Promise(views=(View(),), shape=(3,))
    >>> joined_promise((one, one), "concat").shape
    (6,)

    Raises:
        ValueError: when there are fewer than two parts, or one gives no vectors.
    """
    if len(parts) < 2 or any("vector" not in part.offers for part in parts):
        msg = f"expected at least two parts that give vectors, got {[sorted(part.offers) for part in parts]}"
        raise ValueError(msg)
    lengths = [part.dim for part in parts]
    return Promise(
        views=tuple(dict.fromkeys(view for part in parts for view in part.views)),
        shape=(None if None in lengths else sum(length for length in lengths if length is not None),),
        offers=frozenset({"vector"} if by == "concat" else {"vector", "blocks"}),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """Features that an evaluator asks for, beside what the encoder's promise says.

    Raises:
        ValueError: when a number is below 1.
    """

    split: str = "test"
    layer: str | None = None
    """Layer whose outputs are the features; the encoder's own vectors when None."""
    clips: int | None = None
    """Clips of a video; 1 when None, unless the evaluator is given another number."""
    crops: Literal[1, 3, 5, 10] | None = None
    """Crops of a clip; 1 when None, unless the evaluator is given another number."""
    shuffle: int | None = None
    """Seed of a random order of each clip's frames; time's order when None."""
    frames: int | None = None
    """Stride of frames encoded as videos of their own; whole videos when None."""
    precision: Precision = "float32"
    """Type that features are stored in."""
    tokens: bool = False
    """Tokens of the encoder, or of the layer, in place of vectors."""
    aggregate: Aggregate = "mean"
    """Reduction of the vectors of clips and crops to one, after they are stored."""

    def __post_init__(self) -> None:
        for name in ("clips", "frames"):
            number = getattr(self, name)
            if number is not None and number < 1:
                msg = f"expected {name} of an encoding to be at least 1, got {number}"
                raise ValueError(msg)


class Batch(NamedTuple):
    """Examples of one training step.

    >>> import torch
    >>> Batch(torch.zeros(2, 3, 16, 8, 8, dtype=torch.uint8)).shown
    32
    """

    inputs: Tensor | Mapping[str, Tensor]
    """(N, C, T, H, W) uint8 RGB, or flow in pixels, before normalisation.

    By name for a network of several streams.
    """
    targets: Tensor | None = None
    """Anything else the loss needs: classes, indices of videos, ..."""
    frames: int | None = None
    """Training frames shown to the network; N * T of the longest stream when None."""

    @property
    def shown(self) -> int:
        """Training frames that the network is shown."""
        if self.frames is not None:
            return self.frames
        streams = self.inputs.values() if isinstance(self.inputs, Mapping) else [self.inputs]
        return max(stream.shape[0] * stream.shape[2] for stream in streams)


@dataclass(frozen=True, slots=True)
class Score:
    """Value of a metric, and the one of an encoder that knows nothing."""

    metric: str
    value: float
    baseline: float | None = None


@dataclass(frozen=True, slots=True)
class Predictions:
    """Predictions for each test video, so that statistics can be redone.

    Raises:
        ValueError: when a row has not one entry for each video.
    """

    videos: tuple[str, ...]
    groups: tuple[str, ...]
    labels: tuple[int, ...]
    """True class of each video."""
    predicted: tuple[tuple[int, ...], ...] = ()
    """(R, N) classes or clusters of R repeats (draws, clustering seeds) and N videos."""
    values: Mapping[str, tuple[tuple[float | None, ...], ...]] = field(default_factory=dict)
    """(R, N) terms of metrics whose statistic is `mean`; None for a video left out."""
    multilabels: tuple[tuple[int, ...], ...] = ()
    """Classes of each video, ascending, where class scores are of a multi-label kind."""

    def __post_init__(self) -> None:
        rows: list[tuple[str, Sized]] = [("groups", self.groups)]
        rows += [(name, given) for name in ("labels", "multilabels") if (given := getattr(self, name))]
        rows += [("predicted", row) for row in self.predicted]
        rows += [(f"values of {name}", row) for name, repeats in self.values.items() for row in repeats]
        for name, row in rows:
            if len(row) != len(self.videos):
                msg = f"expected {name} of {len(self.videos)} videos, got {len(row)}"
                raise ValueError(msg)


ScoreKind = Literal["logits", "probabilities", "log-odds", "margins"]
"""Kinds of class scores.

Of logits the softmax is a distribution over classes, and probabilities are one; log-odds are those of each class of a
multi-label kind, and margins are no probabilities.
"""


@dataclass(frozen=True, slots=True, eq=False)
class ClassScores:
    """Scores of each class for each test video, in half precision; log-odds in single.

    `harness.evaluators.class_scores.keep` makes them of tensors, so that none overflows.

    Raises:
        ValueError: when the values are not (R, N, C) of their type, or the kind is unknown.
    """

    kind: ScoreKind
    values: NDArray[np.floating]
    """(R, N, C): R repeats of the predictions or 1, N videos, C classes."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(ScoreKind):
            msg = f"expected class scores of one kind of {', '.join(get_args(ScoreKind))}, got {self.kind!r}"
            raise ValueError(msg)
        of = "float32" if self.several else "float16"
        if self.values.ndim != 3 or str(self.values.dtype) != of:
            msg = f"{self.kind} must be (R, N, C) {of}, got {tuple(self.values.shape)} {self.values.dtype}"
            raise ValueError(msg)

    @property
    def several(self) -> bool:
        """True if a video may have several classes, as of a multi-label kind."""
        return self.kind == "log-odds"

    def true_classes(self, predictions: Predictions) -> tuple[tuple[int, ...], ...]:
        """Classes of each video that `predictions` has.

        >>> import numpy as np
        >>> scores = ClassScores("logits", np.zeros((1, 2, 3), np.float16))
        >>> scores.true_classes(Predictions(("a", "b"), ("", ""), (2, 0)))
        ((2,), (0,))
        """
        return predictions.multilabels if self.several else tuple((label,) for label in predictions.labels)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ClassScores)
            and (self.kind, self.values.shape) == (other.kind, other.values.shape)
            and self.values.tobytes() == other.values.tobytes()
        )

    def __hash__(self) -> int:
        return hash((self.kind, self.values.tobytes()))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Outcome of an evaluator: scores, predictions, and choices of the protocol.

    Raises:
        ValueError: when a picture's name is not short, because it becomes the name of a file.
    """

    scores: tuple[Score, ...]
    """The primary metric's, and those of the card's others that the data can carry."""
    predictions: Predictions | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    """JSON values: the regularisation selected, the number of points, H(X), ..."""
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    """PNG by short name (`confusion`, `top-clusters`): what people look at."""
    conditions: Mapping[str, Any] = field(default_factory=dict)
    """JSON values that join the protocol, such as the device."""
    class_scores: ClassScores | None = None
    """Scores of the predicted videos; None where nothing was classified by scores."""

    def __post_init__(self) -> None:
        for name in self.pictures:
            if not NAME.fullmatch(name):
                msg = f"{name!r} is no short name for a picture: lower-case letters, digits, '.', '_', '-', 64 at most"
                raise ValueError(msg)
