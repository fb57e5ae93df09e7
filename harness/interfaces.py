"""The contracts of methods, encoders, backbones, data sets and evaluators, and the values they exchange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from harness.cards import NAME, BackboneCard, DatasetCard, EvaluatorCard, MethodCard, View

if TYPE_CHECKING:
    from torch import Tensor, nn

    from harness.encoders.frozen import FrozenEncoder
    from harness.video.transforms import Box


@dataclass(frozen=True, slots=True)
class Video:
    """One video of a data set."""

    id: str
    """Unique in its split; says nothing in an unlabelled one."""
    path: Path
    """File to decode; its name, and those of its folders, mean nothing."""
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


class Split(Protocol):
    """Videos of a data set; a method gets them unlabelled."""

    @property
    def name(self) -> str:
        """`train` or `test`."""
        ...

    @property
    def labelled(self) -> bool:
        """Labels and groups are there."""
        ...

    @property
    def videos(self) -> Sequence[Video]:
        """The videos, in a fixed order."""
        ...

    @property
    def classes(self) -> Mapping[str, tuple[str, ...]]:
        """For each kind of label, the names of its classes; empty in an unlabelled split."""
        ...

    @property
    def left_out(self) -> Mapping[str, str]:
        """Reason for each listed video that the split lacks, by its path.

        A reason is a key of `harness.video.probe.REASONS`.
        """
        ...

    @property
    def manifest(self) -> str:
        """Hash of all that the split contains: bytes, frames, ids, labels, groups, order."""
        ...

    def __len__(self) -> int: ...

    def read(self, index: int, frames: Sequence[int] | None = None, *, short_side: int | None = None) -> Tensor:
        """Read frames of video `index` as (T, H, W, C) uint8 RGB.

        Args:
            index: position in `videos`.
            frames: frame indices in any order, repeats allowed; all frames when None.
            short_side: pixels; the file's own size when None.

        Raises:
            DataError: when the file is missing or does not decode to the frames its record promises.
        """
        ...

    def flow(self, index: int, frames: Sequence[int], *, short_side: int, device: str = "cpu") -> Tensor:
        """Read TV-L1 flow of video `index` as (T, 2, H, W) float32.

        It comes from the cache that all splits share. Pixels from each of `frames` to the next frame of the video,
        horizontal before vertical, up to 20 pixels.

        Args:
            index: position in `videos`.
            frames: frame indices in any order, repeats allowed; none the video's last.
            short_side: pixels that the short side of the frames is resized to before.
            device: on which flow that is not in the cache is computed.

        Raises:
            DataError: when the video is an image or does not decode, or a frame is its last.
        """
        ...

    def unlabelled(self) -> Split:
        """Hide labels, groups, classes, joints and telling ids; the order stays."""
        ...


@dataclass(frozen=True, slots=True)
class VideoBatch:
    """Clips on their way to an encoder.

    Raises:
        ValueError: when `clips` is not (B, 3, T, H, W) uint8.
    """

    clips: Tensor
    """(B, C, T, H, W) uint8 RGB, on the encoder's device."""

    def __post_init__(self) -> None:
        if self.clips.ndim != 5 or self.clips.shape[1] != 3 or str(self.clips.dtype) != "torch.uint8":
            msg = f"clips must be (B, 3, T, H, W) uint8, got {tuple(self.clips.shape)} {self.clips.dtype}"
            raise ValueError(msg)

    def __len__(self) -> int:
        return int(self.clips.shape[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What the harness grants a fit; never chosen by the method."""

    frames: int
    """Training frames the network may be shown over the whole fit: a clip of 16 counts 16, a tuple of 4 counts 4."""
    seed: int
    device: str = "cpu"
    folder: Path | None = None
    """Where checkpoints and TensorBoard logs go, so that an interrupted fit goes on; None keeps nothing."""


@runtime_checkable
class Encoder(Protocol):
    """The frozen outcome of a method: a clip becomes a vector."""

    @property
    def view(self) -> View:
        """What it wants to see of a video."""
        ...

    @property
    def dim(self) -> int:
        """Length of its vectors."""
        ...

    def encode(self, batch: VideoBatch) -> Tensor:
        """(B, dim) float32 on the batch's device; no gradient, no state changed, no clip influenced by its batch."""
        ...


@runtime_checkable
class Trainable(Protocol):
    """Extra of an encoder that can be fine-tuned."""

    @property
    def module(self) -> nn.Module:
        """Normalised float clips (B, C, T, H, W) -> (B, dim)."""
        ...


@runtime_checkable
class Spatial(Protocol):
    """Extra of an encoder that has a spatial feature map."""

    @property
    def feature_map(self) -> nn.Module:
        """Normalised float images (B, C, H, W) -> (B, c, h, w)."""
        ...


@runtime_checkable
class Layered(Protocol):
    """Extra of an encoder whose inner layers give vectors too."""

    def at(self, layer: str) -> Encoder:
        """The encoder whose vectors are those of `layer`.

        Raises:
            UsageError: when it has no such layer.
        """
        ...


@runtime_checkable
class WholeVideos(Protocol):
    """Extra of an encoder that reads the videos of a split by itself: hand-crafted ones do, in worker processes."""

    def encode_videos(self, split: Split) -> Tensor:
        """(N, dim) float32, what `encode` would give of each video, whole.

        Raises:
            DataError: when a video does not decode.
        """
        ...


@runtime_checkable
class Illustrated(Protocol):
    """Extra of an encoder that can show people what it sees."""

    def illustrations(self, split: Split) -> Mapping[str, bytes]:
        """Files by name, such as `trajectories.png` and `trajectories.mp4`, drawn on videos of `split`."""
        ...


@runtime_checkable
class Storable(Protocol):
    """Extra of an encoder that stores itself; `harness.NetworkEncoder` needs none of it."""

    def save(self, folder: Path) -> None:
        """Write everything needed to restore the encoder into the empty `folder`: safetensors and JSON, no pickles."""
        ...


@runtime_checkable
class Restoring(Protocol):
    """Extra of a method whose encoders are `Storable`."""

    def load(self, backbone: Backbone, folder: Path) -> Encoder:
        """The encoder that `save` wrote into `folder`."""
        ...


class Backbone(Protocol):
    """Builds the network a method trains; what its options change, its own card says."""

    @property
    def card(self) -> BackboneCard:
        """The registered card, or with options one of another length, view or layers."""
        ...

    def build(self, *, seed: int) -> nn.Module:
        """A new network, normalised float clips (B, C, T, H, W) -> (B, dim); equal seeds give equal weights."""
        ...


class Method(Protocol):
    """Learns from a data set's training split; parameters of the constructor are its hyper-parameters."""

    card: ClassVar[MethodCard]

    def fit(self, backbone: Backbone, train: Split, budget: Budget) -> Encoder:
        """Learn from `train` within `budget`.

        `train` is unlabelled unless the card says `supervised`.

        Raises:
            DivergedError: when the loss becomes NaN or infinite.
        """
        ...


class Dataset(Protocol):
    """Named videos, or images (videos of one frame), with splits."""

    card: ClassVar[DatasetCard]

    def split(self, name: str) -> Split:
        """The labelled split `name`.

        Raises:
            UsageError: when there is no such split.
            DataError: when files are missing or corrupt.
        """
        ...


@runtime_checkable
class Prepared(Protocol):
    """Extra of a data set whose files are drawn or fetched when first used."""

    @property
    def ready(self) -> bool:
        """Whether the files are there."""
        ...


@dataclass(frozen=True, slots=True)
class Score:
    """One metric's value, and what an encoder that knows nothing would get on the same videos."""

    metric: str
    value: float
    baseline: float | None = None


@dataclass(frozen=True, slots=True)
class Predictions:
    """What was predicted for each test video, so that statistics can be redone."""

    videos: tuple[str, ...]
    groups: tuple[str, ...]
    labels: tuple[int, ...]
    """True class of each video."""
    predicted: tuple[tuple[int, ...], ...] = ()
    """(R, N): a class (or cluster) for each of R repeats (draws, clustering seeds) and N videos."""
    values: Mapping[str, tuple[tuple[float | None, ...], ...]] = field(default_factory=dict)
    """For each metric whose statistic is `mean`, (R, N): what each video adds to it; None for a video left out."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What an evaluator found: scores, the predictions behind them, and what the protocol chose on the way.

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
    """JSON values that become part of the protocol: what the numbers depend on beside it, such as the device."""

    def __post_init__(self) -> None:
        for name in self.pictures:
            if not NAME.fullmatch(name):
                msg = f"{name!r} is no short name for a picture: lower-case letters, digits, '.', '_', '-', 64 at most"
                raise ValueError(msg)


class Evaluator(Protocol):
    """One protocol; parameters of the constructor are the protocol's parameters."""

    card: ClassVar[EvaluatorCard]

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Measure `encoder` on `data`; selection never looks at the test split.

        Raises:
            DataError: when the data cannot carry the protocol (a class absent from train, ...), naming the class or
                video.
        """
        ...
